"""Access tokens: who signed them, for whom, until when."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from pydantic import SecretStr

from api.auth.tokens import ALGORITHM, AUDIENCE, CLOCK_SKEW_SECONDS, ISSUER, TokenKeys
from domain.access import Caller
from domain.errors import Unauthenticated
from infra.settings import Settings

NOW = 1_800_000_000
USER = "01890000-0000-7000-8000-0000000000aa"


def settings(private_key: bytes) -> Settings:
    key = SecretStr(base64.b64encode(private_key).decode())
    return Settings(
        payload_keys={"a": key},
        media_master_keys={"a": key},
        account_master_keys={"a": key},
        token_private_keys={"a": key},
        url_signing_key=key,
    )


SEED = os.urandom(32)
KEY = TokenKeys(settings(SEED))


def signed(**changes: Any) -> str:
    """A token by the right key, with some claims changed; None leaves one out."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": USER,
        "iat": NOW,
        "exp": NOW + 600,
    } | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": ALGORITHM, "kid": "a"}, kept, KEY._keys["a"], algorithms=[ALGORITHM])


def code_of(token: str, *, now: int = NOW) -> str:
    with pytest.raises(Unauthenticated) as caught:
        KEY.verify(token, now=now)
    return caught.value.code


def test_a_minted_token_names_its_user() -> None:
    assert KEY.verify(KEY.mint(USER, now=NOW), now=NOW) == Caller(USER)
    assert TokenKeys(settings(SEED)).verify(KEY.mint(USER, now=NOW), now=NOW) == Caller(USER)


def test_a_session_travels_with_its_token() -> None:
    assert KEY.verify(KEY.mint(USER, session_id="s", now=NOW), now=NOW) == Caller(USER, "s")


def test_after_a_rotation_old_tokens_hold_and_new_ones_are_by_the_new_key() -> None:
    new = SecretStr(base64.b64encode(os.urandom(32)).decode())
    old = settings(SEED)
    rotated = old.model_copy(update={"token_private_keys": {"b": new, **old.token_private_keys}})
    keys = TokenKeys(rotated)
    assert keys.verify(KEY.mint(USER, now=NOW), now=NOW) == Caller(USER)
    assert code_of(keys.mint(USER, now=NOW)) == "token_invalid", "the old ring lacks the new key"
    assert [key["kid"] for key in keys.public_set()["keys"]] == ["b", "a"]


def test_a_token_ends_after_its_time_and_a_little_skew() -> None:
    token = KEY.mint(USER, now=NOW, ttl_seconds=60)
    assert KEY.verify(token, now=NOW + 60).user_id == USER
    for _ in range(2):  # The second time its signature is known already.
        assert code_of(token, now=NOW + 60 + CLOCK_SKEW_SECONDS) == "token_expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "another-api"},
        {"aud": None},
        {"sub": None},
        {"sub": 5},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": NOW + CLOCK_SKEW_SECONDS + 1},
    ],
)
def test_a_token_with_other_claims_is_invalid(changes: dict[str, Any]) -> None:
    assert code_of(signed(**changes)) == "token_invalid"


def test_a_token_by_another_key_is_invalid() -> None:
    assert code_of(TokenKeys(settings(os.urandom(32))).mint(USER, now=NOW)) == "token_invalid"


def test_a_token_without_a_signature_or_by_a_shared_secret_is_invalid() -> None:
    header, body, _ = signed().split(".")
    nothing = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    assert code_of(f"{nothing}.{body}.") == "token_invalid"
    assert code_of(f"{header}.{body}.") == "token_invalid"
    # The public key as an HMAC secret: the classic confusion of algorithms.
    public = KEY._keys["a"].as_dict(private=False)
    secret = OctKey.import_key(base64.urlsafe_b64decode(str(public["x"]) + "="))
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = jwt.encode({"alg": "HS256"}, claims, secret, algorithms=["HS256"])
    assert code_of(forged) == "token_invalid"


@given(place=st.integers(0, 400), digit=st.sampled_from("ABCXYZabcxyz0189-_"))
def test_no_changed_digit_names_another_user(place: int, digit: str) -> None:
    token = signed()
    place %= len(token)
    changed = token[:place] + digit + token[place + 1 :]
    try:
        user_id = KEY.verify(changed, now=NOW).user_id
    except Unauthenticated:
        return
    # Spare bits of the signature's last digit do not change what was signed.
    assert user_id == USER
    assert changed.rpartition(".")[0] == token.rpartition(".")[0]


@given(st.text(max_size=200))
def test_no_text_makes_verification_fail_otherwise(text: str) -> None:
    with pytest.raises(Unauthenticated):
        KEY.verify(text, now=NOW)


def test_the_key_is_an_ed25519_pair() -> None:
    assert isinstance(KEY._keys["a"], OKPKey)
    [published] = KEY.public_set()["keys"]
    assert (published["kid"], published["kty"], published["crv"]) == ("a", "OKP", "Ed25519")
    assert "d" not in published, "the private half stays here"
