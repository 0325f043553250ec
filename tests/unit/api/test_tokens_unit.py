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

from api.auth import ALGORITHM, AUDIENCE, CLOCK_SKEW_SECONDS, ISSUER, TokenKey
from domain.errors import Unauthenticated
from infra.settings import Settings

NOW = 1_800_000_000
USER = "01890000-0000-7000-8000-0000000000aa"


def settings(private_key: bytes) -> Settings:
    key = SecretStr(base64.b64encode(private_key).decode())
    return Settings(
        payload_keys={"a": key},
        media_master_keys={"a": key},
        token_private_key=key,
        url_signing_key=key,
    )


SEED = os.urandom(32)
KEY = TokenKey(settings(SEED))


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
    return jwt.encode({"alg": ALGORITHM}, kept, KEY._key, algorithms=[ALGORITHM])


def code_of(token: str, *, now: int = NOW) -> str:
    with pytest.raises(Unauthenticated) as caught:
        KEY.verify(token, now=now)
    return caught.value.code


def test_a_minted_token_names_its_user() -> None:
    assert KEY.verify(KEY.mint(USER, now=NOW), now=NOW) == USER
    assert TokenKey(settings(SEED)).verify(KEY.mint(USER, now=NOW), now=NOW) == USER


def test_a_token_ends_after_its_time_and_a_little_skew() -> None:
    token = KEY.mint(USER, now=NOW, ttl_seconds=60)
    assert KEY.verify(token, now=NOW + 60) == USER
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
    assert code_of(TokenKey(settings(os.urandom(32))).mint(USER, now=NOW)) == "token_invalid"


def test_a_token_without_a_signature_or_by_a_shared_secret_is_invalid() -> None:
    header, body, _ = signed().split(".")
    nothing = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    assert code_of(f"{nothing}.{body}.") == "token_invalid"
    assert code_of(f"{header}.{body}.") == "token_invalid"
    # The public key as an HMAC secret: the classic confusion of algorithms.
    public = KEY._key.as_dict(private=False)
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
        user = KEY.verify(changed, now=NOW)
    except Unauthenticated:
        return
    # Spare bits of the signature's last digit do not change what was signed.
    assert user == USER
    assert changed.rpartition(".")[0] == token.rpartition(".")[0]


@given(st.text(max_size=200))
def test_no_text_makes_verification_fail_otherwise(text: str) -> None:
    with pytest.raises(Unauthenticated):
        KEY.verify(text, now=NOW)


def test_the_key_is_an_ed25519_pair() -> None:
    assert isinstance(KEY._key, OKPKey)
    assert KEY.key_id == TokenKey(settings(SEED)).key_id
