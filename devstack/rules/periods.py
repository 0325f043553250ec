"""What holds for subscriptions, gifts and cards, in other words than those of their code.

Most of it follows from charges alone: what was paid when, for how many months.
"""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import text
from sqlalchemy.orm import Session

from devstack.rules.purchases import GIVEN_BACK
from devstack.stripe.core import LocalStripe
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import RENEWAL_SLACK

GRACE = f"interval '{Rules().grace.days} days'"
SLACK = f"interval '{RENEWAL_SLACK.total_seconds():.0f} seconds'"
DAY_SECONDS = 24 * 60 * 60
APART_DAYS = 28 - Rules().grace.days - 1
"""At least so many days a month are between two payments for periods: the shortest month, less
the grace within which a renewal counts from the end of the period before it, and the day within
which a payment is confirmed."""

PAYS_FOR = "c.subject_id = s.id AND c.step = 'period:' || s.period_index AND c.state = 'paid'"
HAD = "e.revoked_at IS NULL AND e.starts_at <= now() AND e.expires_at > now()"
ENDED = "('canceled', 'expired')"

BOUGHT: dict[str, str] = {
    "a right of a subscription ends with its period, or with the grace": f"""
        SELECT e.id, e.expires_at, s.id, s.state, s.period_end
        FROM entitlements e LEFT JOIN subscriptions s ON s.entitlement_id = e.id
        WHERE e.source = 'subscription' AND {HAD} AND (now() < s.period_end + CASE s.state
            WHEN 'active' THEN {GRACE} WHEN 'past_due' THEN {GRACE}
            WHEN 'trialing' THEN {SLACK} WHEN 'canceling' THEN interval '0' END) IS NOT TRUE
    """,
    "who has paid for the period that runs has the right": f"""
        SELECT s.id, s.state, s.period_end, s.entitlement_id FROM subscriptions s
        WHERE s.state IN ('trialing', 'active', 'canceling', 'past_due')
          AND now() BETWEEN s.period_start AND s.period_end - interval '1 second'
          AND NOT EXISTS (
            SELECT 1 FROM entitlements e WHERE e.id = s.entitlement_id AND e.fan_id = s.fan_id
              AND e.creator_id = s.creator_id AND e.tier_id = s.tier_id AND {HAD})
    """,
    "a period that runs was paid, and the money was not given back": f"""
        SELECT s.id, s.state, s.period_index, s.period_end FROM subscriptions s
        WHERE s.state IN ('active', 'canceling') AND NOT EXISTS (
            SELECT 1 FROM charges c WHERE {PAYS_FOR} AND NOT {GIVEN_BACK})
          AND NOT (s.state = 'canceling' AND s.period_index = 0)
    """,
    "a period begins when it is paid, and has as many days as its months": f"""
        SELECT s.id, s.state, s.months, c.paid_at, s.period_start, s.period_end
        FROM subscriptions s JOIN charges c ON {PAYS_FOR}
        WHERE s.period_end IS NOT NULL AND NOT (
            s.period_start BETWEEN c.paid_at - {GRACE} AND c.paid_at
            AND s.period_end - s.period_start BETWEEN
                s.months * interval '28 days' AND s.months * interval '31 days')
    """,
    "nobody loses what they have paid for": f"""
        SELECT s.id, s.state, s.end_reason, c.step, c.paid_at
        FROM charges c JOIN subscriptions s ON s.id = c.subject_id
        WHERE c.step LIKE 'period:%' AND c.state = 'paid' AND c.disputed_at IS NULL
          AND now() < c.paid_at + s.months * interval '28 days' - {GRACE}
          AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.charge_id = c.id)
          AND s.state NOT IN ('active', 'canceling')
          AND (s.end_reason = 'fan' OR s.end_reason IN ('refunded', 'disputed') AND EXISTS (
            SELECT 1 FROM charges c WHERE c.subject_id = s.id
              AND (c.refunded_minor > 0 OR c.disputed_at IS NOT NULL))) IS NOT TRUE
    """,
    "a fan has one live subscription to a creator, and one right of it": f"""
        SELECT fan_id, creator_id, count(*) FROM subscriptions WHERE state NOT IN {ENDED}
        GROUP BY fan_id, creator_id HAVING count(*) > 1
        UNION ALL
        SELECT e.fan_id, e.creator_id, count(*) FROM entitlements e
        WHERE e.source = 'subscription' AND {HAD}
        GROUP BY e.fan_id, e.creator_id HAVING count(*) > 1
    """,
    "what was given is paid for, and the money was not given back": f"""
        SELECT g.id, g.state FROM entitlements e JOIN gifts g ON g.entitlement_id = e.id
        WHERE e.revoked_at IS NULL AND e.expires_at > now() AND NOT EXISTS (
            SELECT 1 FROM charges c
            WHERE c.subject_id = g.id AND c.state = 'paid' AND NOT {GIVEN_BACK})
    """,
    "a gift that is paid for is had": f"""
        SELECT g.id, g.state FROM gifts g JOIN charges c ON c.subject_id = g.id
        WHERE c.state = 'paid' AND NOT {GIVEN_BACK} AND g.state <> 'taken_back'
          AND NOT EXISTS (
            SELECT 1 FROM entitlements e WHERE e.id = g.entitlement_id
              AND e.fan_id = g.recipient_id AND e.revoked_at IS NULL
              AND e.expires_at - e.starts_at BETWEEN
                g.months * interval '28 days' AND g.months * interval '31 days')
    """,
}
"""Each finds the rows that break it, at any moment."""

SETTLED: dict[str, str] = {
    "no subscription is left spinning": """
        SELECT s.id, s.state, s.charge_id FROM subscriptions s
        WHERE s.state = 'incomplete' OR (s.charge_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM charges c WHERE c.id = s.charge_id AND c.disputed_at IS NOT NULL))
    """,
    "no subscription misses its time": f"""
        SELECT id, state, wake_at FROM subscriptions
        WHERE state NOT IN {ENDED} AND (wake_at > now() - interval '6 hours') IS NOT TRUE
    """,
    "what was paid for no period goes back": f"""
        SELECT s.id, s.state, s.period_index, c.step
        FROM charges c JOIN subscriptions s ON s.id = c.subject_id
        WHERE c.step LIKE 'period:%' AND c.state = 'paid' AND c.disputed_at IS NULL
          AND split_part(c.step, ':', 2)::int > s.period_index AND NOT {GIVEN_BACK}
          AND NOT EXISTS (
            SELECT 1 FROM refunds r WHERE r.charge_id = c.id AND r.state = 'failed')
    """,
    "no gift is left spinning": """
        SELECT id, state FROM gifts WHERE state IN ('charging', 'requires_action', 'processing')
    """,
    "no form for a card is left open": """
        SELECT id, created_at FROM card_setups WHERE state = 'open'
    """,
    "a card that is removed is forgotten": """
        SELECT id, removed_at FROM payment_methods
        WHERE removed_at IS NOT NULL AND detached_at IS NULL
    """,
}


def charged_twice(session: Session, stripe: LocalStripe) -> list[str]:
    """What Stripe has taken twice for one thing, or for one time of a subscription, whatever we
    call the two. What was refunded counts no more."""
    things = {
        charge_id: (kind, subject_id, step, months)
        for charge_id, kind, subject_id, step, months in session.execute(
            text("""
                SELECT c.id::text, c.kind, c.subject_id::text, c.step,
                    coalesce(s.months, 0)
                FROM charges c LEFT JOIN subscriptions s ON s.id = c.subject_id
            """)
        )
    }
    taken: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    apart_days: dict[tuple[str, str], int] = {}
    for intent in stripe.scope().all("payment_intent"):
        if intent["status"] != "succeeded" or _is_refunded(stripe, intent["latest_charge"]):
            continue
        op_id = intent["metadata"].get("op_id")
        if op_id not in things:
            return [f"{intent['id']} of {op_id}, which was never begun"]
        kind, subject_id, step, months = things[op_id]
        thing = (subject_id, step.split(":")[0]) if "upgrade" not in step else (subject_id, step)
        taken[thing].append(intent["created"])
        renews = kind == "subscription" and not step.startswith("upgrade")
        apart_days[thing] = APART_DAYS * months if renews else 1 << 20
    return [
        f"{thing}: {earlier} and {later}"
        for thing, times in taken.items()
        for earlier, later in zip(sorted(times), sorted(times)[1:], strict=False)
        if later - earlier < apart_days[thing] * DAY_SECONDS
    ]


def _is_refunded(stripe: LocalStripe, charge_id: str) -> bool:
    return bool(stripe.scope().get("charge", charge_id)["refunded"])


def unknown_cards(session: Session, stripe: LocalStripe) -> list[str]:
    """Cards that Stripe may charge for a fan though they were removed, or never written down."""
    known = set(session.scalars(text("SELECT id FROM payment_methods WHERE removed_at IS NULL")))
    return [
        f"{card['id']} of {card['customer']}"
        for card in stripe.scope().all("payment_method")
        if card["customer"] is not None and card["id"] not in known
    ]
