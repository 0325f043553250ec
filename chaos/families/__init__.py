"""Every kind of work there is: one line a module."""

from __future__ import annotations

from chaos.families import buying, giving_back, media, paying_out, schedules
from chaos.work import Family

FAMILIES: dict[str, type[Family]] = {
    family.name: family
    for family in (
        *(media.Uploads, media.Deletions, media.Posts, media.Mails),
        *(buying.Unlocks, buying.Tips, buying.Cards, buying.CardRemovals),
        *(buying.Subscriptions, buying.Gifts),
        *(paying_out.Payouts, paying_out.Batches, paying_out.Accounts),
        *(giving_back.Refunds, giving_back.Disputes),
        *(schedules.Sweeps, schedules.Reconciliation),
    )
}
"""By name."""

NOT_EXERCISED: dict[str, str] = {}
"""Workflows that no family puts in flight, and why."""
