"""Tokens in mails say which mail they are of, and nothing else passes for one."""

from __future__ import annotations

import pytest

from domain.auth import MailKind
from domain.errors import Invalid
from domain.mails import mail_token, read_mail_token

KEY = bytes(range(32))
MAIL_ID = "0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a"
TOKEN = mail_token(MAIL_ID, kind=MailKind.VERIFY_EMAIL, key=KEY)


def test_a_token_names_its_mail() -> None:
    assert read_mail_token(TOKEN, kind=MailKind.VERIFY_EMAIL, key=KEY) == MAIL_ID


def test_a_token_needs_no_escaping_in_a_url() -> None:
    assert len(TOKEN) == 80
    assert set(TOKEN.replace(".", "", 1)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_a_token_of_one_kind_is_none_of_another() -> None:
    with pytest.raises(Invalid) as caught:
        read_mail_token(TOKEN, kind=MailKind.RESET_PASSWORD, key=KEY)
    assert caught.value.code == "link_invalid"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        MAIL_ID,
        f"{MAIL_ID}.",
        TOKEN[:-1],
        f"{TOKEN}=",
        f"{TOKEN}.",
        TOKEN.upper(),
        TOKEN.replace("0192", "0193"),
        f"é{TOKEN}",
        "\ud800",
        TOKEN.replace("-", ""),
    ],
)
def test_anything_else_is_no_token(token: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_mail_token(token, kind=MailKind.VERIFY_EMAIL, key=KEY)
    assert caught.value.code == "link_invalid"


def test_another_key_makes_other_tokens() -> None:
    with pytest.raises(Invalid):
        read_mail_token(TOKEN, kind=MailKind.VERIFY_EMAIL, key=bytes(32))
