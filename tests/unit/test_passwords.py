"""Passwords: which are taken, how they are hashed, and what happens when many come at once."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr
from zxcvbn import zxcvbn

from domain.auth import own_words
from domain.errors import Invalid, Unavailable
from infra.passwords import WAITING_PER_THREAD_MAX, Passwords, _guesses
from infra.settings import Settings

MIA = own_words(handle="mia.rossi", email="m.rossi1987@example.com", display_name="Mia Rossi")
TAKEN = None


def settings(*, rounds: int = 2) -> Settings:
    key = SecretStr(base64.b64encode(bytes(32)).decode())
    return Settings(
        payload_keys={"a": key},
        media_master_keys={"a": key},
        account_master_keys={"a": key},
        token_private_keys={"a": key},
        url_signing_key=key,
        password_hash_rounds=rounds,
        password_hash_threads=1,
    )


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(settings())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        # length, in characters of the normal form
        ("kV9#mQ2$xL7", "password_too_short"),
        ("kV9#mQ2$xL7p", TAKEN),
        ("wave fork mint " * 8 + "jazz lamp", "password_too_long"),
        ("violet teapot on the harbour wall" + " and forty-one grey geese" * 3, TAKEN),
        ("\ufb03" * 4, "password_common"),  # the ligature ffi: 12 characters, all the same
        ("\ufb03" * 3 + "xy", "password_too_short"),
        ("\u6c49\u5b57\u5bc6\u7801\u5e94\u8be5\u8db3\u591f\u957f\u624d\u884c\u554a", TAKEN),
        # what everybody has, and what people do to it
        ("password1234", "password_common"),
        ("Password1234!", "password_common"),
        ("P@ssw0rd2026!", "password_common"),
        ("passwordpassword", "password_common"),
        ("iloveyou1234", "password_common"),
        ("letmein123456", "password_common"),
        ("qwertyuiop12", "password_common"),
        ("1qaz2wsx3edc", "password_common"),
        ("123456789012", "password_common"),
        ("abcdefghijklm", "password_common"),
        ("aaaaaaaaaaaaaaaa", "password_common"),
        ("abcabcabcabcabc", "password_common"),
        ("unbelievable", "password_common"),
        ("summer2026summer", "password_common"),
        ("fansworld2026", "password_common"),
        ("x" * 128, "password_common"),
        ("password1234" * 10, "password_common"),
        ("x" * 24 + "kV9#mQ2$xL7p", TAKEN),
        # their own
        ("mia.rossi.mia", "password_personal"),
        ("MiaRossi2026", "password_personal"),
        ("rossi1987rossi", "password_personal"),
        ("m.rossi1987@example.com", "password_personal"),
        ("Rossi keeps nine blue kettles", TAKEN),
        # good ones
        ("correct horse battery staple", TAKEN),
        ("tr0ub4dor&3xx", TAKEN),
        ("violet teapot on the harbour wall", TAKEN),
    ],
    ids=repr,
)
async def test_which_passwords_are_taken(
    passwords: Passwords, password: str, code: str | None
) -> None:
    try:
        await passwords.hash_new(password, own_words=MIA)
    except Invalid as error:
        assert error.code == code
        assert password not in error.message
    else:
        assert code is TAKEN


@pytest.mark.parametrize("signs", ["4@({[<8360!1|7$5+%2" * 7, "4@({[<8360!1|7$5+%2aaaaa" * 5])
def test_a_long_password_is_estimated_in_a_fraction_of_the_time_it_takes_whole(signs: str) -> None:
    in_pieces = spent(lambda: _guesses(signs[:128], MIA))
    whole = spent(lambda: zxcvbn(signs[:72], user_inputs=MIA))
    assert in_pieces < whole / 3


def spent(work: Callable[[], object]) -> float:
    """Seconds of the processor."""
    begun = time.thread_time()
    assert work()
    return time.thread_time() - begun


async def test_a_hash_verifies_its_password_in_any_form_and_no_other(
    passwords: Passwords,
) -> None:
    stored = await passwords.hash_new("sechs grüne Brücken", own_words=())
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await passwords.verify(stored, "sechs gru\u0308ne Bru\u0308cken")).matches
    assert not (await passwords.verify(stored, "Sechs grüne Brücken")).matches
    assert stored != await passwords.hash_new("sechs grüne Brücken", own_words=())


async def test_nothing_matches_where_nothing_is_stored(passwords: Passwords) -> None:
    for password in ("", "of nobody", "violet teapot on the harbour wall"):
        assert not (await passwords.verify(None, password)).matches


async def test_only_a_right_password_tells_that_its_hash_is_outdated(
    passwords: Passwords,
) -> None:
    stored = await passwords.rehash("violet teapot")
    stronger = Passwords(settings(rounds=3))
    assert not (await passwords.verify(stored, "violet teapot")).is_outdated
    assert (await stronger.verify(stored, "violet teapot")).is_outdated
    assert not (await stronger.verify(stored, "wrong")).is_outdated
    stronger.close()


async def test_who_comes_when_the_queue_is_full_is_told_at_once(passwords: Passwords) -> None:
    places = 1 + WAITING_PER_THREAD_MAX
    waiting = [asyncio.ensure_future(passwords.verify(None, "x")) for _ in range(places)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await passwords.verify(None, "x")
    assert caught.value.code == "busy"
    assert not any(each.done() for each in waiting[1:]), "it did not wait for them"
    await asyncio.gather(*waiting)
    assert not (await passwords.verify(None, "x")).matches, "there are places again"
