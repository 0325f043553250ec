"""The mail server of the embedded stack: it keeps every mail and delivers none."""

from __future__ import annotations

import smtplib
import sys
from collections.abc import Mapping
from pathlib import Path

from devstack.part import Launch, Part, Place


def mail_folder(run_dir: Path) -> Path:
    """Where caught mails lie; `devstack/mailbox.py` reads them."""
    return run_dir / "mail"


class Mail(Part):
    name = "mail"
    settings = ("SMTP_HOST", "SMTP_PORT", "SMTP_SECURITY")
    port_uses = ("smtp",)
    stop_seconds = 5
    advice = "run `uv sync` (aiosmtpd is the server)"

    def prepare(self, place: Place) -> Launch:
        folder = mail_folder(place.run_dir)
        # The links in mails open accounts.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = str(place.ports["smtp"])
        return Launch((sys.executable, "-m", "devstack.catching", port, str(folder)))

    def environment(self, place: Place) -> dict[str, str]:
        return {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(place.ports["smtp"]),
            "SMTP_SECURITY": "none",
        }

    def check(self, environment: Mapping[str, str]) -> None:
        """It greets, and it knows the mail commands."""
        tls = environment.get("SMTP_SECURITY") == "tls"
        connect = smtplib.SMTP_SSL if tls else smtplib.SMTP
        port = int(environment.get("SMTP_PORT", "25"))
        with connect(environment["SMTP_HOST"], port, timeout=5) as connection:
            connection.ehlo_or_helo_if_needed()
            connection.noop()

    def address(self, environment: Mapping[str, str]) -> str:
        return f"smtp://{environment['SMTP_HOST']}:{environment.get('SMTP_PORT', '25')}"
