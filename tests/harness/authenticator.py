"""An authenticator in software: makes passkeys and signs with them, as a browser reports it.

Its keyword arguments are what a test gets wrong on purpose.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

ES256, EDDSA = -7, -8
ORIGIN = "http://localhost:3000"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
AAGUID = bytes(16)


@dataclass
class Credential:
    id: bytes
    key: EllipticCurvePrivateKey | Ed25519PrivateKey
    rp_id: str
    user_handle: bytes
    sign_count: int = 0

    def __deepcopy__(self, _memo: object) -> Credential:
        """A copy has the same key, and a counter of its own."""
        return Credential(self.id, self.key, self.rp_id, self.user_handle, self.sign_count)


@dataclass
class Authenticator:
    """Answers `create` and `get` the way `PublicKeyCredential.toJSON()` reads."""

    algorithm: int = ES256
    verifies_user: bool = True
    counts: bool = True
    origin: str = ORIGIN
    credentials: list[Credential] = field(default_factory=list)

    def clone(self) -> Authenticator:
        return copy.deepcopy(self)

    def create(self, options: dict[str, Any], **wrong: Any) -> dict[str, Any]:
        """Make a passkey for these creation options."""
        offered = [each["alg"] for each in options["pubKeyCredParams"]]
        assert self.algorithm in offered
        excluded = {each["id"] for each in options["excludeCredentials"]}
        assert not excluded & {encode(each.id) for each in self.credentials}
        credential = Credential(
            id=wrong.get("credential_id", os.urandom(32)),
            key=generate_private_key(SECP256R1())
            if self.algorithm == ES256
            else Ed25519PrivateKey.generate(),
            rp_id=options["rp"]["id"],
            user_handle=decode(options["user"]["id"]),
        )
        self.credentials.append(credential)
        public_key = wrong.get("public_key", _cose_key(credential.key))
        attested = (
            AAGUID + len(credential.id).to_bytes(2, "big") + credential.id + cbor2.dumps(public_key)
        )
        authenticator_data = self._authenticator_data(credential, ATTESTED, wrong) + attested
        attestation = {"fmt": "none", "attStmt": {}, "authData": authenticator_data}
        return {
            **self._envelope(credential),
            "response": {
                "clientDataJSON": encode(self._client_data("webauthn.create", options, wrong)),
                "attestationObject": encode(cbor2.dumps(attestation)),
                "authenticatorData": encode(authenticator_data),
                "publicKeyAlgorithm": self.algorithm,
                "transports": ["internal"],
            },
        }

    def get(self, options: dict[str, Any], **wrong: Any) -> dict[str, Any]:
        """Sign with the newest passkey that these request options allow."""
        allowed = {each["id"] for each in options.get("allowCredentials") or ()}
        credential = next(
            each
            for each in reversed(self.credentials)
            if each.rp_id == options["rpId"] and (not allowed or encode(each.id) in allowed)
        )
        if self.counts:
            credential.sign_count += 1
        client_data = self._client_data("webauthn.get", options, wrong)
        authenticator_data = self._authenticator_data(credential, 0, wrong)
        signed = authenticator_data + hashlib.sha256(client_data).digest()
        signature = wrong.get("signature", _sign(credential.key, signed))
        return {
            **self._envelope(credential),
            "response": {
                "clientDataJSON": encode(client_data),
                "authenticatorData": encode(authenticator_data),
                "signature": encode(signature),
                "userHandle": encode(wrong.get("user_handle", credential.user_handle)),
            },
        }

    def _authenticator_data(
        self, credential: Credential, flags: int, wrong: dict[str, Any]
    ) -> bytes:
        flags |= PRESENT if wrong.get("present", True) else 0
        flags |= VERIFIED if wrong.get("verified", self.verifies_user) else 0
        rp_id = wrong.get("rp_id", credential.rp_id)
        count = wrong.get("sign_count", credential.sign_count)
        return (
            hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + int(count).to_bytes(4, "big")
        )

    def _client_data(self, type_: str, options: dict[str, Any], wrong: dict[str, Any]) -> bytes:
        return json.dumps(
            {
                "type": wrong.get("type", type_),
                "challenge": wrong.get("challenge", options["challenge"]),
                "origin": wrong.get("origin", self.origin),
                "crossOrigin": wrong.get("cross_origin", False),
            }
        ).encode()

    @staticmethod
    def _envelope(credential: Credential) -> dict[str, Any]:
        return {
            "id": encode(credential.id),
            "rawId": encode(credential.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        }


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _cose_key(key: EllipticCurvePrivateKey | Ed25519PrivateKey) -> dict[int, Any]:
    """RFC 9053 §7."""
    if isinstance(key, Ed25519PrivateKey):
        return {1: 1, 3: EDDSA, -1: 6, -2: key.public_key().public_bytes_raw()}
    point = key.public_key().public_numbers()
    return {1: 2, 3: ES256, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}


def _sign(key: EllipticCurvePrivateKey | Ed25519PrivateKey, data: bytes) -> bytes:
    return key.sign(data) if isinstance(key, Ed25519PrivateKey) else key.sign(data, ECDSA(SHA256()))
