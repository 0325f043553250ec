"""What staff may do is behind a second factor, from the first sign-in on."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from domain.accounts import Role
from domain.media.states import Visibility
from infra.models import Media
from tests.e2e.api.auth.owners import Owner, Owners, code_of
from tests.e2e.api.published import Publisher
from tests.harness.authenticator import Authenticator
from tests.harness.rows import MakeUser

MEDIA = "/api/v1/media"
QUEUE = "/api/v1/admin/creator-applications"


@pytest.fixture
def held(publish: Publisher, make_user: MakeUser) -> Media:
    """What moderation holds back: its owner and staff see it."""
    creator = make_user(role=Role.CREATOR)
    return publish.video(creator, visibility=Visibility.GATED.value, state="held")


def release(client: httpx.Client, media: Media) -> int:
    return client.post(f"{MEDIA}/{media.id}/release").status_code


def by_code(owner: Owner) -> httpx.Client:
    """A sign-in with the password and a code, once codes are set up."""
    phone, _ = owner.set_up_codes()
    answer = owner.answer(owner.challenge(), code=phone.code())
    return owner.accounts.api.client(token=answer.json()["access_token"])


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
def test_staff_are_fans_until_they_sign_in_with_a_second_factor(
    owners: Owners, held: Media, role: Role
) -> None:
    staff = owners.make(role=role)
    assert release(staff.client, held) == 404
    assert staff.client.get(f"{MEDIA}/{held.id}").status_code == 404
    signed_in = by_code(staff)
    assert release(staff.client, held) == 404, "setting it up proves nothing yet"
    assert release(signed_in, held) == 204


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
def test_a_staff_route_says_what_is_missing_and_leaves_the_way_to_it_open(
    owners: Owners, role: Role
) -> None:
    staff = owners.make(role=role)
    refused = staff.client.get(QUEUE)
    assert code_of(refused) == (403, "second_factor_required")
    signed_in = by_code(staff)
    assert signed_in.get(QUEUE).status_code == 200
    assert code_of(staff.client.get(QUEUE)) == (403, "second_factor_required")


def test_a_fan_with_a_second_factor_is_no_staff(owners: Owners) -> None:
    assert code_of(by_code(owners.make()).get(QUEUE)) == (403, "staff_only")


def test_staff_may_step_up_in_place_of_signing_in_again(owners: Owners, held: Media) -> None:
    staff = owners.make(role=Role.MODERATOR)
    phone, _ = staff.set_up_codes()
    assert staff.post("/step-up", {"code": phone.code()}).status_code == 200
    assert release(staff.client, held) == 204


def test_a_passkey_alone_opens_what_staff_may_do(owners: Owners, held: Media) -> None:
    staff = owners.make(role=Role.MODERATOR)
    device: Authenticator = staff.with_passkey()
    http = staff.accounts.api.client()
    begun = http.post("/api/v1/auth/passkeys/sign-in/options").json()
    credential = device.get(begun["public_key"])
    answer = http.post(
        "/api/v1/auth/passkeys/sign-in",
        json={"challenge_id": begun["challenge_id"], "credential": credential},
    )
    client = staff.accounts.api.client(token=answer.json()["access_token"])
    assert release(client, held) == 204


def test_without_the_last_factor_staff_are_out_at_once(owners: Owners, held: Media) -> None:
    staff = owners.make(role=Role.MODERATOR)
    client = by_code(staff)
    assert client.get(f"{MEDIA}/{held.id}").status_code == 200
    assert client.delete("/api/v1/auth/totp").status_code == 204
    assert client.get(f"{MEDIA}/{held.id}").status_code == 404
