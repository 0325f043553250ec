"""A mail server that keeps what it is sent: `python -m devstack.catching PORT FOLDER`.

Each mail becomes one `.eml` file, whole from the moment it can be seen. Nothing leaves the
machine.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

BYTES_MAX = 10 * 1024 * 1024


class Keeper:
    """Handler of aiosmtpd: one file a mail, named by when it came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002  # aiosmtpd's name and arguments.
        content = envelope.content
        assert isinstance(content, bytes)
        name = f"{time.time_ns():020}-{next(self._numbers):06}.eml"
        draft = self._folder / f"{name}.new"
        draft.write_bytes(content)
        draft.rename(self._folder / name)
        return "250 OK"


async def catch(port: int, folder: Path) -> None:
    """Serve on loopback until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    keeper = Keeper(folder)

    def protocol() -> SMTP:
        return SMTP(keeper, data_size_limit=BYTES_MAX, enable_SMTPUTF8=True, hostname="localhost")

    server = await loop.create_server(protocol, "127.0.0.1", port)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with server:
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(catch(int(sys.argv[1]), Path(sys.argv[2])))
