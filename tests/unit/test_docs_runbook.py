"""The runbook has a row for every reason for which a run can wait, and no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import OperationalError

from domain import errors
from domain.errors import FansworldError
from infra.keyring import UnknownMasterKey, WrappedKeyDamaged
from tests.harness.pages import OPERATIONS, ROOT

RETRIED = {
    *("Unavailable", "OutcomeUnknown", "StepBlocked"),
    *("Conflict", "NotFound", "Invalid", "PreconditionFailed"),
}
"""Classes of our own errors that a step may end with; rejections end the run instead."""

NOT_IN_STEPS = {
    "infra/queries/idempotency.py",
    "infra/reads.py",
    "infra/queries/generations.py",
    "infra/queries/access",
    "infra/passwords.py",
    "infra/queries/accounts.py",
    "infra/queries/admin",
    "infra/queries/auth",
    "infra/queries/creators",
    "infra/queries/payment_methods/own.py",
    "infra/queries/payouts/reading.py",
    "infra/queries/messages",
    "infra/queries/posts",
    "infra/queries/gifts/giving.py",
    "infra/queries/subscriptions/beginning.py",
    "infra/queries/subscriptions/changing.py",
    "infra/queries/subscriptions/listing.py",
    "infra/queries/tiers",
    "infra/queries/tips/giving.py",
    "infra/queries/reconcile.py",
    "infra/queries/refunds/reading.py",
    "infra/queries/uploads.py",
    "infra/queries/users",
    "infra/storage/buckets.py",
    "infra/stripe/webhooks.py",
}
"""Used by the API, by commands and at start-up only; or, as changes of subscriptions are, in
steps that answer with a refusal instead of failing."""

NEVER_LAST = {
    "over_limits_once": "said of the first attempt alone",
    "child_timed_out": "blamed on the file, on the second attempt",
    "child_out_of_memory": "blamed on the file, on the second attempt",
    "child_wrote_too_much": "blamed on the file, on the second attempt",
    "child_stalled": "only ffmpeg is watched for progress; blamed on the file",
    "child_cancelled": "the run is being cancelled",
    "transfer_cancelled": "the run is being cancelled",
    "child_failed": "the base of those above",
    "antivirus_unavailable": "told as not_scanned",
    "cdn_unavailable": "a deletion keeps trying",
    "no_such_upload": "joining of uploads, in the API",
    "invalid_part": "joining of uploads, in the API",
    "part_too_small": "joining of uploads, in the API",
}

TIME_OUTS = {"timeout_heartbeat", "timeout_start_to_close"}
"""The kinds that `workflows.policies` sets."""
FOREIGN = {
    error.__name__: error
    for error in (OperationalError, UnknownMasterKey, WrappedKeyDamaged, ValueError)
}
"""Named by their class, since they are none of `domain.errors`."""


def source_files() -> Iterator[Path]:
    for folder in ("activities", "infra"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            own = {str(path.relative_to(ROOT)), *map(str, path.relative_to(ROOT).parents)}
            if not own & NOT_IN_STEPS:
                yield path


def codes_in(tree: ast.AST) -> Iterator[str]:
    """Codes of errors that are raised, and of error classes that are defined."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in RETRIED:
                yield from _code_of_call(node, default=getattr(errors, node.func.id))
        elif isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
                    yield ast.literal_eval(line.value)


def _code_of_call(call: ast.Call, *, default: type[FansworldError]) -> Iterator[str]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if not given:
        yield default.code
    elif isinstance(given[0], ast.Constant):
        yield str(given[0].value)


def reasons_in_code() -> set[str]:
    found = {code for path in source_files() for code in codes_in(ast.parse(path.read_text()))}
    assert found >= NEVER_LAST.keys(), "a code that is never last is gone; drop it here"
    return found - NEVER_LAST.keys()


def test_every_reason_has_a_row() -> None:
    rows = set(OPERATIONS.table("reason"))
    assert rows == reasons_in_code() | TIME_OUTS | FOREIGN.keys()


def test_every_row_says_what_happened_and_what_to_do() -> None:
    for reason, cells in OPERATIONS.table("reason").items():
        assert len(cells) == 2 and all(cells), reason


def test_foreign_names_are_no_codes() -> None:
    assert not reasons_in_code() & FOREIGN.keys()


def test_every_module_left_out_exists() -> None:
    for name in NOT_IN_STEPS:
        assert (ROOT / name).exists(), name
