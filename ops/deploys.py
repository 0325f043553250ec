"""`python -m ops.deploys`: which build of the workflows' code new runs begin on.

    status                 builds, what each is, and how many runs are still open on it
    ramp BUILD PERCENT     a part of the new runs begins on BUILD
    promote BUILD          all new runs do, and long-lived ones go over to it
    drain BUILD            wait until no run needs BUILD any more; then its workers may be stopped
    pin RUN BUILD          keep one run on a build, or put it there
    release RUN            let a pinned run go over to the build that is current

Settings come from the environment, as of every process; WORKER_DEPLOYMENT_NAME says of which
deployment. Exits with 0, with 1 where the server refuses or knows no such build, with 3 where a
build is not drained.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from infra.settings import Settings, SettingsError, load_settings
from infra.temporal import connect

REFUSED, NOT_DRAINED = 1, 3
NEEDED = frozenset({"current", "ramping", "draining"})
"""Statuses of builds whose workers have to stay."""
POLL_SECONDS = 2.0
_PINNED = VersioningOverride.PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED
_STATUS = "WORKER_DEPLOYMENT_VERSION_STATUS_"


@dataclass(frozen=True, slots=True)
class Build:
    """One version of a deployment, as the server sees it."""

    build_id: str
    status: str
    """`created`, `inactive`, `ramping`, `current`, `draining`, `drained`."""
    percent: float
    """Of new runs that begin on it."""
    open_runs: int
    """Whose last step was on it; of these, pinned ones keep it from being drained."""
    since: datetime


class Deploys:
    """Builds of one deployment."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self._name = client, name

    async def builds(self) -> list[Build]:
        """Newest first.

        Raises:
            RPCError: NOT_FOUND where no worker with a build id has ever come.
        """
        info, _ = await self._describe()
        routing = info.routing_config
        found = []
        for summary in info.version_summaries:
            build_id = summary.deployment_version.build_id
            status = WorkerDeploymentVersionStatus.Name(summary.status)
            percent = 0.0
            if build_id == routing.ramping_deployment_version.build_id:
                percent = routing.ramping_version_percentage
            elif build_id == routing.current_deployment_version.build_id:
                percent = 100 - routing.ramping_version_percentage
            found.append(
                Build(
                    build_id=build_id,
                    status=status.removeprefix(_STATUS).lower(),
                    percent=percent,
                    open_runs=await self._open_runs(build_id),
                    since=summary.create_time.ToDatetime(UTC),
                )
            )
        return sorted(found, key=lambda build: build.since, reverse=True)

    async def ramp(self, build_id: str, percent: float) -> None:
        """Begin that part of new runs on a build, and let as large a part of the long-lived runs
        go over to it; 0 takes it back."""
        _, token = await self._describe()
        await self._client.workflow_service.set_worker_deployment_ramping_version(
            SetWorkerDeploymentRampingVersionRequest(
                namespace=self._client.namespace,
                deployment_name=self._name,
                build_id=build_id if percent else "",
                percentage=percent,
                conflict_token=token,
            )
        )

    async def promote(self, build_id: str) -> None:
        """Begin all new runs on a build. What was current drains."""
        _, token = await self._describe()
        await self._client.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=self._client.namespace,
                deployment_name=self._name,
                build_id=build_id,
                conflict_token=token,
            )
        )

    async def drained(self, build_id: str, *, wait_seconds: float) -> Build | None:
        """The build once nothing needs it, or as it is after waiting; None: there is none."""
        deadline = time.monotonic() + wait_seconds
        while True:
            build = next((b for b in await self.builds() if b.build_id == build_id), None)
            is_over = build is None or build.status not in NEEDED
            if is_over or time.monotonic() + POLL_SECONDS > deadline:
                return build
            await asyncio.sleep(POLL_SECONDS)

    async def pin(self, run: str, build_id: str) -> None:
        """Have a run's next step, and all after it, done by one build."""
        version = WorkerDeploymentVersion(deployment_name=self._name, build_id=build_id)
        pinned = VersioningOverride.PinnedOverride(behavior=_PINNED, version=version)
        await self._override(run, VersioningOverride(pinned=pinned))

    async def release(self, run: str) -> None:
        """Have a run go over to what is current. Its history has to replay there."""
        await self._override(run, VersioningOverride(auto_upgrade=True))

    async def _override(self, run: str, override: VersioningOverride) -> None:
        await self._client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=run),
                workflow_execution_options=WorkflowExecutionOptions(versioning_override=override),
                update_mask=FieldMask(paths=["versioning_override"]),
            )
        )

    async def _describe(self) -> tuple[WorkerDeploymentInfo, bytes]:
        answer = await self._client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(
                namespace=self._client.namespace, deployment_name=self._name
            )
        )
        return answer.worker_deployment_info, answer.conflict_token

    async def _open_runs(self, build_id: str) -> int:
        version = f"{self._name}:{build_id}"
        count = await self._client.count_workflows(
            f'TemporalWorkerDeploymentVersion = "{version}" AND ExecutionStatus = "Running"'
        )
        return count.count


def table(builds: Sequence[Build]) -> str:
    """Plain columns, for a terminal."""
    rows = [("build", "status", "new runs", "open runs", "since")]
    rows += [
        (b.build_id, b.status, f"{b.percent:g} %", str(b.open_runs), f"{b.since:%Y-%m-%d %H:%M}")
        for b in builds
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


async def act(deploys: Deploys, wish: argparse.Namespace) -> int:
    """Do as the command line says, and show how the builds stand then; returns the exit code."""
    code = 0
    match wish.command:
        case "ramp":
            await deploys.ramp(wish.build, wish.percent)
        case "promote":
            await deploys.promote(wish.build)
        case "pin":
            await deploys.pin(wish.run, wish.build)
        case "release":
            await deploys.release(wish.run)
        case "drain":
            build = await deploys.drained(wish.build, wait_seconds=wish.wait)
            if build is None:
                sys.stderr.write(f"the server knows no build {wish.build}\n")
                code = REFUSED
            elif build.status in NEEDED:
                code = NOT_DRAINED
    print(table(await deploys.builds()))
    return code


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m ops.deploys", description="Builds of the workflows' code."
    )
    commands = whole.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="builds, and what is still open on each")
    ramp = commands.add_parser("ramp", help="begin a part of the new runs on a build")
    ramp.add_argument("build")
    ramp.add_argument("percent", type=_percent, help="0 to 100; 0 takes it back")
    promote = commands.add_parser("promote", help="begin all new runs on a build")
    promote.add_argument("build")
    drain = commands.add_parser("drain", help="wait until a build may be stopped")
    drain.add_argument("build")
    drain.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="default: look once"
    )
    pin = commands.add_parser("pin", help="keep one run on a build")
    pin.add_argument("run", help="its workflow id")
    pin.add_argument("build")
    release = commands.add_parser("release", help="let one run go over to the current build")
    release.add_argument("run", help="its workflow id")
    return whole


def _percent(text: str) -> float:
    percent = float(text)
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError("a percentage is from 0 to 100")
    return percent


async def run(settings: Settings, wish: argparse.Namespace) -> int:
    try:
        client = await connect(settings)
        return await act(Deploys(client, settings.worker_deployment_name), wish)
    except (RPCError, RuntimeError) as error:
        # RuntimeError is what the client raises when it can't connect.
        sys.stderr.write(f"{error}\n")
        return REFUSED


def main() -> int:
    wish = parser().parse_args()
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return asyncio.run(run(settings, wish))


if __name__ == "__main__":
    sys.exit(main())
