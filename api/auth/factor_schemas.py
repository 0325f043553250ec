"""Bodies of the routes of second factors and passkeys."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from api.auth.schemas import GivenPassword, Mode
from api.schemas import EXAMPLE_ID, Body, PlainText
from domain.auth import SessionMode
from domain.factors import CHALLENGE_TTL_SECONDS, PASSKEYS_MAX, Factor
from infra.totp import SECRET_BYTES
from infra.webauthn import ALGORITHMS, Asserted, Attested

NAME_LENGTH_MAX = 64
_SECRET_TEXT = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
_RECOVERY_CODE = "7k3mq2-x9d0rv-ta5w8e-hn4c6z"
_BASE64URL = "mP3qXc1vT0yJ8sKd2wLfRg"

Code = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{6}$"),
    Field(description="Six digits from an authenticator app.", examples=["492039"]),
]
RecoveryCodeText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Field(
        description="One of the codes that were told when the second factor was set up. "
        "Case, spaces and hyphens don't matter.",
        examples=[_RECOVERY_CODE],
    ),
]
PasskeyName = Annotated[
    PlainText,
    StringConstraints(min_length=1, max_length=NAME_LENGTH_MAX),
    Field(description="For its owner, to tell it from others.", examples=["Phone"]),
]
Transport = Literal["ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"]
RecoveryCodes = Annotated[
    list[str],
    Field(
        description="Each stands in for the second factor once. They are told now and never "
        "again: have them printed or stored.",
        examples=[[_RECOVERY_CODE]],
    ),
]


def _decodable(text: str) -> str:
    try:
        _bytes_of(text)
    except binascii.Error:
        raise ValueError("not base64url") from None
    return text


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base64url(raw: bytes) -> str:
    """Without padding, as browsers have it (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


Base64Url = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=16 * 1024),
    AfterValidator(_decodable),
    Field(examples=[_BASE64URL]),
]
"""Binary data as `PublicKeyCredential.toJSON()` writes it."""


# --- what browsers send ------------------------------------------------------------------------


class FromBrowser(BaseModel):
    """Takes fields that it doesn't know: their form is the browser's, and may grow."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AttestationResponse(FromBrowser):
    """`AuthenticatorAttestationResponseJSON` (WebAuthn §5.1)."""

    clientDataJSON: Base64Url
    attestationObject: Base64Url
    transports: list[str] = Field(default=[], max_length=16, examples=[["internal", "hybrid"]])


class AssertionResponse(FromBrowser):
    """`AuthenticatorAssertionResponseJSON` (WebAuthn §5.1)."""

    clientDataJSON: Base64Url
    authenticatorData: Base64Url
    signature: Base64Url
    userHandle: Base64Url | None = None


class RegistrationCredential(FromBrowser):
    """What `navigator.credentials.create()` gave, by its `toJSON()`."""

    id: Base64Url
    type: Literal["public-key"]
    response: AttestationResponse

    def attested(self) -> Attested:
        return Attested(
            credential_id=_bytes_of(self.id),
            client_data=_bytes_of(self.response.clientDataJSON),
            attestation_object=_bytes_of(self.response.attestationObject),
        )


class SignInCredential(FromBrowser):
    """What `navigator.credentials.get()` gave, by its `toJSON()`."""

    id: Base64Url
    type: Literal["public-key"]
    response: AssertionResponse

    def asserted(self) -> Asserted:
        handle = self.response.userHandle
        return Asserted(
            credential_id=_bytes_of(self.id),
            client_data=_bytes_of(self.response.clientDataJSON),
            authenticator_data=_bytes_of(self.response.authenticatorData),
            signature=_bytes_of(self.response.signature),
            user_handle=None if handle is None else _bytes_of(handle),
        )


# --- what browsers are given -------------------------------------------------------------------


class Descriptor(BaseModel):
    """`PublicKeyCredentialDescriptorJSON`."""

    type: Literal["public-key"] = "public-key"
    id: str = Field(examples=[_BASE64URL])
    transports: list[str] = Field(examples=[["internal"]])


class RelyingPartyEntity(BaseModel):
    id: str = Field(examples=["fansworld.example"])
    name: str = Field(examples=["fansworld"])


class UserEntity(BaseModel):
    id: str = Field(description="The user's id, as bytes.", examples=[_BASE64URL])
    name: str = Field(examples=["mia"])
    displayName: str = Field(examples=["Mia Rossi"])


class KeyParameters(BaseModel):
    type: Literal["public-key"] = "public-key"
    alg: int = Field(examples=[-8])


class Selection(BaseModel):
    """Preferred, not required: a security key without a PIN can do neither, and is a good
    second factor nevertheless."""

    residentKey: Literal["preferred"] = "preferred"
    requireResidentKey: Literal[False] = False
    userVerification: Literal["preferred"] = "preferred"


class CreationOptions(BaseModel):
    """`PublicKeyCredentialCreationOptionsJSON`, for
    `PublicKeyCredential.parseCreationOptionsFromJSON()`."""

    rp: RelyingPartyEntity
    user: UserEntity
    challenge: str = Field(examples=[_BASE64URL])
    pubKeyCredParams: list[KeyParameters] = [KeyParameters(alg=int(alg)) for alg in ALGORITHMS]
    timeout: int = CHALLENGE_TTL_SECONDS * 1000
    excludeCredentials: list[Descriptor]
    authenticatorSelection: Selection = Selection()
    attestation: Literal["none"] = "none"


class RequestOptions(BaseModel):
    """`PublicKeyCredentialRequestOptionsJSON`, for
    `PublicKeyCredential.parseRequestOptionsFromJSON()`."""

    challenge: str = Field(examples=[_BASE64URL])
    rpId: str = Field(examples=["fansworld.example"])
    timeout: int = CHALLENGE_TTL_SECONDS * 1000
    allowCredentials: list[Descriptor]
    userVerification: Literal["required", "preferred"]


class RegistrationBegun(BaseModel):
    """A passkey may be made now."""

    challenge_id: str = Field(examples=[EXAMPLE_ID])
    public_key: CreationOptions


class AssertionBegun(BaseModel):
    """A passkey may be used now."""

    challenge_id: str = Field(examples=[EXAMPLE_ID])
    public_key: RequestOptions


# --- second factor and step-up -----------------------------------------------------------------


class ChallengeRequest(Body):
    """A sign-in that waits for its second factor."""

    challenge_id: UUID = Field(description="From `POST /auth/login`.", examples=[EXAMPLE_ID])


class FactorProof(Body):
    """One second factor."""

    code: Code | None = None
    recovery_code: RecoveryCodeText | None = None
    passkey: SignInCredential | None = None

    @property
    def factor(self) -> Factor | None:
        if self.code is not None:
            return Factor.TOTP
        if self.recovery_code is not None:
            return Factor.RECOVERY_CODE
        return Factor.PASSKEY if self.passkey is not None else None


class SecondFactorRequest(FactorProof):
    """The second factor that was asked for after a password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"challenge_id": EXAMPLE_ID, "code": "492039"}]}
    )

    challenge_id: UUID = Field(description="From `POST /auth/login`.")
    mode: Mode = SessionMode.BEARER

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        _require_one(self.code, self.recovery_code, self.passkey)
        return self


class StepUpRequest(FactorProof):
    """Proof that it is still you. The password, where there is no second factor."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "492039"}]})

    password: GivenPassword | None = None
    challenge_id: UUID | None = Field(
        default=None, description="With `passkey`: from `POST /auth/step-up/options`."
    )

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        _require_one(self.password, self.code, self.recovery_code, self.passkey)
        if (self.passkey is None) is not (self.challenge_id is None):
            raise ValueError("`passkey` and `challenge_id` go together")
        return self


class StepUpBody(BaseModel):
    """How long what needs a fresh proof is open to this session."""

    fresh_until: datetime
    has_second_factor: bool = Field(description="The session was proved by a second factor, too.")


class FactorsBody(BaseModel):
    """How an account may be signed in to."""

    has_password: bool
    has_totp: bool
    passkeys: int = Field(examples=[1])
    recovery_codes_left: int = Field(examples=[10])
    asks_for_second_factor: bool = Field(description="After a password.")


# --- TOTP and recovery codes -------------------------------------------------------------------


class TotpBegun(BaseModel):
    """For an authenticator app; told once. It counts when a code of it was sent back."""

    secret: str = Field(
        description=f"{SECRET_BYTES} bytes in base32, for typing.", examples=[_SECRET_TEXT]
    )
    otpauth_uri: str = Field(
        description="For a QR code.",
        examples=[f"otpauth://totp/fansworld:mia?secret={_SECRET_TEXT}&issuer=fansworld"],
    )


class TotpConfirmation(Body):
    """A code that the app shows now."""

    code: Code


class FactorAdded(BaseModel):
    """A second factor that counts from now on."""

    recovery_codes: RecoveryCodes | None = Field(
        description="With the first second factor of an account; else null: the codes that it "
        "has still count."
    )
    sessions_ended: int = Field(
        description="With the first second factor every other session ends: it was begun "
        "without one."
    )


class RecoveryCodesBody(BaseModel):
    """In place of all that there were."""

    recovery_codes: RecoveryCodes


# --- passkeys ----------------------------------------------------------------------------------


class PasskeyRegistration(Body):
    """A new passkey."""

    challenge_id: UUID = Field(
        description="From `POST /auth/passkeys/options`.", examples=[EXAMPLE_ID]
    )
    name: PasskeyName
    credential: RegistrationCredential


class PasskeyPatch(Body):
    """What may be changed of a passkey."""

    name: PasskeyName


class PasskeyBody(BaseModel):
    """A passkey of the caller."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str = Field(examples=["Phone"])
    transports: list[str] = Field(examples=[["internal", "hybrid"]])
    backed_up: bool = Field(description="It is kept by a password manager, on several devices.")
    created_at: datetime
    last_used_at: datetime | None


class PasskeyAdded(FactorAdded):
    passkey: PasskeyBody


class PasskeyList(BaseModel):
    """All of them, oldest first."""

    data: list[PasskeyBody] = Field(max_length=PASSKEYS_MAX)


class PasskeySignIn(Body):
    """Signing in by a passkey alone."""

    challenge_id: UUID = Field(
        description="From `POST /auth/passkeys/sign-in/options`.", examples=[EXAMPLE_ID]
    )
    credential: SignInCredential
    mode: Mode = SessionMode.BEARER


def _require_one(*given: object) -> None:
    if sum(each is not None for each in given) != 1:
        raise ValueError("give exactly one proof")
