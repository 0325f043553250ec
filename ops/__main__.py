"""`python -m ops`: what runs wait for somebody, why, and what is done about it.

    list                     runs that wait for an operator (--all: all that run)
    show RUN                 one run: why it waits, what was tried, what it is about
    retry RUN                have a waiting step tried again, with a fresh budget
    retry --reason CODE      the same, for every run that waits for that reason
    skip RUN                 go on without a waiting step, where that is safe
    reprocess MEDIA          process a media again, as a new generation
    reconcile                compare the ledger with Stripe's books now
    verify-audit             walk the audit log's chain of hashes

What a reason means and what to do about it is in docs/operations.md, "Runbook". Settings come
from the environment, as of every process; of a local stack: eval "$(python -m devstack env)".

Exits with 0; with 1 where a run, a row or a person refuses, or something differs; with 2 where
the command or the settings have faults; with 3 where Temporal or the database can't be reached.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence

from sqlalchemy.exc import OperationalError
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from domain.errors import FansworldError
from infra import audit
from infra.reconcile import __main__ as books
from infra.settings import Settings, SettingsError, load_settings
from infra.temporal import connect
from ops import showing
from ops.reprocessing import reprocess
from ops.runs import Run, Runs, RunUnknown, Unanswered
from workflows.attention import OperatorChoice

REFUSED, FAULTY, AWAY = 1, 2, 3
LIMIT = 50
FOUND_MAX = 10_000
IMAGE_USER = "fansworld"
"""Whom the Dockerfile has our processes run as."""


class Refused(Exception):
    """A sentence that says why nothing was done."""


def main(arguments: Sequence[str] | None = None) -> int:
    wish, rest = parser().parse_known_args(arguments)
    if wish.command == "reconcile":
        return books.main(rest)
    if wish.command == "verify-audit":
        return audit.main(["verify", *rest])
    if rest:
        parser().error(f"unknown: {' '.join(rest)}")
    try:
        return asyncio.run(_act(wish, load_settings()))
    except SettingsError as error:
        return _fail(str(error), FAULTY)
    except (Refused, RunUnknown, Unanswered, FansworldError) as error:
        return _fail(str(error), REFUSED)
    except WorkflowUpdateFailedError as error:
        return _fail(f"The run refuses: {error.cause}.", REFUSED)
    except OperationalError as error:
        return _fail(f"The database can't be reached: {error.orig}", AWAY)
    except (RPCError, RuntimeError) as error:  # RuntimeError: the client could not connect.
        return _fail(f"Temporal can't be reached, or refuses: {error}", AWAY)


async def _act(wish: argparse.Namespace, settings: Settings) -> int:
    if not getattr(wish, "operator", "nobody is asked for").strip():
        raise Refused("say who decides: --operator NAME")
    client = await connect(settings)
    runs = Runs(client)
    match wish.command:
        case "list":
            found = await runs.find(
                kind=wish.kind, creator_id=wish.creator, running=wish.all, limit=wish.limit
            )
            showing.show_runs(found, as_json=wish.json, is_cut=len(found) == wish.limit)
        case "show":
            details = await runs.details(wish.run, with_inputs=wish.payloads)
            showing.show_details(details, as_json=wish.json, ui_url=_address(settings, wish.run))
        case "retry" if wish.reason is not None:
            await _retry_all(runs, wish)
        case "retry" | "skip":
            step = wish.step or await _only_step(runs, wish.run)
            print(await runs.decide(wish.run, _choice(wish, step), skip=wish.command == "skip"))
        case "reprocess":
            print(
                await reprocess(
                    settings,
                    client,
                    wish.media,
                    renditions=tuple(wish.rendition),
                    operator=wish.operator,
                )
            )
    return 0


async def _retry_all(runs: Runs, wish: argparse.Namespace) -> None:
    """Every run that waits for one reason. One that refuses does not keep the others waiting."""
    found = await runs.find(kind=wish.kind, creator_id=None, running=False, limit=FOUND_MAX)
    waiting = [
        (run, blocked.step)
        for run in found
        for blocked in run.blocked or ()
        if blocked.reason == wish.reason and wish.step in (None, blocked.step)
    ]
    if not waiting:
        raise Refused(f"No run waits for {wish.reason}.{_unasked(found)}")
    print(f"{len(waiting)} steps wait for {wish.reason}.{_unasked(found)}")
    if not wish.yes and not _agrees():
        raise Refused("Nothing was done. Give --yes to be asked no more.")
    refused = 0
    for run, step in waiting:
        try:
            await runs.decide(run.workflow_id, _choice(wish, step), skip=False)
            print(f"{run.workflow_id}: {step} is tried again")
        except (RunUnknown, Unanswered, WorkflowUpdateFailedError, RPCError) as error:
            refused += 1
            print(f"{run.workflow_id}: {error.__cause__ or error}")
    if refused:
        raise Refused(f"{refused} of {len(waiting)} were not tried again.")


def _unasked(found: Sequence[Run]) -> str:
    silent = sum(run.blocked is None for run in found)
    return f" Of {silent} more no worker says why they wait." if silent else ""


def _agrees() -> bool:
    return sys.stdin.isatty() and input("Try all of them again? [y/N] ").strip().lower() == "y"


async def _only_step(runs: Runs, workflow_id: str) -> str:
    details = await runs.details(workflow_id, with_inputs=False)
    blocked = details.run.blocked
    if blocked is None and details.run.needs_attention:
        raise Refused("No worker says which step waits. Name it with --step.")
    if not blocked:
        raise Refused(f"No step of {workflow_id} waits for anybody.")
    if len(blocked) > 1:
        names = ", ".join(each.step for each in blocked)
        raise Refused(f"Several steps wait: {names}. Name one with --step.")
    return blocked[0].step


def _choice(wish: argparse.Namespace, step: str) -> OperatorChoice:
    return OperatorChoice(step=step, operator=wish.operator, note=wish.note)


def _address(settings: Settings, workflow_id: str) -> str | None:
    if settings.temporal_ui_url is None:
        return None
    namespace = settings.temporal_namespace
    return f"{settings.temporal_ui_url}/namespaces/{namespace}/workflows/{workflow_id}"


def _signed_in() -> str:
    """Empty where the user has no name, or the image's, which is nobody's; that is refused."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return ""
    return "" if name == IMAGE_USER else name


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m ops",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="runs that wait for an operator")
    listing.add_argument("--all", action="store_true", help="all runs that are under way")
    listing.add_argument("--kind", help="ingest, mail, payout … (search attribute JobKind)")
    listing.add_argument("--creator", metavar="ID", help="of one creator")
    listing.add_argument("--limit", type=int, default=LIMIT, help=f"default: {LIMIT}")
    showing_one = commands.add_parser("show", help="one run")
    showing_one.add_argument("run", help="the workflow's id")
    showing_one.add_argument("--payloads", action="store_true", help="with its input, decoded")
    for one in (listing, showing_one):
        one.add_argument("--json", action="store_true", help="for machines")
    retrying = commands.add_parser("retry", help="a waiting step again")
    which = retrying.add_mutually_exclusive_group(required=True)
    which.add_argument("run", nargs="?", help="the workflow's id")
    which.add_argument("--reason", metavar="CODE", help="every run that waits for it")
    retrying.add_argument("--kind", help="with --reason: only runs of this kind")
    retrying.add_argument("--yes", action="store_true", help="with --reason: don't ask")
    skipping = commands.add_parser("skip", help="go on without a waiting step")
    skipping.add_argument("run", help="the workflow's id")
    for one in (retrying, skipping):
        one.add_argument("--step", help="which; may be left out where only one waits")
        one.add_argument("--note", default="", help="why, for the audit log")
    again = commands.add_parser("reprocess", help="a media, as a new generation")
    again.add_argument("media", help="its id")
    again.add_argument(
        "--rendition", action="append", default=[], help="only this one; may be repeated"
    )
    for one in (retrying, skipping, again):
        one.add_argument(
            "--operator", default=_signed_in(), help="who decides; default: who is signed in"
        )
    commands.add_parser("reconcile", add_help=False, help="the ledger against Stripe's books")
    commands.add_parser("verify-audit", add_help=False, help="the audit log's chain")
    return whole


if __name__ == "__main__":
    sys.exit(main())
