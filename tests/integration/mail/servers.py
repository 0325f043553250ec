"""Mail servers that do as a test says."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Scripted:
    """Answers as told; keeps what it was sent."""

    rcpt: list[str] = field(default_factory=list)
    """Answers to the next recipients; afterwards all are taken."""
    data: list[str] = field(default_factory=list)
    """Answers to the next contents; `cut` takes it and breaks the connection, `hang` takes it
    and never says so."""
    sender: list[str] = field(default_factory=list)
    taken: list[EmailMessage] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)
    tries: int = 0
    port: int = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tries += 1
        if self.sender:
            return self.sender.pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.data.pop(0) if self.data else "250 OK"
        if answer in ("cut", "hang") or answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
            self.came.set()
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == "cut":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return answer


@asynccontextmanager
async def serving(script: Scripted) -> AsyncIterator[Scripted]:
    """`script` behind a free port on loopback."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", script.port)) as listener:
        script.port = listener.getsockname()[1]
        server = await loop.create_server(
            lambda: SMTP(script, enable_SMTPUTF8=True, hostname="localhost"), sock=listener
        )
        async with server:
            yield script
