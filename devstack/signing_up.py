"""Somebody comes to the platform: registers, reads the mail, signs in. All over HTTP."""

from __future__ import annotations

import asyncio
import secrets

from devstack.client import ApiClient
from devstack.mailbox import Mailbox
from devstack.people import Person


async def sign_up(base_url: str, mailbox: Mailbox, *, name: str) -> Person:
    """A new account of a handle that begins with `name`, verified and signed in.

    Raises:
        Problem: the API refused a step.
        NoMail: the mail to verify the address did not come.
    """
    handle = f"{name}-{secrets.token_hex(3)}"
    email, password = f"{handle}@example.com", secrets.token_urlsafe(18)
    async with ApiClient(base_url, None) as client:
        wish = {"handle": handle, "email": email, "password": password}
        await client.call("POST", "/auth/register", {**wish, "display_name": name.title()})
        mail = await asyncio.to_thread(mailbox.wait_for, email)
        await client.call("POST", "/auth/verify-email", {"token": mail.token})
        signed_in = await client.call("POST", "/auth/login", {"name": email, "password": password})
    return Person(signed_in["user_id"], handle, signed_in["access_token"])
