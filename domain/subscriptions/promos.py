"""Promo codes: what they take off, for how long, and whom they are for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.errors import Invalid
from domain.money import BPS

CODE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{2,31}"
"""Case does not matter."""
PERCENT_BPS_BOUNDS = (100, BPS)
TRIAL_DAYS_MAX = 90
DURATION_MONTHS_MAX = 24
REDEMPTIONS_MAX = 1_000_000
PER_FAN_MAX = 100


class PromoKind(StrEnum):
    PERCENT = "percent"
    """`value` in basis points."""
    AMOUNT = "amount"
    """`value` in minor units of the creator's currency, off each charge."""
    TRIAL = "trial"
    """`value` in days without a charge."""


class PromoDuration(StrEnum):
    ONCE = "once"
    """The first charge."""
    MONTHS = "months"
    """That many months from the beginning."""
    FOREVER = "forever"


class PromoAudience(StrEnum):
    EVERYONE = "everyone"
    NEW = "new"
    """Who never subscribed to this creator."""
    FORMER = "former"
    """Who did, and does not any more: to win them back."""


class RedemptionState(StrEnum):
    HELD = "held"
    """Counts against the caps while a first payment is on its way."""
    USED = "used"
    RELEASED = "released"
    """The payment came to nothing, and the place is free again."""


@dataclass(frozen=True, slots=True)
class Discount:
    """What a code does to prices. It stays with a subscription as it was when it was redeemed."""

    kind: PromoKind
    value: int
    duration: PromoDuration = PromoDuration.ONCE
    months: int | None = None
    """With the duration `months`."""

    def check(self) -> None:
        """Do the parts fit each other?

        Raises:
            Invalid: `promo_value_out_of_bounds`, `promo_months_unfit`, `promo_duration_unfit`.
        """
        least, most = {
            PromoKind.PERCENT: PERCENT_BPS_BOUNDS,
            PromoKind.AMOUNT: (1, 1_000_000),
            PromoKind.TRIAL: (1, TRIAL_DAYS_MAX),
        }[self.kind]
        if not least <= self.value <= most:
            raise Invalid(
                f"The value of a code by {self.kind} is from {least} to {most}.",
                code="promo_value_out_of_bounds",
                value=self.value,
                least=least,
                most=most,
            )
        if (self.months is not None) != (self.duration is PromoDuration.MONTHS):
            raise Invalid(
                "`months` goes with the duration `months`, and only with it.",
                code="promo_months_unfit",
            )
        if self.months is not None and not 1 <= self.months <= DURATION_MONTHS_MAX:
            raise Invalid(
                f"A discount lasts from 1 to {DURATION_MONTHS_MAX} months, or forever.",
                code="promo_months_unfit",
                months=self.months,
            )
        if self.kind is PromoKind.TRIAL and self.duration is not PromoDuration.ONCE:
            raise Invalid("A trial is had once.", code="promo_duration_unfit")


@dataclass(frozen=True, slots=True)
class PromoRules:
    """When a code counts, for whom, and how often. Moments in UTC."""

    tier_id: str | None = None
    """None: for every tier that costs something."""
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    audience: PromoAudience = PromoAudience.EVERYONE
    max_redemptions: int | None = None
    per_fan_max: int = 1

    def check(self) -> None:
        """Raises `Invalid` with `promo_expires_unfit` where it ends before it begins."""
        if self.starts_at and self.expires_at and self.expires_at <= self.starts_at:
            raise Invalid("It has to expire after it begins.", code="promo_expires_unfit")


@dataclass(frozen=True, slots=True)
class Redeemer:
    """The fan who would redeem a code, as they stand to the creator."""

    ever_subscribed: bool = False
    """An `incomplete` try does not count."""
    subscribed: bool = False
    redemptions: int = 0
    """Of this code by this fan, held and used."""


NOBODY = Redeemer()
"""Not signed in: judged as somebody new, and judged again when they subscribe."""


def clean_code(code: str) -> str | None:
    """The code as it is kept; None where it can't be one."""
    text = code.strip()
    return text.upper() if re.fullmatch(CODE_PATTERN, text) else None


def no_such_promo() -> Invalid:
    """The same answer for a code that never was, that was archived, or that is another's."""
    return Invalid("There is no such code.", code="promo_unknown")


def check_promo(
    rules: PromoRules, redeemer: Redeemer, *, tier_id: str, redeemed: int, at: datetime
) -> None:
    """May this fan redeem the code for this tier now?

    Args:
        redeemed: redemptions of all fans, held and used.

    Raises:
        Invalid: `promo_not_started`, `promo_expired`, `promo_wrong_tier`, `promo_new_fans_only`,
            `promo_former_fans_only`, `promo_already_used` or `promo_used_up`, the first that
            is so.
    """
    if rules.starts_at is not None and at < rules.starts_at:
        raise Invalid(
            "This code does not count yet.",
            code="promo_not_started",
            starts_at=rules.starts_at.isoformat(),
        )
    if rules.expires_at is not None and at >= rules.expires_at:
        raise Invalid(
            "This code has expired.", code="promo_expired", expired_at=rules.expires_at.isoformat()
        )
    if rules.tier_id not in (None, tier_id):
        raise Invalid(
            "This code is for another tier.", code="promo_wrong_tier", tier_id=rules.tier_id
        )
    if rules.audience is PromoAudience.NEW and redeemer.ever_subscribed:
        raise Invalid(
            "This code is for fans who have not subscribed before.", code="promo_new_fans_only"
        )
    if rules.audience is PromoAudience.FORMER and (
        redeemer.subscribed or not redeemer.ever_subscribed
    ):
        raise Invalid("This code is for former subscribers.", code="promo_former_fans_only")
    if redeemer.redemptions >= rules.per_fan_max:
        raise Invalid(
            "You have used this code already.",
            code="promo_already_used",
            per_fan_max=rules.per_fan_max,
        )
    if rules.max_redemptions is not None and redeemed >= rules.max_redemptions:
        raise Invalid("This code is used up.", code="promo_used_up")
