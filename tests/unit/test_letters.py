"""What mails say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.auth import MailKind
from domain.letters import WHAT_HAPPENED, Letter, MailFacts, letter_for
from domain.mails import SecurityEvent, mail_token

KEY = bytes(32)
MAIL_ID = "0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a"


def letter(kind: MailKind, **facts: Any) -> Letter:
    mail = MailFacts(
        mail_id=MAIL_ID,
        kind=kind,
        handle="mia",
        created_at=datetime(2026, 3, 1, 13, 5, tzinfo=UTC),
        expires_at=datetime(2026, 3, 2, 13, 5, tzinfo=UTC),
        facts=facts,
    )
    return letter_for(mail, app_url="https://fansworld.example/", key=KEY)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (MailKind.VERIFY_EMAIL, "/verify-email"),
        (MailKind.CHANGE_EMAIL, "/change-email"),
        (MailKind.RESET_PASSWORD, "/reset-password"),
    ],
)
def test_links_carry_the_token_where_no_server_sees_it(kind: MailKind, path: str) -> None:
    written = letter(kind)
    link = f"https://fansworld.example{path}#token={mail_token(MAIL_ID, kind=kind, key=KEY)}"
    assert f"\n{link}\n" in written.as_text()
    assert f'href="{link}"' in written.as_html()
    assert "once, until 2 March 2026, 13:05 UTC" in written.as_text()


@pytest.mark.parametrize("kind", [MailKind.VERIFY_EMAIL, MailKind.CHANGE_EMAIL])
def test_who_gives_an_account_their_address_hears_which_and_not_to_for_a_strangers(
    kind: MailKind,
) -> None:
    text = letter(kind).as_text()
    assert "the account named mia" in text
    assert "do not follow the link" in text


@pytest.mark.parametrize(
    "kind",
    [
        MailKind.ALREADY_REGISTERED,
        MailKind.SECURITY_NOTICE,
        MailKind.APPLICATION_DECIDED,
        MailKind.POST_MODERATED,
        MailKind.ACCOUNT_MODERATED,
    ],
)
def test_other_mails_carry_no_token(kind: MailKind) -> None:
    assert "token" not in letter(kind).as_text()


@pytest.mark.parametrize("kind", list(MailKind))
def test_every_mail_greets_by_handle_and_says_what_to_do_if_it_was_somebody_else(
    kind: MailKind,
) -> None:
    text = letter(kind).as_text()
    assert text.startswith("Hello mia,\n")
    assert any(words in text for words in ("did not", "was not"))


def test_an_invitation_says_that_the_account_was_made_for_its_reader() -> None:
    text = letter(MailKind.RESET_PASSWORD, invitation=True).as_text()
    assert "was made for you" in text and "second factor" in text
    assert "/reset-password#token=" in text


def test_every_event_has_its_sentence() -> None:
    assert WHAT_HAPPENED.keys() == set(SecurityEvent)


def test_a_notice_says_what_happened_when_and_where() -> None:
    notice = letter(
        MailKind.SECURITY_NOTICE, event="passkey_added", device="Firefox on Linux", ip="192.0.2.1"
    )
    assert "A passkey was added" in notice.as_text()
    assert (
        "Time: 1 March 2026, 13:05 UTC\nDevice: Firefox on Linux\nAddress: 192.0.2.1"
        in notice.as_text()
    )


def test_who_may_publish_now_hears_so() -> None:
    approved = letter(MailKind.APPLICATION_DECIDED, state="approved")
    assert approved.subject == "You can publish now"
    assert "was approved" in approved.as_text()


def test_who_may_not_publish_hears_why_and_when_to_ask_again() -> None:
    facts = {"reason": "Tell us <more>.", "again_at": "2026-03-15T13:05:00+00:00"}
    rejected = letter(MailKind.APPLICATION_DECIDED, state="rejected", **facts)
    assert rejected.subject == "Your application"
    assert "Tell us <more>." in rejected.as_text()
    assert "Tell us &lt;more&gt;." in rejected.as_html()
    assert "again from 15 March 2026, 13:05 UTC on" in rejected.as_text()


@pytest.mark.parametrize(
    ("state", "subject"),
    [("taken_down", "Your post was taken down"), ("published", "Your post is back")],
)
def test_whose_post_is_judged_hears_which_and_why(state: str, subject: str) -> None:
    judged = letter(MailKind.POST_MODERATED, state=state, post_id="p1", reason="Rule <3>.")
    assert judged.subject == subject
    assert "https://fansworld.example/posts/p1\n" in judged.as_text()
    assert "What our staff wrote: Rule <3>." in judged.as_text()
    assert "Rule &lt;3&gt;." in judged.as_html()


@pytest.mark.parametrize(
    ("state", "subject"),
    [("suspended", "Your account is suspended"), ("reinstated", "Your account is open again")],
)
def test_whose_account_is_judged_hears_why(state: str, subject: str) -> None:
    judged = letter(MailKind.ACCOUNT_MODERATED, state=state, reason="Rule <3>.")
    assert judged.subject == subject
    assert "What our staff wrote: Rule <3>." in judged.as_text()
    assert "Rule &lt;3&gt;." in judged.as_html()


def test_what_a_client_says_of_itself_makes_no_letter_of_its_own() -> None:
    device = "<b>Sign in at\nevil.example</b>" + "x" * 500
    notice = letter(MailKind.SECURITY_NOTICE, event="totp_added", device=device)
    assert "<b>" not in notice.as_html()
    (line,) = [line for line in notice.as_text().splitlines() if line.startswith("Device: ")]
    assert len(line) < 120


@pytest.mark.parametrize(
    ("kind", "state", "subject"),
    [
        (MailKind.REFUND, "made", "You get a payment back"),
        (MailKind.REFUND, "failed", "Your refund did not arrive"),
        (MailKind.SALE_REFUNDED, "made", "A sale was refunded"),
        (MailKind.DISPUTE, "opened", "A fan disputes a payment"),
        (MailKind.DISPUTE, "won", "A disputed payment is yours again"),
        (MailKind.DISPUTE, "lost", "A disputed payment was taken back"),
    ],
)
def test_who_gets_or_loses_a_payment_hears_how_much(
    kind: MailKind, state: str, subject: str
) -> None:
    written = letter(kind, state=state, amount="12.50 USD", creator="maker")
    assert written.subject == subject
    assert "12.50 USD" in written.as_text()
