"""What mails say: as plain text, and the same as simple HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.accounts import ApplicationState
from domain.auth import MailKind
from domain.mails import SecurityEvent, mail_token
from domain.posts import PostState
from domain.subscriptions.notices import notice_text

VERIFY_PATH = "/verify-email"
CHANGE_EMAIL_PATH = "/change-email"
RESET_PATH = "/reset-password"
LOGIN_PATH = "/login"
FORGOTTEN_PATH = "/forgot-password"
SECURITY_PATH = "/settings/security"
POST_PATH = "/posts"
SUBSCRIPTIONS_PATH = "/settings/subscriptions"
PAYOUTS_PATH = "/settings/payouts"
PURCHASES_PATH = "/purchases"
EARNINGS_PATH = "/earnings"

WHAT_HAPPENED: Mapping[str, str] = {
    SecurityEvent.PASSWORD_CHANGED: "Your password was changed.",
    SecurityEvent.PASSWORD_RESET: "Your password was set anew by a link from a mail.",
    SecurityEvent.EMAIL_CHANGE_ASKED: (
        "Somebody who is signed in to your account asked to move it to another e-mail address. "
        "Nothing has changed yet: a link was mailed to the new address, and counts as long as "
        "that device stays signed in."
    ),
    SecurityEvent.EMAIL_CHANGED: (
        "Your account was moved to another e-mail address. Mail no longer goes to this one."
    ),
    SecurityEvent.TOTP_ADDED: "An authenticator app was added to your account.",
    SecurityEvent.TOTP_REMOVED: "The authenticator app was removed from your account.",
    SecurityEvent.RECOVERY_CODES_RENEWED: "New recovery codes were made; the old ones are void.",
    SecurityEvent.RECOVERY_CODE_USED: "Somebody signed in with one of your recovery codes.",
    SecurityEvent.PASSKEY_ADDED: "A passkey was added to your account.",
    SecurityEvent.PASSKEY_REMOVED: "A passkey was removed from your account.",
    SecurityEvent.PASSKEY_COPIED: (
        "Somebody tried to sign in with a copy of one of your passkeys. We have refused it. "
        "Please remove this passkey and make a new one."
    ),
    SecurityEvent.FACTORS_RESET: (
        "Our staff has removed all second factors from your account, and signed all devices out. "
        "Sign in with your password, and add a new factor."
    ),
    SecurityEvent.SESSION_STOLEN: (
        "One of your sign-ins was used from two places at once, as happens when it was stolen. "
        "We have ended it."
    ),
}
_SOMETHING_ELSE = "The way you sign in was changed."


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    parts: tuple[str | Link, ...]
    """Paragraphs and links, in order."""

    def as_text(self) -> str:
        lines = [
            f"{part.label}:\n{part.url}" if isinstance(part, Link) else part for part in self.parts
        ]
        return "\n\n".join(lines) + "\n"

    def as_html(self) -> str:
        body = "\n".join(_html_of(part) for part in self.parts)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{html.escape(self.subject)}</title></head>\n"
            '<body style="font: 16px/1.5 sans-serif; max-width: 34em; margin: 2em auto">\n'
            f"{body}\n</body></html>\n"
        )


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What a mail's row and its reader's account say."""

    mail_id: str
    kind: MailKind
    handle: str
    created_at: datetime
    expires_at: datetime | None
    facts: Mapping[str, Any]
    """Of a new password: `invitation`, where the account was made for its reader.
    Of a security notice: `event` (a `SecurityEvent`), and where known `device` and `ip`.
    Of a decision on an application: `state`, and with a rejection `reason` and `again_at`.
    Of a post that was taken down or is shown again: its `state`, `post_id` and the `reason`.
    Of a refund: its `amount`, its `state` (`made` or `failed`) and whose sale it was (`creator`);
    of a refunded sale its `amount`; of a dispute its `amount` and `state`: `opened`, `won` or
    `lost`.
    Of a payout: its `amount` as people write it, and where it failed what that means (`why`).
    Of an account that was shut or opened again: its `state`, `suspended` or `reinstated`, and
    the `reason`.
    Of a subscription: see `domain/subscriptions/notices.py`."""


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
            return _verify(mail, url, key)
        case MailKind.ALREADY_REGISTERED:
            return _already_registered(mail, url)
        case MailKind.RESET_PASSWORD:
            return _reset(mail, url, key)
        case MailKind.CHANGE_EMAIL:
            return _change_email(mail, url, key)
        case MailKind.SECURITY_NOTICE:
            return _security_notice(mail, url)
        case MailKind.APPLICATION_DECIDED:
            return _application_decided(mail, url)
        case MailKind.POST_MODERATED:
            return _post_moderated(mail, url)
        case MailKind.ACCOUNT_MODERATED:
            return _account_moderated(mail, url)
        case MailKind.PAYOUT_PAID | MailKind.PAYOUT_FAILED | MailKind.PAYOUT_ACCOUNT:
            return _payout(mail, url)
        case MailKind.REFUND:
            return _refund(mail, url)
        case MailKind.SALE_REFUNDED:
            return _sale_refunded(mail, url)
        case MailKind.DISPUTE:
            return _dispute(mail, url)
        case MailKind.SUBSCRIPTION:
            return _subscription(mail, url)


def _verify(mail: MailFacts, url: str, key: bytes) -> Letter:
    return Letter(
        "Confirm your e-mail address",
        (
            f"Hello {mail.handle},",
            "welcome to fansworld. Please confirm that this address is yours:",
            Link("Confirm my address", f"{url}{VERIFY_PATH}#token={_token(mail, key)}"),
            _once_until(mail.expires_at),
            f"It is for the account named {mail.handle}. If you did not open this one yourself, "
            "do not follow the link: whoever did knows its password. Without this step it is "
            "removed by itself.",
        ),
    )


def _already_registered(mail: MailFacts, url: str) -> Letter:
    return Letter(
        "You already have an account",
        (
            f"Hello {mail.handle},",
            "somebody has just tried to open an account with this address, or to move one to it. "
            "You have one already, so nothing was done.",
            "If it was you, sign in as usual:",
            Link("Sign in", f"{url}{LOGIN_PATH}"),
            "or set a new password if you have forgotten yours:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
            "If it was not you, you need not do anything. Nobody has learnt that this address "
            "has an account.",
        ),
    )


def _change_email(mail: MailFacts, url: str, key: bytes) -> Letter:
    return Letter(
        "Confirm your new e-mail address",
        (
            f"Hello {mail.handle},",
            f"you asked us to move the account named {mail.handle} to this address. Please confirm "
            "that it is yours:",
            Link("Use this address", f"{url}{CHANGE_EMAIL_PATH}#token={_token(mail, key)}"),
            _once_until(mail.expires_at),
            "If you did not ask for this, or this is not your account, do not follow the link: "
            "without this step the account keeps its old address.",
        ),
    )


def _reset(mail: MailFacts, url: str, key: bytes) -> Letter:
    link = Link("Set a new password", f"{url}{RESET_PATH}#token={_token(mail, key)}")
    if mail.facts.get("invitation"):
        return _invitation(mail, link)
    return Letter(
        "Set a new password",
        (
            f"Hello {mail.handle},",
            "you asked for a way to set a new password. Here it is:",
            link,
            _once_until(mail.expires_at),
            "When you set a new password, all your devices are signed out.",
            "If you did not ask for this, you need not do anything: your password stays as it is.",
        ),
    )


def _invitation(mail: MailFacts, link: Link) -> Letter:
    """Of an account that whoever runs the platform has made for somebody."""
    return Letter(
        "Your account on fansworld",
        (
            f"Hello {mail.handle},",
            "an account on fansworld was made for you. Choose a password for it:",
            link,
            _once_until(mail.expires_at),
            "If you are to work as staff, sign in then and add a second factor in the security "
            "settings. Without one, nothing that is for staff opens.",
            "If this was not meant for you, please let us know, and do not follow the link.",
        ),
    )


def _security_notice(mail: MailFacts, url: str) -> Letter:
    what = WHAT_HAPPENED.get(str(mail.facts.get("event")), _SOMETHING_ELSE)
    known = [
        f"{label}: {_one_line(mail.facts[name])}"
        for label, name in (("Device", "device"), ("Address", "ip"))
        if mail.facts.get(name)
    ]
    return Letter(
        "Your account's security",
        (
            f"Hello {mail.handle},",
            what,
            "\n".join([f"Time: {_moment(mail.created_at)}", *known]),
            "If it was you, all is well. If it was not, set a new password now. That signs out "
            "all devices, whoever holds them:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
            "Then look at what else may sign in to your account:",
            Link("Security settings", f"{url}{SECURITY_PATH}"),
        ),
    )


def _application_decided(mail: MailFacts, url: str) -> Letter:
    if mail.facts.get("state") == ApplicationState.APPROVED:
        subject, said = "You can publish now", _approved(url)
    else:
        subject, said = "Your application", _rejected(mail)
    return Letter(
        subject,
        (
            f"Hello {mail.handle},",
            *said,
            "If you did not apply, somebody else uses your account. Set a new password:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
        ),
    )


def _approved(url: str) -> tuple[str | Link, ...]:
    return (
        "your application to be a creator was approved. You can publish from now on.",
        Link("Begin", url),
    )


def _rejected(mail: MailFacts) -> tuple[str, ...]:
    said = ["we can't approve your application to be a creator."]
    if reason := mail.facts.get("reason"):
        said += ["What our staff wrote:", str(reason)]
    if again_at := mail.facts.get("again_at"):
        moment = datetime.fromisoformat(str(again_at))
        said.append(f"You may apply again from {_moment(moment)} on.")
    return tuple(said)


def _post_moderated(mail: MailFacts, url: str) -> Letter:
    if mail.facts.get("state") == PostState.TAKEN_DOWN:
        subject = "Your post was taken down"
        said = "our staff took one of your posts down. Nobody but you sees it now."
    else:
        subject = "Your post is back"
        said = "our staff show one of your posts again. It stands where it stood."
    link = Link("Your post", f"{url}{POST_PATH}/{mail.facts.get('post_id')}")
    return Letter(
        subject,
        (
            f"Hello {mail.handle},",
            said,
            link,
            f"What our staff wrote: {mail.facts.get('reason')}",
            "If it was not you who published it, somebody else uses your account. Set a new "
            "password:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
        ),
    )


def _account_moderated(mail: MailFacts, url: str) -> Letter:
    wrote = f"What our staff wrote: {mail.facts.get('reason')}"
    if mail.facts.get("state") == "suspended":
        return Letter(
            "Your account is suspended",
            (
                f"Hello {mail.handle},",
                "our staff has suspended your account. All your devices are signed out, nobody "
                "can sign in, and nobody sees what you have published.",
                wrote,
                "If this was not right, please let us know.",
            ),
        )
    return Letter(
        "Your account is open again",
        (
            f"Hello {mail.handle},",
            "our staff has opened your account again, as it was before. Please sign in anew:",
            Link("Sign in", f"{url}{LOGIN_PATH}"),
            wrote,
            "If what it was suspended for was not you, set a new password first:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
        ),
    )


def _payout(mail: MailFacts, url: str) -> Letter:
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


def _refund(mail: MailFacts, url: str) -> Letter:
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


def _sale_refunded(mail: MailFacts, url: str) -> Letter:
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


def _dispute(mail: MailFacts, url: str) -> Letter:
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


def _subscription(mail: MailFacts, url: str) -> Letter:
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


def _token(mail: MailFacts, key: bytes) -> str:
    return mail_token(mail.mail_id, kind=mail.kind, key=key)


def _once_until(moment: datetime | None) -> str:
    if moment is None:
        return "The link works once."
    return f"The link works once, until {_moment(moment)}."


def _moment(moment: datetime) -> str:
    """As people write it, in words that no country reads the other way round."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _one_line(fact: object) -> str:
    """What a client said of itself, without the room for a message of its own."""
    return " ".join(str(fact).split())[:100]


def _html_of(part: str | Link) -> str:
    if isinstance(part, Link):
        return f'<p><a href="{html.escape(part.url)}">{html.escape(part.label)}</a></p>'
    return f"<p>{html.escape(part).replace(chr(10), '<br>')}</p>"
