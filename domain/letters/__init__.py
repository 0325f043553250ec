"""What mails say: as plain text, and the same as simple HTML. One module a matter."""

from __future__ import annotations

from domain.auth import MailKind
from domain.letters import money, office, sign_in
from domain.letters.paper import PAYOUTS_PATH, Letter, Link, MailFacts
from domain.letters.sign_in import WHAT_HAPPENED

__all__ = ["PAYOUTS_PATH", "WHAT_HAPPENED", "Letter", "Link", "MailFacts", "letter_for"]


def letter_for(mail: MailFacts, *, app_url: str, key: bytes) -> Letter:
    """The letter of a mail. Links carry their token behind `#`: a browser sends that part to
    no server, so it lands in no log on the way.

    Args:
        app_url: where people use the platform.
        key: `URL_SIGNING_KEY`, of which tokens are made.
    """
    url = app_url.rstrip("/")
    match mail.kind:
        case MailKind.VERIFY_EMAIL:
            return sign_in.verify(mail, url, key)
        case MailKind.ALREADY_REGISTERED:
            return sign_in.already_registered(mail, url)
        case MailKind.RESET_PASSWORD:
            return sign_in.reset(mail, url, key)
        case MailKind.CHANGE_EMAIL:
            return sign_in.change_email(mail, url, key)
        case MailKind.SECURITY_NOTICE:
            return sign_in.security_notice(mail, url)
        case MailKind.APPLICATION_DECIDED:
            return office.application_decided(mail, url)
        case MailKind.POST_MODERATED:
            return office.post_moderated(mail, url)
        case MailKind.ACCOUNT_MODERATED:
            return office.account_moderated(mail, url)
        case MailKind.PAYOUT_PAID | MailKind.PAYOUT_FAILED | MailKind.PAYOUT_ACCOUNT:
            return money.payout(mail, url)
        case MailKind.REFUND:
            return money.refund(mail, url)
        case MailKind.SALE_REFUNDED:
            return money.sale_refunded(mail, url)
        case MailKind.DISPUTE:
            return money.dispute(mail, url)
        case MailKind.SUBSCRIPTION:
            return money.subscription(mail, url)
