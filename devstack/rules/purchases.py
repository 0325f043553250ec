"""What holds for charges, and for the single things that they buy."""

from __future__ import annotations

GIVEN_BACK = """(c.refunded_minor >= c.amount_minor OR EXISTS (
    SELECT 1 FROM disputes d WHERE d.charge_id = c.id AND d.state = 'lost'))"""

OF_PURCHASE = """u.fan_id = e.fan_id AND u.creator_id = e.creator_id
    AND (u.post_id, u.message_id) IS NOT DISTINCT FROM (e.post_id, e.message_id)"""
"""A right is on what was bought, be that a post or a message, and on nothing else."""

BOUGHT: dict[str, str] = {
    "a right that was bought is paid for, and the money was not given back": f"""
        SELECT e.id, e.fan_id, e.post_id, e.message_id FROM entitlements e
        WHERE e.source = 'unlock' AND e.revoked_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM unlocks u JOIN charges c ON c.subject_id = u.id
            WHERE {OF_PURCHASE} AND c.state = 'paid' AND NOT {GIVEN_BACK})
    """,
    # A refund that the bank sends back ends the purchase all the same: a person sees to it.
    "what is paid for is had, unless it has ended": f"""
        SELECT c.id, u.id, u.state FROM charges c JOIN unlocks u ON u.id = c.subject_id
        WHERE c.state = 'paid' AND NOT {GIVEN_BACK} AND u.state NOT IN ('refunding', 'ended')
          AND NOT EXISTS (
            SELECT 1 FROM entitlements e WHERE {OF_PURCHASE} AND e.revoked_at IS NULL)
    """,
    "nobody pays twice for one thing": f"""
        SELECT u.fan_id, u.post_id, u.message_id, count(*)
        FROM charges c JOIN unlocks u ON u.id = c.subject_id
        WHERE c.state = 'paid' AND u.state <> 'ended' AND NOT {GIVEN_BACK}
        GROUP BY u.fan_id, u.post_id, u.message_id HAVING count(*) > 1
    """,
    "a right that nobody pays for was given": """
        SELECT e.id, e.fan_id, e.source FROM entitlements e
        WHERE e.source NOT IN ('unlock', 'subscription') AND e.revoked_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM gifts g WHERE g.entitlement_id = e.id AND g.recipient_id = e.fan_id)
    """,
    "every paid charge is posted once": """
        SELECT c.id, count(j.id) FROM charges c
        LEFT JOIN journals j ON j.charge_id = c.id AND j.kind = 'sale'
        WHERE c.state = 'paid' GROUP BY c.id HAVING count(j.id) <> 1
    """,
}

ENDED: dict[str, str] = {
    "no charge is left open": """
        SELECT id, kind, state FROM charges WHERE state NOT IN ('paid', 'declined', 'canceled')
    """,
    "no unlock is left spinning": """
        SELECT u.id, u.state FROM unlocks u WHERE u.state NOT IN
            ('unlocked', 'declined', 'canceled', 'ended')
        AND NOT EXISTS (SELECT FROM charges c
            WHERE c.subject_id = u.id AND c.disputed_at IS NOT NULL)
    """,
    "no payout is left without an end or a person": """
        SELECT id, state, reason FROM payouts WHERE state NOT IN
            ('review', 'needs_ops', 'paid', 'settled', 'returned', 'released')
    """,
    "no refund is left open": """
        SELECT id, state FROM refunds WHERE state NOT IN
            ('succeeded', 'failed', 'refused')
    """,
    "no tip is left spinning": """
        SELECT id, state FROM tips WHERE state IN ('charging', 'requires_action', 'processing')
    """,
}
"""Each finds the rows that break it, once all has settled."""
