"""What nobody asks for, and what has to come all the same: sweeps and reconciliation."""

from __future__ import annotations

from chaos.work import Family
from domain.ids import sweep_workflow_id
from workflows.runner import SWEEPS

RECONCILE = "reconcile"


class Sweeps(Family):
    """Each is begun in the fault, and one that began since has to end."""

    name = "sweeps"
    workflows = tuple(sweep.workflow for sweep in SWEEPS if sweep.kind != RECONCILE)

    async def begin(self) -> None:
        for sweep in SWEEPS:
            if sweep.kind != RECONCILE:
                since = await self.stage.trigger(sweep.kind)
                self.acknowledge(
                    f"sweep of {sweep.kind}",
                    sweep_workflow_id(sweep.kind),
                    lambda kind=sweep.kind, since=since: self.stage.tick(kind, since),  # type: ignore[misc]
                    "completed",
                )


class Reconciliation(Family):
    """Where it finds that a side may be only late, it has compared once, and looks again in an
    hour; once all rounds are over it is run again and has to find nothing."""

    name = RECONCILE
    workflows = ("Reconcile",)

    async def begin(self) -> None:
        since = await self.stage.trigger(RECONCILE)
        self.acknowledge(
            "reconciliation",
            sweep_workflow_id(RECONCILE),
            lambda: self.stage.tick(RECONCILE, since),
            *("completed", "waits for a timer"),
        )
