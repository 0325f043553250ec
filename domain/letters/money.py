"""Letters about payouts, refunds, disputes and subscriptions."""

from __future__ import annotations

from collections.abc import Mapping

from domain.auth import MailKind
from domain.letters.paper import (
    EARNINGS_PATH,
    FORGOTTEN_PATH,
    PAYOUTS_PATH,
    PURCHASES_PATH,
    SUBSCRIPTIONS_PATH,
    Letter,
    Link,
    MailFacts,
)
from domain.subscriptions.notices import notice_text


def payout(mail: MailFacts, url: str) -> Letter:
    amount = mail.facts.get("amount")
    match mail.kind:
        case MailKind.PAYOUT_PAID:
            subject = "Your payout is on your account"
            said = f"our payment processor says that {amount} has reached your bank."
        case MailKind.PAYOUT_FAILED:
            subject = "A payout did not go through"
            said = f"your payout of {amount} did not go through. {mail.facts.get('why')}"
        case _:
            subject = "Your payout account needs something"
            said = (
                "our payment processor asks for something before it pays you out. What it is, and "
                "until when, stands in its form, which you reach from here:"
            )
    return Letter(
        subject,
        (
            f"Hello {mail.handle},",
            said,
            Link("Your payouts", f"{url}{PAYOUTS_PATH}"),
            "If you did not set up payouts, somebody else uses your account. Set a new password:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
        ),
    )


def refund(mail: MailFacts, url: str) -> Letter:
    amount, creator = mail.facts.get("amount"), mail.facts.get("creator")
    if mail.facts.get("state") == "failed":
        subject = "Your refund did not arrive"
        said = (
            f"your bank did not take the refund of {amount} that we sent, as happens when a card "
            "was closed. The money is safe with us. Our staff will get in touch with you."
        )
    else:
        subject = "You get a payment back"
        said = (
            f"{amount} that you paid to {creator} goes back to the card you paid with. Banks take "
            "up to ten days to show it."
        )
    return Letter(
        subject,
        (
            f"Hello {mail.handle},",
            said,
            Link("Your purchases", f"{url}{PURCHASES_PATH}"),
            "If you did not make this payment, somebody else uses your account:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
        ),
    )


def sale_refunded(mail: MailFacts, url: str) -> Letter:
    return Letter(
        "A sale was refunded",
        (
            f"Hello {mail.handle},",
            f"{mail.facts.get('amount')} of one of your sales went back to the fan. Your share of "
            "it was taken from your earnings, and ours from us.",
            Link("Your earnings", f"{url}{EARNINGS_PATH}"),
            "Our staff did that, or our payment processor. If it was not right, please tell us.",
        ),
    )


_DISPUTES: Mapping[str, tuple[str, str]] = {
    "opened": (
        "A fan disputes a payment",
        "a fan has told their bank that they do not recognise a payment of {amount} to you, or did "
        "not get what it was for. The bank took it back for now, so your share of it is held. We "
        "answer the bank with what we know. That may take up to three months.",
    ),
    "won": (
        "A disputed payment is yours again",
        "the bank has decided that the payment of {amount} was right. Your share of it is yours "
        "again.",
    ),
    "lost": (
        "A disputed payment was taken back",
        "the bank has decided that the fan gets their {amount} back. Your share of it is gone from "
        "your earnings, and the fan has lost what it was for.",
    ),
}


def dispute(mail: MailFacts, url: str) -> Letter:
    subject, said = _DISPUTES[mail.facts.get("state", "opened")]
    return Letter(
        subject,
        (
            f"Hello {mail.handle},",
            said.format(amount=mail.facts.get("amount")),
            Link("Your earnings", f"{url}{EARNINGS_PATH}"),
            "If it was not a sale of yours, please tell us.",
        ),
    )


def subscription(mail: MailFacts, url: str) -> Letter:
    subject, said = notice_text(mail.facts)
    link = Link("Your subscriptions", f"{url}{SUBSCRIPTIONS_PATH}")
    return Letter(
        subject,
        (
            f"Hello {mail.handle},",
            *said,
            link,
            "If you did not subscribe, somebody else uses your account. Set a new password:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
        ),
    )
