"""Bodies of the routes of signing in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr, StringConstraints

from api.schemas import EXAMPLE_ID, Body, DisplayName, Page, PlainText
from domain.auth import PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN, SessionMode

EMAIL_LENGTH_MAX = 254
_EXAMPLE_REFRESH_TOKEN = "ZxJ2p0g9XzkT8uKQ1cS4mYwEo5dVbHn7RtLfGaNiWqA"
_EXAMPLE_LINK_TOKEN = f"{EXAMPLE_ID}.q0mYc1nqgk2T3xkqf0F8pQm2m3yq8o3l7b1s5d9w0aE"
_EXAMPLE_PASSWORD = "violet teapot on the harbour wall"

Email = Annotated[EmailStr, Field(max_length=EMAIL_LENGTH_MAX, examples=["mia@example.com"])]
GivenPassword = Annotated[
    SecretStr, Field(min_length=1, max_length=256, examples=[_EXAMPLE_PASSWORD])
]
"""As somebody types it to sign in: whatever it is, it is compared."""
NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=256,
        description=f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters after "
        "NFKC normalisation. Refused if it is common, easily guessed or made of the account's "
        "own name: `password_too_short`, `password_too_long`, `password_common`, "
        "`password_personal`.",
        examples=[_EXAMPLE_PASSWORD],
    ),
]
LinkToken = Annotated[
    str,
    StringConstraints(max_length=200),
    Field(description="From the link in the mail.", examples=[_EXAMPLE_LINK_TOKEN]),
]
Mode = Annotated[
    SessionMode,
    Field(
        description="`bearer`: tokens in the answer, for apps and scripts. `cookie`: tokens in "
        "`__Host-` cookies that scripts can't read, for browsers."
    ),
]


class RegisterRequest(Body):
    """A new account."""

    handle: PlainText = Field(
        max_length=64,
        description="3 to 30 characters of a-z, 0-9, `.`, `_` and `-`.",
        examples=["mia.rossi"],
    )
    email: Email
    password: NewPassword
    display_name: DisplayName | None = Field(
        default=None, description="The handle, if left out.", examples=["Mia Rossi"]
    )


class EmailRequest(Body):
    """An address that something is asked for."""

    email: Email


class VerifyEmailRequest(Body):
    """Proof that an address is read by whoever named it."""

    token: LinkToken


class MailedBody(BaseModel):
    """The same whatever is known of the address: only its owner learns more, by mail."""

    status: Literal["mail_sent"] = "mail_sent"


class LoginRequest(Body):
    """A password, and whose it is."""

    name: PlainText = Field(
        min_length=1,
        max_length=EMAIL_LENGTH_MAX,
        description="E-mail address or handle.",
        examples=["mia@example.com"],
    )
    password: GivenPassword
    mode: Mode = SessionMode.BEARER


class RefreshRequest(Body):
    """A refresh token, unless it is in the cookie."""

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        examples=[_EXAMPLE_REFRESH_TOKEN]
    )


class PasswordChange(Body):
    """A new password, by somebody who knows the old one."""

    current_password: GivenPassword
    new_password: NewPassword


class EmailChange(Body):
    """Another address to sign in with."""

    email: Email


class PasswordReset(Body):
    """A new password, by somebody who reads the account's mail."""

    token: LinkToken
    new_password: NewPassword


class SignedInBody(BaseModel):
    """A session that has begun or goes on. In mode `cookie` the tokens are in cookies only."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "signed_in",
                    "session_id": EXAMPLE_ID,
                    "user_id": EXAMPLE_ID,
                    "token_type": "Bearer",
                    "access_token": "eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl",
                    "refresh_token": _EXAMPLE_REFRESH_TOKEN,
                    "expires_in": 600,
                }
            ]
        }
    )

    status: Literal["signed_in"] = "signed_in"
    session_id: str
    user_id: str
    token_type: Literal["Bearer"] | None = Field(description="Null in mode `cookie`.")
    access_token: str | None = Field(description="A JWT; null in mode `cookie`.")
    refresh_token: str | None = Field(
        description="Used once: each refresh answers with the next one. Null in mode `cookie`."
    )
    expires_in: int = Field(description="Seconds until the access token has to be refreshed.")


class SecondFactorBody(BaseModel):
    """The password was right, and this account asks for more."""

    status: Literal["second_factor_required"] = "second_factor_required"
    challenge_id: str = Field(
        description="For `POST /auth/login/second-factor`, within five minutes.",
        examples=[EXAMPLE_ID],
    )
    methods: list[str] = Field(
        description="What it may be answered with.", examples=[["totp", "recovery_code"]]
    )


class SessionBody(BaseModel):
    """A device that is signed in."""

    id: str = Field(examples=[EXAMPLE_ID])
    is_current: bool = Field(description="The session that asks.")
    mode: SessionMode
    methods: list[str] = Field(
        description="How it was proved, as RFC 8176 names it.", examples=[["pwd", "otp"]]
    )
    has_second_factor: bool
    user_agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"])
    ip: str | None = Field(description="Of its last refresh.", examples=["192.0.2.17"])
    created_at: datetime
    last_used_at: datetime = Field(description="When it was begun, or refreshed last.")
    expires_at: datetime = Field(description="Unless it is refreshed before.")


class SessionPage(Page):
    data: list[SessionBody]
