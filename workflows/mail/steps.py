"""Side effects that mail workflows ask for. Implementations: `activities/mail/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.mail.messages import GiveUpMail, MailEnd, MailOrder


@declare
def send_mail(order: MailOrder) -> MailEnd:
    """Hand a mail to the mail server, unless it was sent already or is of no use any more."""
    raise NotImplementedError


@declare
def give_up_mail(order: GiveUpMail) -> None:
    """Note that a mail will not be sent, so that no sweep starts it again."""
    raise NotImplementedError
