"""Our own processes on the stack: the API and the workers."""

from __future__ import annotations

import asyncio
import http.client
import os
import sys
from collections.abc import Mapping
from urllib.request import urlopen

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from devstack.part import Launch, NotReady, Part, Place
from devstack.stripe.part import tell_of_api
from workflows.queues import Queue, queue_name

MEDIA_WORKERS = max(1, min(2, os.cpu_count() or 1))
APP_NAMES = (
    *("api", "codec", "monitor", "worker-main"),
    *(f"worker-media-{n + 1}" for n in range(MEDIA_WORKERS)),
)


class Api(Part):
    name = "api"
    port_uses = ("api",)
    stop_seconds = 15

    def prepare(self, place: Place) -> Launch:
        return Launch((sys.executable, "-m", "api"), environment=self.environment(place))

    def environment(self, place: Place) -> dict[str, str]:
        port = place.ports["api"]
        return {
            "API_HOST": place.environment.get("API_HOST", "127.0.0.1"),
            "API_PORT": str(port),
            "API_PUBLIC_URL": place.environment.get("API_PUBLIC_URL", f"http://127.0.0.1:{port}"),
        }

    def settle(self, place: Place) -> None:
        """Stripe must know where to send its webhooks."""
        url = f"http://127.0.0.1:{place.ports['api']}"
        tell_of_api(place.environment, place.keys, api_url=url)

    def check(self, environment: Mapping[str, str]) -> None:
        """`/readyz` answers 200: it reaches every part it needs."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", int(environment["API_PORT"]), timeout=5
        )
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            body = answer.read(500)
        finally:
            connection.close()
        if answer.status != 200:
            raise NotReady(f"/readyz answers {answer.status}: {body.decode(errors='replace')}")

    def address(self, environment: Mapping[str, str]) -> str:
        return environment["API_PUBLIC_URL"] + "/docs"


class Codec(Part):
    """`python -m ops.codec`, which the embedded Temporal's UI asks (`devstack/temporal.py`)."""

    name = "codec"
    port_uses = ("codec",)

    def prepare(self, place: Place) -> Launch:
        return Launch((sys.executable, "-m", "ops.codec"), environment=self.environment(place))

    def environment(self, place: Place) -> dict[str, str]:
        return {"CODEC_PORT": str(place.ports["codec"])}

    def check(self, environment: Mapping[str, str]) -> None:
        with urlopen(f"{self.address(environment)}/livez", timeout=5) as answer:
            if answer.status != 200:
                raise NotReady(f"/livez answers {answer.status}")

    def address(self, environment: Mapping[str, str]) -> str:
        return f"http://127.0.0.1:{environment['CODEC_PORT']}"


class Monitor(Part):
    """`python -m ops.monitor`; it is well when it says of a part whether that one is up."""

    name = "monitor"
    port_uses = ("monitor",)

    def prepare(self, place: Place) -> Launch:
        return Launch(
            (sys.executable, "-m", "ops.monitor"),
            environment={"METRICS_PORT": str(place.ports["monitor"])},
        )

    def environment(self, place: Place) -> dict[str, str]:
        return {"MONITOR_ADDRESS": f"127.0.0.1:{place.ports['monitor']}"}

    def check(self, environment: Mapping[str, str]) -> None:
        with urlopen(self.address(environment), timeout=5) as answer:
            if b"fansworld_monitor_up{" not in answer.read():
                raise NotReady("it has asked nobody yet")

    def address(self, environment: Mapping[str, str]) -> str:
        return f"http://{environment['MONITOR_ADDRESS']}/metrics"


class WorkerProcess(Part):
    """One `worker.py`; it is well when the Temporal server sees it poll each of its queues."""

    stop_seconds = 45
    """Longer than its own grace, so that it is its own watchdog that speaks first."""

    def __init__(self, name: str, *queues: Queue) -> None:
        self.name = name
        self.queues = queues
        self._port_use = f"{name}-metrics"

    @property
    def port_uses(self) -> tuple[str, ...]:  # type: ignore[override]  # One for each process.
        return (self._port_use,)

    def prepare(self, place: Place) -> Launch:
        queues = ",".join(queue.value for queue in self.queues)
        return Launch(
            (sys.executable, "worker.py", "--queue", queues),
            environment={
                "METRICS_PORT": str(place.ports[self._port_use]),
                # Two processes share the machine's cores here.
                "WORKER_MEDIA_SLOTS": place.environment.get("WORKER_MEDIA_SLOTS", "1"),
            },
        )

    def environment(self, place: Place) -> dict[str, str]:  # noqa: ARG002
        return {}

    def place_shown(self, place: Place) -> str:
        return f"http://127.0.0.1:{place.ports[self._port_use]}/metrics"

    def check(self, environment: Mapping[str, str]) -> None:
        asyncio.run(self._check(environment, pid=None))

    def check_process(self, environment: Mapping[str, str], *, pid: int) -> None:
        asyncio.run(self._check(environment, pid=pid))

    async def _check(self, environment: Mapping[str, str], *, pid: int | None) -> None:
        namespace = environment.get("TEMPORAL_NAMESPACE", "default")
        client = await Client.connect(environment["TEMPORAL_ADDRESS"], namespace=namespace)
        prefix = environment.get("TASK_QUEUE_PREFIX", "")
        for queue in self.queues:
            kind = (
                TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
                if queue is Queue.WORKFLOWS
                else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
            )
            name = queue_name(queue, prefix=prefix)
            answer = await client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=namespace, task_queue=TaskQueue(name=name), task_queue_type=kind
                )
            )
            # The SDK's identity is `pid@host`.
            pids = [poller.identity.partition("@")[0] for poller in answer.pollers]
            if not pids or (pid is not None and str(pid) not in pids):
                raise NotReady(f"nobody polls the task queue {name!r} yet")


def make_apps() -> tuple[Part, ...]:
    media = (
        WorkerProcess(name, Queue.MEDIA) for name in APP_NAMES if name.startswith("worker-media")
    )
    return (
        Api(),
        Codec(),
        Monitor(),
        WorkerProcess("worker-main", Queue.WORKFLOWS, Queue.IO, Queue.MONEY),
        *media,
    )
