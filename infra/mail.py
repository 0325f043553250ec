"""Handing mails to a mail server (RFC 5321), and telling which refusals are for good."""

from __future__ import annotations

import re
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import aiosmtplib

from domain.errors import Unavailable
from domain.letters import Letter
from infra.models import Mail
from infra.settings import Settings

SEND_SECONDS = 20.0
"""For one answer of the server."""
_OUR_FAULTS = (
    aiosmtplib.SMTPSenderRefused,
    aiosmtplib.SMTPAuthenticationError,
    aiosmtplib.SMTPNotSupported,
    ssl.SSLCertVerificationError,
)
"""Besides the bare SMTPException that aiosmtplib raises where a server offers no STARTTLS."""
_ENHANCED_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class MailRefused(Exception):
    """The server refuses this mail for good: no such mailbox, or a content that it won't take.

    Says its status (`550 5.1.1`) and none of its words, which tend to name the address.
    """

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


def compose(settings: Settings, mail: Mail, letter: Letter) -> EmailMessage:
    """The same bytes for the same row, whenever it is sent.

    So a mail that was sent twice (its sender died before it could note that it was sent) has
    the same Message-ID, and mailboxes show it once.
    """
    name, sender = parseaddr(settings.mail_from)
    message = EmailMessage()
    message["From"] = Address(name, addr_spec=sender)
    local, _, domain = mail.address.rpartition("@")
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers.
    message.set_content(letter.as_text())
    message.add_alternative(letter.as_html(), subtype="html")
    message.set_boundary(f"={mail.id}=")
    return message


async def send(settings: Settings, message: EmailMessage) -> None:
    """Hand a message over; returns when the server has taken it.

    Raises:
        MailRefused: the recipient or the content was refused with 5xx.
        Unavailable: `mail_server_unavailable` for anything that may pass, and
            `mail_server_refuses_us` where our settings or our standing are the cause.
    """
    password = settings.smtp_password
    try:
        await aiosmtplib.send(
            message,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=SEND_SECONDS,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0]) from None
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(error) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        if isinstance(error, _OUR_FAULTS) or type(error) is aiosmtplib.SMTPException:
            raise Unavailable(
                f"The mail server refuses us: {_status(error)}.", code="mail_server_refuses_us"
            ) from None
        raise Unavailable(
            f"The mail server did not take the mail: {_status(error)}.",
            code="mail_server_unavailable",
        ) from None


def _refusal(error: aiosmtplib.SMTPResponseException) -> MailRefused | Unavailable:
    """4xx asks for another try (RFC 5321 §4.2.1), 5xx for none."""
    if error.code >= 500:
        return MailRefused(_status(error))
    return Unavailable(
        f"The mail server puts us off: {_status(error)}.", code="mail_server_unavailable"
    )


def _status(error: Exception) -> str:
    """What may be told of an error: numbers and names, no words of the server."""
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return type(error).__name__
    enhanced = _ENHANCED_STATUS.match(error.message)
    return f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
