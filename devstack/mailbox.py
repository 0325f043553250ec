"""Reading the mails that the embedded stack has caught: for the demo, tests, and people."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from devstack.mail import mail_folder

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.05
_URL = re.compile(r"https?://\S+")


class NoMail(Exception):
    """Nothing came in time."""


@dataclass(frozen=True)
class CaughtMail:
    path: Path
    to: str
    subject: str
    message_id: str
    text: str
    html: str

    @property
    def links(self) -> list[str]:
        return _URL.findall(self.text)

    @property
    def token(self) -> str:
        """The one that its link carries behind `#`.

        Raises:
            NoMail: it carries none.
        """
        for link in self.links:
            if given := parse_qs(urlsplit(link).fragment).get("token"):
                return given[0]
        raise NoMail(f"the mail {self.subject!r} to {self.to} carries no token")


class Mailbox:
    """The mails of one run directory, oldest first."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = mail_folder(run_dir)
        self._read: dict[str, CaughtMail] = {}

    def mails(self, *, to: str | None = None) -> list[CaughtMail]:
        """All, or those to one address."""
        return [mail for mail in self._all() if to is None or mail.to.lower() == to.lower()]

    def wait_for(
        self, to: str, *, subject: str = "", count: int = 1, seconds: float = WAIT_SECONDS
    ) -> CaughtMail:
        """The newest mail to an address once there are `count` of them.

        Args:
            subject: only those in whose subject it stands.

        Raises:
            NoMail: fewer have come in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            found = [mail for mail in self.mails(to=to) if subject in mail.subject]
            if len(found) >= count:
                return found[-1]
            if time.monotonic() > deadline:
                raise NoMail(f"{len(found)} of {count} mails came to {to} in {seconds:g} s")
            time.sleep(POLL_SECONDS)

    def _all(self) -> Iterator[CaughtMail]:
        for path in sorted(self._folder.glob("*.eml")):
            if path.name not in self._read:
                self._read[path.name] = _parsed(path)
            yield self._read[path.name]


def _parsed(path: Path) -> CaughtMail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return CaughtMail(
        path=path,
        to=_decoded(message["To"].addresses[0].addr_spec),
        subject=str(message["Subject"]),
        message_id=str(message["Message-ID"]),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def _decoded(text: str) -> str:
    """The parser keeps bytes beyond ASCII as surrogates; here they are UTF-8 (RFC 6531)."""
    return text.encode(errors="surrogateescape").decode()


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    content = "" if part is None else part.get_content()
    assert isinstance(content, str)
    return content
