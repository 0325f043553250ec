"""Posts: their states, whom they are for, and what may be said in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.errors import Conflict, Invalid

BODY_CHARS_MAX = 10_000
COMMENT_CHARS_MAX = 2_000
MEDIA_MAX = 20
PINNED_MAX = 3
"""Posts that one creator may hold above the others."""
SCHEDULE_AHEAD_MAX = timedelta(days=365)

PRICE_MINOR_BOUNDS = {"EUR": (100, 50_000), "GBP": (100, 50_000), "USD": (100, 50_000)}
"""Least and most of a price, in minor units, by currency (ISO 4217)."""


class PostState(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    TAKEN_DOWN = "taken_down"
    """Was published; staff hid it, and may show it again."""
    DELETED = "deleted"


class Audience(StrEnum):
    """Whom a published post is open to; its owner and staff see it anyway."""

    PUBLIC = "public"
    FOLLOWERS = "followers"
    """Subscribers count as followers."""
    SUBSCRIBERS = "subscribers"
    TIER = "tier"
    """Subscribers of a tier, or of a higher one."""
    PAID = "paid"
    """Who unlocked it; where a tier is named, its subscribers too."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a post is open. The price in minor units of `currency`."""

    audience: Audience
    tier_id: str | None = None
    price_minor: int | None = None
    currency: str | None = None

    def check(self, *, price_minor_max: int | None = None) -> None:
        """Do the parts fit each other?

        Args:
            price_minor_max: what was agreed on with this creator in place of what is the most
                for all.

        Raises:
            Invalid: `tier_missing`, `tier_unfit`, `price_missing`, `price_unfit`,
                `currency_unknown` or `price_out_of_bounds`.
        """
        if self.audience is Audience.TIER and self.tier_id is None:
            raise Invalid("Say which tier it is for.", code="tier_missing")
        if self.tier_id is not None and self.audience not in (Audience.TIER, Audience.PAID):
            raise Invalid(f"A post for {self.audience} has no tier.", code="tier_unfit")
        priced = self.price_minor is not None or self.currency is not None
        if self.audience is not Audience.PAID:
            if priced:
                raise Invalid(f"A post for {self.audience} has no price.", code="price_unfit")
            return
        if self.price_minor is None or self.currency is None:
            raise Invalid("Say its price and the currency.", code="price_missing")
        bounds = {
            currency: (least, price_minor_max or most)
            for currency, (least, most) in PRICE_MINOR_BOUNDS.items()
        }
        check_price(self.price_minor, self.currency, bounds_minor=bounds)


def check_price(
    price_minor: int, currency: str, *, bounds_minor: Mapping[str, tuple[int, int]]
) -> None:
    """Is it a price that may be asked for something?

    Raises:
        Invalid: `currency_unknown` or `price_out_of_bounds`.
    """
    bounds = bounds_minor.get(currency)
    if bounds is None:
        known = ", ".join(bounds_minor)
        raise Invalid(f"Prices are in one of: {known}.", code="currency_unknown", currency=currency)
    least, most = bounds
    if not least <= price_minor <= most:
        raise Invalid(
            f"A price is from {least} to {most} in minor units of {currency}.",
            code="price_out_of_bounds",
            price_minor=price_minor,
            least=least,
            most=most,
        )


def check_publish_at(publish_at: datetime, now: datetime) -> None:
    """May a post be scheduled for then?

    Raises:
        Invalid: `publish_at_past` or `publish_at_too_far`.
    """
    if publish_at <= now:
        raise Invalid("That moment is over. Publish it now instead.", code="publish_at_past")
    if publish_at - now > SCHEDULE_AHEAD_MAX:
        raise Invalid(
            f"A post can be scheduled up to {SCHEDULE_AHEAD_MAX.days} days ahead.",
            code="publish_at_too_far",
            days_max=SCHEDULE_AHEAD_MAX.days,
        )


def check_change_of_terms(old: Terms, new: Terms) -> None:
    """May a published post go from these terms to those?

    What people have bought stays for sale or bought: nothing becomes paid, or ceases to be,
    and its currency stays. The price may change; it counts for those who have not paid yet.

    Raises:
        Conflict: `published_terms_stay`.
    """
    was_paid, is_paid = old.audience is Audience.PAID, new.audience is Audience.PAID
    if was_paid != is_paid or (is_paid and old.currency != new.currency):
        raise Conflict(
            "A published post does not begin or cease to be paid, and keeps its currency.",
            code="published_terms_stay",
            audience=old.audience.value,
        )
