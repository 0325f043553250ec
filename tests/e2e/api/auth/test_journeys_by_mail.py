"""What people do with the mails that they really get."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from devstack.mailbox import Mailbox
from infra.ids import new_id
from tests.e2e.api.auth.accounts import AUTH, OTHER_PASSWORD, PASSWORD
from tests.harness.api import RunningApi

pytestmark = pytest.mark.usefixtures("mails_are_sent")


def posted(client: httpx.Client, path: str, status: int, **body: Any) -> httpx.Response:
    answer = client.post(f"{AUTH}{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer


def test_from_registration_by_mail_to_a_new_password_by_mail(
    api: RunningApi, mailbox: Mailbox
) -> None:
    client, handle = api.client(), f"mia{new_id()[-8:]}"
    email = f"{handle}@example.com"
    posted(client, "/register", 202, handle=handle, email=email, password=PASSWORD)
    welcome = mailbox.wait_for(email)
    assert handle in welcome.text
    posted(client, "/login", 403, name=email, password=PASSWORD)
    posted(client, "/verify-email", 204, token=welcome.token)
    begun = posted(client, "/login", 200, name=email, password=PASSWORD).json()

    posted(client, "/register", 202, handle=f"{handle}2", email=email, password=PASSWORD)
    told = mailbox.wait_for(email, count=2)
    assert "already" in told.subject

    posted(client, "/password/forgot", 202, email=email)
    link = mailbox.wait_for(email, count=3)
    posted(client, "/password/reset", 204, token=link.token, new_password=OTHER_PASSWORD)
    posted(client, "/refresh", 401, refresh_token=begun["refresh_token"])
    posted(client, "/login", 401, name=email, password=PASSWORD)
    posted(client, "/login", 200, name=email, password=OTHER_PASSWORD)
    notice = mailbox.wait_for(email, count=4)
    assert "password" in notice.text and "127.0.0.1" in notice.text
    assert PASSWORD not in notice.text and OTHER_PASSWORD not in notice.text
