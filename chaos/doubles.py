"""Whether anything was done twice, and whether the books agree, seen from where effects show."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Engine

from chaos.stage import Stage
from devstack.client import JsonObject
from devstack.demo.books import Books, held_minor
from devstack.demo.browser import Browser
from devstack.mailbox import CaughtMail
from devstack.rules import periods, purchases
from devstack.rules.broken import broken_among
from devstack.rules.ledger import broken_rules
from domain.ids import mail_workflow_id
from infra.db import transaction
from infra.queries.ledger import trial_balance

MADE_ONCE = ("payment_intents", "refunds", "transfers")
"""What is made at Stripe for one row of ours, by `metadata.op_id`."""
PAGE_SIZE = 100

ONCE: Mapping[str, str] = {
    "one right a purchase": """
        SELECT fan_id, creator_id, post_id, message_id, count(*) FROM entitlements
        WHERE source = 'unlock' AND revoked_at IS NULL
        GROUP BY fan_id, creator_id, post_id, message_id HAVING count(*) > 1
    """,
    "one payment a tip, a gift, a purchase": """
        SELECT subject_id, step, count(*) FROM charges
        WHERE state = 'paid' GROUP BY subject_id, step HAVING count(*) > 1
    """,
    "one payout of a balance": """
        SELECT creator_id, currency, count(*) FROM payouts
        WHERE state NOT IN ('released', 'returned', 'settled', 'paid', 'in_transit')
        GROUP BY creator_id, currency HAVING count(*) > 1
    """,
    "one letter an occasion": """
        SELECT user_id, kind, facts, created_at, count(*) FROM mails
        GROUP BY user_id, kind, facts, created_at HAVING count(*) > 1
    """,
}
"""Each finds the rows that break it."""


def broken_rows(engine: Engine) -> list[str]:
    """Rules that do not hold at any moment, of the ledger and of what was bought."""
    with transaction(engine) as session:
        broken = broken_rules(session)
        broken += broken_among(session, {**purchases.BOUGHT, **periods.BOUGHT, **ONCE})
    return [f"{each.rule}: {each.facts}" for each in broken]


def unfinished_rows(engine: Engine) -> list[str]:
    """What is open though all has settled, acknowledged or not."""
    with transaction(engine) as session:
        rules = {**purchases.ENDED, **periods.SETTLED}
        # A payout is with the bank for days; its state is looked at by who asked for it.
        del rules["no payout is left without an end or a person"]
        broken = broken_among(session, rules)
    return [f"{each.rule}: {each.facts}" for each in broken]


def made_twice(kind: str, things: Iterable[JsonObject]) -> list[str]:
    """Objects of Stripe's of which more than one is for the same order of ours."""
    made: Counter[str] = Counter()
    for thing in things:
        op_id = thing["metadata"].get("op_id")
        if op_id is not None and thing.get("status") not in ("canceled", "failed"):
            made[op_id] += 1
    return [f"{count} {kind} of {op_id}" for op_id, count in made.items() if count > 1]


def charged_twice(
    intents: Iterable[JsonObject], subjects: Mapping[str, tuple[str, str]]
) -> list[str]:
    """Things that were paid for more than once at Stripe, and payments that are of nothing.

    Args:
        subjects: what each charge of ours is for, and the step of it, by the charge's id.
    """
    taken: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    found = []
    for intent in intents:
        if intent["status"] != "succeeded":
            continue
        subject = subjects.get(intent["metadata"].get("op_id", ""))
        if subject is None:
            found.append(f"{intent['id']} was taken for no charge of ours")
        else:
            taken[subject].append(intent["id"])
    return found + [
        f"{' '.join(subject)} was charged {len(ids)} times: {', '.join(ids)}"
        for subject, ids in taken.items()
        if len(ids) > 1
    ]


def mailed_twice(mails: Sequence[CaughtMail]) -> dict[str, str]:
    """Letters of which more than one is in the mailbox: what is said of each, by Message-ID."""
    copies: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for mail in mails:
        copies[(mail.to, mail.subject, mail.text)].append(mail.message_id)
    return {
        ids[0]: f"{len(ids)} mails of {subject!r} to {to}"
        for (to, subject, _), ids in copies.items()
        if len(ids) > 1
    }


async def at_stripe(stage: Stage) -> list[str]:
    """What was done twice there, and where its balance is not what our books say."""
    rows = await stage.rows("SELECT id::text, subject_id::text, step FROM charges")
    subjects = {charge_id: (subject_id, step) for charge_id, subject_id, step in rows}
    found = []
    async with Browser(stage.settings) as browser:
        for kind in MADE_ONCE:
            things = await _all(browser, f"/v1/{kind}")
            found += made_twice(kind, things)
            if kind == "payment_intents":
                found += charged_twice(things, subjects)
        found += await _payouts_twice(stage, browser)
        held = await held_minor(browser)

    def ours() -> Books:
        with transaction(stage.engine) as session:
            return Books(trial_balance(session), held)

    return found + (await asyncio.to_thread(ours)).faults


async def _payouts_twice(stage: Stage, browser: Browser) -> list[str]:
    """Payouts are made on each creator's account."""
    found = []
    for (account,) in await stage.rows(
        "SELECT DISTINCT account_id FROM payouts WHERE account_id IS NOT NULL"
    ):
        found += made_twice("payouts", await _all(browser, "/v1/payouts", str(account)))
    return found


async def _all(browser: Browser, path: str, account: str | None = None) -> list[JsonObject]:
    """Every object of one kind, page by page."""
    headers = {"Stripe-Account": account} if account else None
    found: list[JsonObject] = []
    params: JsonObject = {"limit": PAGE_SIZE}
    while True:
        page = await browser.ask("GET", path, params=params, headers=headers)
        found += page["data"]
        if not page["has_more"]:
            return found
        params["starting_after"] = found[-1]["id"]


async def stray_objects(stage: Stage, media_ids: Sequence[str]) -> list[str]:
    """Objects of media that no row names. Originals are named by their media."""
    found = []
    for media_id in media_ids:
        rows = await stage.rows(
            "SELECT object_key FROM renditions WHERE media_id = :id", id=media_id
        )
        found += strays(await stage.objects_of(media_id), [str(key) for (key,) in rows])
    return found


def strays(keys: Sequence[str], named: Sequence[str]) -> list[str]:
    """Objects that are neither an original nor what a row names, or below it."""
    known = ("o/", *named)
    return [f"no row names the object {key}" for key in keys if not key.startswith(known)]


async def mails(stage: Stage) -> tuple[list[str], list[str]]:
    """Letters that came twice; and those of them that may have: a worker that dies after the mail
    server took one, and before its row says so, sends it again under the same Message-ID."""
    twice: list[str] = []
    repeated: list[str] = []
    by_id = Counter(mail.message_id for mail in stage.mailbox.mails())
    for message_id, said in mailed_twice(stage.mailbox.mails()).items():
        may_be = by_id[message_id] > 1 and await _was_tried_again(stage, message_id)
        (repeated if may_be else twice).append(said)
    return twice, repeated


async def _was_tried_again(stage: Stage, message_id: str) -> bool:
    """Whether the history of the mail's run has a try before the one that ended it."""
    mail_id = message_id.strip("<>").partition("@")[0]
    handle = stage.temporal.get_workflow_handle(mail_workflow_id(mail_id))
    async for event in handle.fetch_history_events():
        if event.activity_task_started_event_attributes.attempt > 1:
            return True
    return False
