"""What the SDK's client sends over the network, taken in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from google.protobuf.message import Message
from temporalio.service import ConnectConfig, RPCStatusCode, ServiceClient

from simulation.temporal.answers import ANSWERS
from simulation.temporal.refusals import error

if TYPE_CHECKING:
    from simulation.temporal.server import SimulatedTemporal

M = TypeVar("M", bound=Message)


class Lost(Enum):
    """Where a call to the server is cut off; the caller gets `UNAVAILABLE` either way."""

    REQUEST = "request"
    RESPONSE = "response"


class Waiting:
    """Calls that wait until something is so."""

    def __init__(self) -> None:
        self._waits: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        """Of those that go on waiting: who was let go, or gave up, leaves when its task runs."""
        return sum(not future.done() for _, future in self._waits)

    async def until(self, condition: Callable[[], bool]) -> None:
        if not condition():
            wait = (condition, asyncio.get_running_loop().create_future())
            self._waits.append(wait)
            self._arrived.set()
            try:
                await wait[1]
            finally:
                self._forget(wait)

    def look(self) -> None:
        """Let go on whoever has waited for what is so now."""
        for condition, future in self._waits:
            if not future.done() and condition():
                future.set_result(None)

    async def somebody(self) -> None:
        """Return once somebody waits."""
        await self._arrived.wait()

    def _forget(self, wait: tuple[Callable[[], bool], asyncio.Future[None]]) -> None:
        if wait in self._waits:
            self._waits.remove(wait)
        if not self._waits:
            self._arrived.clear()


@dataclass(eq=False)
class SimulatedService(ServiceClient):
    """The calls that this platform makes; any other is refused as not implemented.

    `lose(rpc)` is asked at each call whether it is cut off.
    """

    server: SimulatedTemporal
    lose: Callable[[str], Lost | None] = field(default=lambda _rpc: None)

    def __post_init__(self) -> None:
        super().__init__(ConnectConfig(target_host="simulated:7233", identity="simulation"))

    @property
    def worker_service_client(self) -> NoReturn:
        raise RuntimeError("the simulated server has its workers within")

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        del metadata

    def update_api_key(self, api_key: str | None) -> None:
        del api_key

    async def _rpc_call(
        self,
        rpc: str,
        req: Message,
        resp_type: type[M],
        *,
        service: str,
        retry: bool,
        metadata: Mapping[str, str | bytes],
        timeout: timedelta | None,
    ) -> M:
        del resp_type, service, retry, metadata
        answer = ANSWERS.get(rpc)
        if answer is None:
            raise error(RPCStatusCode.UNIMPLEMENTED, f"the simulated server has no {rpc}")
        lost = self.lose(rpc)
        if lost is Lost.REQUEST:
            raise error(RPCStatusCode.UNAVAILABLE, "the request was lost")
        response = await self._in_time(answer(self.server, req), timeout)
        if lost is Lost.RESPONSE:
            raise error(RPCStatusCode.UNAVAILABLE, "the response was lost")
        return cast(M, response)

    async def _in_time(
        self, answering: Coroutine[Any, Any, Message], timeout: timedelta | None
    ) -> Message:
        """By the virtual clock: who waits for a run waits while others let time pass."""
        if timeout is None:
            return await answering
        task = asyncio.ensure_future(answering)
        late = False

        def give_up() -> None:
            nonlocal late
            late = task.cancel()

        alarm = self.server.clock.after(timeout, give_up)
        try:
            return await task
        except asyncio.CancelledError:
            if not late:
                raise
            raise error(RPCStatusCode.DEADLINE_EXCEEDED, "the run did not answer in time") from None
        finally:
            alarm.cancel()
