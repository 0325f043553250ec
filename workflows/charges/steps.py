"""Side effects of paying once for something. Implementations: `activities/charges/`."""

from __future__ import annotations

from workflows.charges.messages import (
    ChargeLook,
    ChargeOrder,
    ChargeOutcome,
    ChargeSweepOrder,
    ChargeSweepReport,
)
from workflows.declarations import declare


@declare
def take_charge(order: ChargeOrder) -> ChargeOutcome:
    """Charge the fan; paid, post it to the ledger and give what was paid for."""
    raise NotImplementedError


@declare
def look_at_charge(look: ChargeLook) -> ChargeOutcome:
    """Ask Stripe how a charge stands, and write down what is new."""
    raise NotImplementedError


@declare
def give_up_charge(look: ChargeLook) -> ChargeOutcome:
    """Cancel a charge that the fan did not confirm. It may turn out to be paid after all."""
    raise NotImplementedError


@declare
def sweep_charges(order: ChargeSweepOrder) -> ChargeSweepReport:
    """Start the run of what is paid for and has none, and post fees that came late."""
    raise NotImplementedError
