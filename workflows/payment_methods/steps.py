"""Side effects that runs of cards ask for. Implementations: `activities/payment_methods/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.payment_methods.messages import (
    CardRemovalOrder,
    CardSetupLook,
    CardSetupOrder,
    CardSetupOutcome,
)


@declare
def begin_card_setup(order: CardSetupOrder) -> CardSetupOutcome:
    """Make the fan a customer of Stripe's if they are none, and get a form ready for a card."""
    raise NotImplementedError


@declare
def look_at_card_setup(look: CardSetupLook) -> CardSetupOutcome:
    """Ask Stripe whether the card was confirmed; if so, write it down."""
    raise NotImplementedError


@declare
def detach_card(order: CardRemovalOrder) -> None:
    """Have Stripe forget a card that its fan has removed."""
    raise NotImplementedError
