"""Which codes of problems the API can answer with: read from the source, class by class."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from api.problems import IdempotencyKeyMissing, PreconditionRequired, status_of
from domain import errors
from domain.errors import FansworldError, MediaRejected, PaymentRequired, RateLimited
from tests.harness.pages import ROOT

NOT_ANSWERED = {
    "api/tokens.py": "a command",
    "domain/ledger": "the ledger's own rules; what a route asks for keeps them",
    "domain/media/rejections.py": "in docs/media.md",
    "domain/money.py": "sums are made by us",
    "infra/antivirus.py": "a step of ingest",
    "infra/cdn.py": "a step of a deletion",
    "infra/images": "a step of ingest",
    "infra/mail.py": "a step of mails",
    "infra/moderation.py": "a step of ingest",
    "infra/queries/accounts.py": "commands",
    "infra/queries/charges/recording.py": "steps of payments",
    "infra/queries/disputes/following.py": "steps of disputes",
    "infra/queries/ingest.py": "steps of ingest",
    "infra/queries/ledger": "the ledger's own rules; what a route asks for keeps them",
    "infra/queries/payouts/opening.py": "a step of payouts",
    "infra/queries/refunds/making.py": "steps of refunds",
    "infra/sandbox": "a step of ingest",
    "infra/storage/buckets.py": "at start-up",
    "infra/storage/connection.py": "told as storage_unavailable, upload_lost or invalid parts",
    "infra/storage/storage.py": "told as storage_unavailable",
    "infra/storage/transfers.py": "a step of ingest",
    "infra/stripe": "steps of payments",
    "infra/video": "a step of ingest",
}
"""Where errors are made of which the API tells nobody, and why."""

_OWN: dict[str, type[FansworldError]] = {
    name: each
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, FansworldError) and each is not MediaRejected
} | {each.__name__: each for each in (IdempotencyKeyMissing, PreconditionRequired)}


def statuses_by_code() -> dict[str, set[int]]:
    """Every code that the source of the API makes, with the statuses that it comes with.

    Codes that are no constants (`problem_response(code=code)`) are left out: where they are
    chosen, they are constants.
    """
    found: dict[str, set[int]] = {}
    for path in _files():
        for code, status in _made_in(ast.parse(path.read_text())):
            found.setdefault(code, set()).add(status)
    return found


def _files() -> Iterator[Path]:
    for folder in ("api", "domain", "infra"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            within = {str(path.relative_to(ROOT)), *map(str, path.relative_to(ROOT).parents)}
            if not within & NOT_ANSWERED.keys():
                yield path


def _made_in(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        kind = _OWN.get(node.func.id)
        given = {each.arg: each.value for each in node.keywords}
        if kind is not None:
            status = status_of(_made(kind))
            codes = list(_constants(given["code"])) if "code" in given else [kind.code]
            yield from ((code, status) for code in codes)
        elif node.func.id == "problem_response" and "code" in given:
            for code in _constants(given["code"]):
                for status in _numbers(given["status"]):
                    yield code, status


def _made(kind: type[FansworldError]) -> FansworldError:
    if issubclass(kind, PaymentRequired):
        return kind("", offers=())
    if issubclass(kind, RateLimited):
        return kind("", limit="", retry_after_seconds=0)
    return kind("")


def _constants(code: ast.expr) -> Iterator[str]:
    match code:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _constants(body)
            yield from _constants(orelse)


def _numbers(status: ast.expr) -> Iterator[int]:
    if isinstance(status, ast.Constant) and isinstance(status.value, int):
        yield status.value
