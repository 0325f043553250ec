"""Bodies of the routes of signing in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import EXAMPLE_ID

_EXAMPLE_REFRESH_TOKEN = "ZxJ2p0g9XzkT8uKQ1cS4mYwEo5dVbHn7RtLfGaNiWqA"


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
