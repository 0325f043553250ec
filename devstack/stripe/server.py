"""The local Stripe on a port of this machine: `python -m devstack.stripe.server PORT FOLDER`.

Its clock goes with the wall clock, plus what it was moved ahead. HTTP is spoken on asyncio's
streams, so that an answer can be lost as a cut connection loses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from devstack.stripe.core import Answer, LocalStripe
from devstack.stripe.webhooks import Delivery
from devstack.stripe.world import Config

BODY_BYTES_MAX = 10 * 1024 * 1024
TICK_SECONDS = 0.1
SENDERS = 4
SEND_TIMEOUT_SECONDS = 10
_REASONS = {200: "OK", 303: "See Other"}


@dataclass
class Sending:
    """How webhooks are sent: each `copies` times, in the order of what happened or `shuffled`."""

    copies: int = 1
    shuffled: bool = False
    paused: bool = False


class Server:
    """Serves one `LocalStripe` on loopback, and sends its webhooks."""

    def __init__(self, local: LocalStripe) -> None:
        self._local = local
        self._ahead = max(0, local.now - int(time.time()))
        self._under_way: set[str] = set()
        self._slots = asyncio.Semaphore(SENDERS)
        self._tasks: set[asyncio.Task[None]] = set()
        self.sending = Sending()

    async def serve(self, port: int) -> None:
        """Until SIGTERM or SIGINT."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        sender = asyncio.create_task(self._send_for_ever())
        try:
            await stopping.wait()
        finally:
            sender.cancel()
            server.close()
            self._local.close()

    # --- the clock -----------------------------------------------------------------------

    def _keep_time(self) -> None:
        now = int(time.time()) + self._ahead
        if now > self._local.now:
            self._local.move_to(now)

    # --- HTTP ----------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await _read(reader):
                answer = await self._answer(*request)
                if answer.delay_seconds:
                    await asyncio.sleep(answer.delay_seconds)
                if answer.lost:
                    break
                writer.write(_written(answer))
                await writer.drain()
        writer.close()

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        self._keep_time()
        path = target.partition("?")[0]
        if path.startswith("/_control/"):
            return self._control(path.removeprefix("/_control/"), body)
        if path.startswith("/_pages/"):
            return self._local.page(method, path, body)
        return self._local.handle(method, target, headers, body)

    def _control(self, name: str, body: bytes) -> Answer:
        arguments = json.loads(body) if body else {}
        if name == "sending":
            for option, value in arguments.items():
                setattr(self.sending, option, value)
            return Answer(200, {"Content-Type": "application/json"}, b"{}")
        answer = self._local.answer_control(name, arguments)
        self._ahead = max(0, self._local.now - int(time.time()))
        return answer

    # --- webhooks ------------------------------------------------------------------------

    async def _send_for_ever(self) -> None:
        while True:
            self._keep_time()
            if not self.sending.paused:
                # A clock that was moved ahead must not make signatures that come from the future.
                found = self._local.due_deliveries(signed_at=int(time.time()))
                due = [row for row in found if row.id not in self._under_way]
                if self.sending.shuffled:
                    random.shuffle(due)
                for delivery in due:
                    self._under_way.add(delivery.id)
                    task = asyncio.create_task(self._send(delivery, copies=self.sending.copies))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(TICK_SECONDS)

    async def _send(self, delivery: Delivery, *, copies: int) -> None:
        async with self._slots:
            status = 0
            for _ in range(max(1, copies)):
                status = await asyncio.to_thread(_post, delivery)
        self._local.delivered(delivery.id, status)
        self._under_way.discard(delivery.id)


def _post(delivery: Delivery) -> int:
    """Send one webhook: the status of the answer, 0 for none."""
    request = urllib.request.Request(
        delivery.url, data=delivery.body, headers=delivery.headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=SEND_TIMEOUT_SECONDS) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        # Nobody answers there, or not in time; it is tried again later.
        return 0


async def _read(
    reader: asyncio.StreamReader,
) -> tuple[str, str, dict[str, str], bytes] | None:
    """One request: method, target, headers, body; None when the client has gone."""
    line = await reader.readline()
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if length > BODY_BYTES_MAX:
        return None
    return method, target, headers, await reader.readexactly(length)


def _written(answer: Answer) -> bytes:
    """The answer as HTTP/1.1 (RFC 9112)."""
    reason = _REASONS.get(answer.status, "Status")
    lines = [f"HTTP/1.1 {answer.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines += [f"Content-Length: {len(answer.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + answer.body


def main(port: int, folder: Path) -> None:
    """Serve the Stripe that lives in `folder`; its secret key comes from STRIPE_SECRET_KEY."""
    config = Config(secret_key=os.environ["STRIPE_SECRET_KEY"], base_url=f"http://127.0.0.1:{port}")
    local = LocalStripe(
        now=int(time.time()),
        seed=os.urandom(16).hex(),
        config=config,
        path=folder / "stripe.sqlite",
    )

    async def run() -> None:
        await Server(local).serve(port)

    asyncio.run(run())


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
