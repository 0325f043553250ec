"""Letters about what staff have decided."""

from __future__ import annotations

from datetime import datetime

from domain.accounts import ApplicationState
from domain.letters.paper import (
    FORGOTTEN_PATH,
    LOGIN_PATH,
    POST_PATH,
    Letter,
    Link,
    MailFacts,
    moment_text,
)
from domain.posts import PostState


def application_decided(mail: MailFacts, url: str) -> Letter:
    if mail.facts.get("state") == ApplicationState.APPROVED:
        subject, said = "You can publish now", _approved(url)
    else:
        subject, said = "Your application", rejected(mail)
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


def rejected(mail: MailFacts) -> tuple[str, ...]:
    said = ["we can't approve your application to be a creator."]
    if reason := mail.facts.get("reason"):
        said += ["What our staff wrote:", str(reason)]
    if again_at := mail.facts.get("again_at"):
        moment = datetime.fromisoformat(str(again_at))
        said.append(f"You may apply again from {moment_text(moment)} on.")
    return tuple(said)


def post_moderated(mail: MailFacts, url: str) -> Letter:
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


def account_moderated(mail: MailFacts, url: str) -> Letter:
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
