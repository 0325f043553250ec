"""What a relying party takes from an authenticator, and every way in which it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from infra.webauthn import (
    ALGORITHMS,
    Asserted,
    Attested,
    PasskeyRefused,
    RelyingParty,
    new_challenge,
)
from tests.harness.authenticator import EDDSA, ES256, ORIGIN, Authenticator, decode, encode

RP = RelyingParty("localhost", origins=[ORIGIN])
USER = b"user-handle"


def creation(challenge: bytes) -> dict[str, Any]:
    return {
        "rp": {"id": RP.id},
        "user": {"id": encode(USER)},
        "challenge": encode(challenge),
        "pubKeyCredParams": [{"alg": int(alg)} for alg in ALGORITHMS],
        "excludeCredentials": [],
    }


def request(challenge: bytes) -> dict[str, Any]:
    return {"rpId": RP.id, "challenge": encode(challenge)}


def attested(answer: dict[str, Any]) -> Attested:
    response = answer["response"]
    return Attested(
        credential_id=decode(answer["rawId"]),
        client_data=decode(response["clientDataJSON"]),
        attestation_object=decode(response["attestationObject"]),
    )


def asserted(answer: dict[str, Any]) -> Asserted:
    response = answer["response"]
    return Asserted(
        credential_id=decode(answer["rawId"]),
        client_data=decode(response["clientDataJSON"]),
        authenticator_data=decode(response["authenticatorData"]),
        signature=decode(response["signature"]),
        user_handle=decode(response["userHandle"]),
    )


def registered(device: Authenticator) -> bytes:
    """Make a passkey; returns its public key."""
    challenge = new_challenge()
    answer = attested(device.create(creation(challenge)))
    return RP.check_registration(answer, challenge=challenge).public_key


@pytest.mark.parametrize("algorithm", [ES256, EDDSA])
def test_a_passkey_is_registered_and_signs(algorithm: int) -> None:
    device = Authenticator(algorithm=algorithm)
    challenge = new_challenge()
    made = RP.check_registration(attested(device.create(creation(challenge))), challenge=challenge)
    assert made.credential_id == device.credentials[0].id
    assert (made.sign_count, made.backed_up) == (0, False)
    challenge = new_challenge()
    proved = RP.check_assertion(
        asserted(device.get(request(challenge))),
        challenge=challenge,
        public_key=made.public_key,
        user_verification=True,
    )
    assert (proved.sign_count, proved.user_verified) == (1, True)


WRONG: dict[str, dict[str, Any]] = {
    "another site's page": {"origin": "https://evil.example"},
    "another port": {"origin": "http://localhost:3001"},
    "an origin that only begins alike": {"origin": f"{ORIGIN}.evil.example"},
    "another relying party": {"rp_id": "evil.example"},
    "another challenge": {"challenge": encode(new_challenge())},
    "an empty challenge": {"challenge": ""},
    "inside another site's page": {"cross_origin": True},
    "nobody there": {"present": False},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_registration_is_refused(wrong: dict[str, Any]) -> None:
    challenge = new_challenge()
    answer = attested(Authenticator().create(creation(challenge), **wrong))
    with pytest.raises(PasskeyRefused):
        RP.check_registration(answer, challenge=challenge)


UNUSABLE: dict[str, dict[str, Any]] = {
    "a sign-in in place of a registration": {"type": "webauthn.get"},
    "a point beside the curve": {
        "public_key": {1: 2, 3: ES256, -1: 1, -2: bytes(31) + b"\1", -3: bytes(31) + b"\1"}
    },
    "a key without its parts": {"public_key": {1: 2, 3: ES256}},
    "no key": {"public_key": {}},
    "a list for a key": {"public_key": [1, 2, 3]},
    "an algorithm that was not offered": {
        "public_key": {1: 2, 3: -36, -1: 3, -2: bytes(66), -3: bytes(66)}
    },
    "an Ed25519 key that is too short": {"public_key": {1: 1, 3: EDDSA, -1: 6, -2: b"short"}},
}


@pytest.mark.parametrize("wrong", UNUSABLE.values(), ids=UNUSABLE)
def test_a_key_that_could_never_sign_in_is_not_taken(wrong: dict[str, Any]) -> None:
    challenge = new_challenge()
    answer = attested(Authenticator().create(creation(challenge), **wrong))
    with pytest.raises(PasskeyRefused):
        RP.check_registration(answer, challenge=challenge)


def test_a_registration_under_another_credentials_id_is_refused() -> None:
    challenge = new_challenge()
    answer = attested(Authenticator().create(creation(challenge)))
    other = Attested(b"other", answer.client_data, answer.attestation_object)
    with pytest.raises(PasskeyRefused):
        RP.check_registration(other, challenge=challenge)


@pytest.mark.parametrize(
    "wrong",
    [
        *WRONG.values(),
        {"type": "webauthn.create"},
        {"verified": False},
        {"signature": b"tampered"},
        {"signature": b""},
    ],
    ids=[*WRONG, "a registration", "nobody verified", "no signature of it", "no signature"],
)
@pytest.mark.parametrize("algorithm", [ES256, EDDSA])
def test_a_wrong_assertion_is_refused(algorithm: int, wrong: dict[str, Any]) -> None:
    device = Authenticator(algorithm=algorithm)
    public_key = registered(device)
    challenge = new_challenge()
    answer = asserted(device.get(request(challenge), **wrong))
    with pytest.raises(PasskeyRefused):
        RP.check_assertion(
            answer, challenge=challenge, public_key=public_key, user_verification=True
        )


def test_what_is_changed_after_signing_is_refused() -> None:
    device = Authenticator()
    public_key = registered(device)
    challenge = new_challenge()
    answer = asserted(device.get(request(challenge)))
    counted_on = bytearray(answer.authenticator_data)
    counted_on[-1] += 1
    changed = Asserted(
        answer.credential_id, answer.client_data, bytes(counted_on), answer.signature, USER
    )
    with pytest.raises(PasskeyRefused):
        RP.check_assertion(
            changed, challenge=challenge, public_key=public_key, user_verification=True
        )


def test_another_passkeys_signature_is_refused() -> None:
    device, other = Authenticator(), Authenticator()
    public_key = registered(device)
    registered(other)
    challenge = new_challenge()
    with pytest.raises(PasskeyRefused):
        RP.check_assertion(
            asserted(other.get(request(challenge))),
            challenge=challenge,
            public_key=public_key,
            user_verification=True,
        )


def test_a_key_that_can_not_verify_its_user_will_do_beside_a_password() -> None:
    device = Authenticator(verifies_user=False)
    public_key = registered(device)
    challenge = new_challenge()
    answer = asserted(device.get(request(challenge)))
    proved = RP.check_assertion(
        answer, challenge=challenge, public_key=public_key, user_verification=False
    )
    assert not proved.user_verified


@pytest.mark.parametrize("junk", [b"", b"{}", b"null", b"\xff\xfe", b"[]", b'{"type": 1}'])
def test_junk_is_refused_and_nothing_worse(junk: bytes) -> None:
    device = Authenticator()
    public_key = registered(device)
    challenge = new_challenge()
    answer = asserted(device.get(request(challenge)))
    for changed in (
        Asserted(b"id", junk, answer.authenticator_data, answer.signature, None),
        Asserted(b"id", answer.client_data, junk, answer.signature, None),
        Asserted(b"id", answer.client_data, answer.authenticator_data, junk, None),
    ):
        with pytest.raises(PasskeyRefused):
            RP.check_assertion(
                changed, challenge=challenge, public_key=public_key, user_verification=False
            )
    with pytest.raises(PasskeyRefused):
        RP.check_registration(Attested(b"id", junk, junk), challenge=challenge)
