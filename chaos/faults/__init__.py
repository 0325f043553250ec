"""What breaks, and how it is healed."""

from __future__ import annotations

from chaos.faults import disk, files, processes, stripe
from chaos.faults.fault import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault for fault in (*processes.FAULTS, *stripe.FAULTS, *disk.FAULTS, *files.FAULTS)
}
"""By name, in the order in which they are played."""
