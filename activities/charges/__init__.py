"""Taking money: what the activities of every money slice share."""

from activities.charges.paying import ChargeActivities
from activities.charges.sweeping import ChargeSweepActivities

__all__ = ["ChargeActivities", "ChargeSweepActivities"]
