"""Passkeys as Web Authentication defines them (WebAuthn Level 3), seen from the relying party.

Attestation is not asked for: we don't mind who made an authenticator, only that it holds
the key. What is checked of an answer: type, challenge, origin, relying party, presence, user
verification where it is wanted, and the signature over all of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from infra.settings import Settings

NAME = "fansworld"
ALGORITHMS = (
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
"""By preference; Windows Hello has keys of the last kind."""
CHALLENGE_BYTES = 32
CREDENTIAL_ID_BYTES_MAX = 1023
"""WebAuthn §4, "Credential ID"."""
_MALFORMED = (WebAuthnException, InvalidSignature, ValueError, TypeError, LookupError)
"""What the library raises of an answer that is wrong, or that has another form than it
supposes: of a CBOR map, for instance, it takes for granted which entries there are."""


class PasskeyRefused(Exception):
    """An answer that proves nothing; says why, for logs."""


@dataclass(frozen=True, slots=True)
class Attested:
    """An authenticator's answer to a registration."""

    credential_id: bytes
    client_data: bytes
    attestation_object: bytes


@dataclass(frozen=True, slots=True)
class Asserted:
    """An authenticator's answer to a sign-in."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None


@dataclass(frozen=True, slots=True)
class NewCredential:
    credential_id: bytes
    public_key: bytes
    """COSE form."""
    sign_count: int
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a right answer says. Hold `sign_count` against the stored one yourself: a wrong
    signature must not be able to say anything about it."""

    sign_count: int
    backed_up: bool
    user_verified: bool


def new_challenge() -> bytes:
    return os.urandom(CHALLENGE_BYTES)


class RelyingParty:
    """Whom passkeys belong to, and the origins that they may be used from."""

    def __init__(self, rp_id: str, *, origins: Iterable[str]) -> None:
        self.id = rp_id
        self.origins = list(origins)

    @classmethod
    def of(cls, settings: Settings) -> RelyingParty:
        return cls(settings.webauthn_rp_id, origins=settings.passkey_origins)

    def check_registration(self, answer: Attested, *, challenge: bytes) -> NewCredential:
        """A new credential whose key we are able to use.

        Raises:
            PasskeyRefused
        """
        credential = RegistrationCredential(
            id=bytes_to_base64url(answer.credential_id),
            raw_id=answer.credential_id,
            response=AuthenticatorAttestationResponse(
                client_data_json=answer.client_data, attestation_object=answer.attestation_object
            ),
        )
        try:
            verified = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origins,
                supported_pub_key_algs=list(ALGORITHMS),
            )
            decoded_public_key_to_cryptography(
                decode_credential_public_key(verified.credential_public_key)
            )
            _require_same_origin(answer.client_data)
        except _MALFORMED as error:
            raise PasskeyRefused(str(error)) from error
        if verified.credential_id != answer.credential_id:
            raise PasskeyRefused("the credential has another id than its answer")
        if len(verified.credential_id) > CREDENTIAL_ID_BYTES_MAX:
            raise PasskeyRefused("the credential's id is too long")
        return NewCredential(
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            backed_up=verified.credential_backed_up,
        )

    def check_assertion(
        self, answer: Asserted, *, challenge: bytes, public_key: bytes, user_verification: bool
    ) -> Assertion:
        """What the holder of `public_key` has signed.

        Raises:
            PasskeyRefused
        """
        credential = AuthenticationCredential(
            id=bytes_to_base64url(answer.credential_id),
            raw_id=answer.credential_id,
            response=AuthenticatorAssertionResponse(
                client_data_json=answer.client_data,
                authenticator_data=answer.authenticator_data,
                signature=answer.signature,
            ),
        )
        try:
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origins,
                credential_public_key=public_key,
                # 0 means that it is not compared here, where it would be before the signature.
                credential_current_sign_count=0,
                require_user_verification=user_verification,
            )
            _require_same_origin(answer.client_data)
        except _MALFORMED as error:
            raise PasskeyRefused(str(error)) from error
        return Assertion(
            sign_count=verified.new_sign_count,
            backed_up=verified.credential_backed_up,
            user_verified=verified.user_verified,
        )


def _require_same_origin(client_data: bytes) -> None:
    """Nobody asks for our passkeys from inside another site's page (WebAuthn §13.4.2)."""
    if json.loads(client_data).get("crossOrigin", False) is not False:
        raise PasskeyRefused("it was asked for inside a page of another origin")
