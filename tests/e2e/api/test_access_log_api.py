"""What fans open of what they have paid for is written down, after the answer, once an hour."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine, select

from domain.accounts import Role
from infra.db import transaction
from infra.models import AccessEntry, User
from tests.e2e.api.published import Publisher
from tests.harness.api import RunningApi
from tests.harness.messages import write_message
from tests.harness.posts import MakePost
from tests.harness.rows import Entitle, MakeUser

AGENT = {"user-agent": "Firefox on Linux"}


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser, creator: User, entitle: Entitle) -> User:
    fan = make_user()
    entitle(fan, creator_id=creator.id)
    return fan


def written(engine: Engine, *, least: int) -> list[AccessEntry]:
    """What the log holds once it has so many entries: they come after the answer."""
    until = time.monotonic() + 5
    while True:
        with transaction(engine) as session:
            entries = list(session.scalars(select(AccessEntry).order_by(AccessEntry.at)))
        if len(entries) >= least or time.monotonic() > until:
            return entries
        time.sleep(0.02)


def test_an_opened_post_and_a_playback_are_written_down_once_an_hour(
    api: RunningApi,
    engine: Engine,
    fan: User,
    creator: User,
    publish: Publisher,
    make_post: MakePost,
) -> None:
    media = publish.image(creator)
    post = make_post(creator, media=[media])
    client = api.client(fan)
    for _ in range(2):
        assert client.get(f"/api/v1/posts/{post.id}", headers=AGENT).status_code == 200
        played = client.post(f"/api/v1/media/{media.id}/playback", headers=AGENT)
        assert played.status_code == 200, played.text
    entries = written(engine, least=2)
    # Unless the hour was over between the two rounds.
    by_hour = {(each.item_type, each.item_id, each.hour) for each in entries}
    assert len(by_hour) == len(entries)
    assert {(each.item_type, each.item_id) for each in entries} == {
        ("post", post.id),
        ("media", media.id),
    }
    for each in entries:
        assert (each.fan_id, each.creator_id) == (fan.id, creator.id)
        assert each.agent == "Firefox on Linux"
        assert each.address is not None


def test_what_needs_no_right_is_not_written_down(
    api: RunningApi, engine: Engine, fan: User, creator: User, make_post: MakePost
) -> None:
    public = make_post(creator, audience="public")
    paid = make_post(creator)
    for reader in (fan, creator):
        assert api.client(reader).get(f"/api/v1/posts/{public.id}").status_code == 200
    assert api.client(creator).get(f"/api/v1/posts/{paid.id}").status_code == 200
    assert api.client(fan).get(f"/api/v1/posts/{paid.id}").status_code == 200
    assert [each.item_id for each in written(engine, least=1)] == [paid.id]


def test_a_bought_message_that_is_read_is_written_down(
    api: RunningApi,
    engine: Engine,
    fan: User,
    creator: User,
    entitle: Entitle,
) -> None:
    first, second, _locked = (
        write_message(engine, creator, fan, price_minor=500, currency="USD") for _ in range(3)
    )
    write_message(engine, creator, fan)
    for bought in (first, second):
        entitle(fan, creator_id=creator.id, message_id=bought.id, source="unlock")
    path = f"/api/v1/conversations/{first.conversation_id}/messages"
    for reader in (creator, fan, fan):
        answer = api.client(reader).get(path, headers=AGENT)
        assert (answer.status_code, len(answer.json()["data"])) == (200, 4)
    entries = written(engine, least=2)
    assert {(each.item_type, each.item_id, each.fan_id) for each in entries} == {
        ("message", first.id, fan.id),
        ("message", second.id, fan.id),
    }
    for each in entries:
        assert (each.creator_id, each.agent) == (creator.id, "Firefox on Linux")
        assert each.address is not None
