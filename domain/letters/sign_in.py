"""Letters about an account and the ways to sign in to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from domain.letters.paper import (
    CHANGE_EMAIL_PATH,
    FORGOTTEN_PATH,
    LOGIN_PATH,
    RESET_PATH,
    SECURITY_PATH,
    VERIFY_PATH,
    Letter,
    Link,
    MailFacts,
    moment_text,
)
from domain.mails import SecurityEvent, mail_token

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


def verify(mail: MailFacts, url: str, key: bytes) -> Letter:
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


def already_registered(mail: MailFacts, url: str) -> Letter:
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


def change_email(mail: MailFacts, url: str, key: bytes) -> Letter:
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


def reset(mail: MailFacts, url: str, key: bytes) -> Letter:
    link = Link("Set a new password", f"{url}{RESET_PATH}#token={_token(mail, key)}")
    if mail.facts.get("invitation"):
        return invitation(mail, link)
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


def invitation(mail: MailFacts, link: Link) -> Letter:
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


def security_notice(mail: MailFacts, url: str) -> Letter:
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
            "\n".join([f"Time: {moment_text(mail.created_at)}", *known]),
            "If it was you, all is well. If it was not, set a new password now. That signs out "
            "all devices, whoever holds them:",
            Link("Set a new password", f"{url}{FORGOTTEN_PATH}"),
            "Then look at what else may sign in to your account:",
            Link("Security settings", f"{url}{SECURITY_PATH}"),
        ),
    )


def _token(mail: MailFacts, key: bytes) -> str:
    return mail_token(mail.mail_id, kind=mail.kind, key=key)


def _once_until(moment: datetime | None) -> str:
    if moment is None:
        return "The link works once."
    return f"The link works once, until {moment_text(moment)}."


def _one_line(fact: object) -> str:
    """What a client said of itself, without the room for a message of its own."""
    return " ".join(str(fact).split())[:100]
