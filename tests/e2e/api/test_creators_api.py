"""Creators as others meet them: profiles, follows, and what creators set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import Creator, Post, User
from infra.storage import Storage
from tests.e2e.api.people import (
    CREATORS,
    ME,
    Json,
    block_country,
    block_row,
    change_user,
    close,
    draw,
    edit,
    follow_row,
    refused,
    suspend,
)
from tests.e2e.api.test_blocks_api import followers_of
from tests.harness.api import RunningApi, StartApi
from tests.harness.rows import Entitle, MakeMedia, MakeUser

NOW = datetime.now(UTC)
COUNTRY = "cf-ipcountry"


def no_traces(answer: httpx.Response) -> Json:
    """The body of a refusal, without what differs between any two requests."""
    body: Json = answer.json()
    return {name: value for name, value in body.items() if name not in ("instance", "request_id")}


def publish_post(engine: Engine, creator: User, **columns: Any) -> None:
    values = {"state": "published", "audience": "public", "published_at": NOW}
    with transaction(engine) as session:
        session.add(Post(id=new_id(), creator_id=creator.id, **(values | columns)))


# --- profiles --------------------------------------------------------------------------------


def test_a_profile_shows_what_is_public_and_nothing_else(
    api: RunningApi,
    make_user: MakeUser,
    make_media: MakeMedia,
    engine: Engine,
    storage: Storage,
) -> None:
    creator = make_user(
        role=Role.CREATOR,
        handle="mia",
        display_name="Mia",
        bio="Light.",
        email="mia@example.com",
        settings={"language": "de"},
    )
    avatar = make_media(owner=creator, purpose="avatar", state="ready", visibility="public")
    draw(engine, storage, avatar)
    change_user(engine, creator, avatar_media_id=avatar.id)
    publish_post(engine, creator)
    publish_post(engine, creator, state="draft", published_at=None)
    answer = api.client().get(f"{CREATORS}/Mia")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {
        *("id", "handle", "display_name", "avatar", "bio", "cover"),
        *("follower_count", "post_count", "creator_since", "viewer"),
    }
    assert (body["handle"], body["bio"], body["post_count"]) == ("mia", "Light.", 1)
    assert body["viewer"] == {"follows": False, "subscribed": False, "subscribed_until": None}
    assert f"/m/{avatar.id}/" in body["avatar"]["sources"][0]["url"]
    assert "mia@example.com" not in answer.text


def test_a_profile_tells_how_the_viewer_stands_to_it(
    api: RunningApi, make_user: MakeUser, entitle: Entitle, engine: Engine
) -> None:
    creator, fan = make_user(role=Role.CREATOR, handle="mia"), make_user()
    client = api.client(fan)
    follow_row(engine, fan, creator)
    entitle(fan, creator_id=creator.id)
    gift = client.get(f"{CREATORS}/mia").json()["viewer"]
    assert gift == {"follows": True, "subscribed": False, "subscribed_until": None}
    ends = NOW + timedelta(days=3)
    entitle(fan, creator_id=creator.id, source="subscription", expires_at=ends)
    viewer = client.get(f"{CREATORS}/mia").json()["viewer"]
    assert viewer["subscribed"] is True
    assert datetime.fromisoformat(viewer["subscribed_until"]) == ends
    entitle(fan, creator_id=creator.id, source="subscription")
    assert client.get(f"{CREATORS}/mia").json()["viewer"]["subscribed_until"] is None


def test_counts_are_shown_to_others_as_the_creator_wants(
    api: RunningApi, make_user: MakeUser
) -> None:
    hidden = {"show_follower_count": False, "show_post_count": False}
    creator = make_user(role=Role.CREATOR, handle="mia", settings=hidden)
    viewers = (None, make_user(), creator, make_user(role=Role.MODERATOR))
    seen = [api.client(viewer).get(f"{CREATORS}/mia").json() for viewer in viewers]
    assert [body["follower_count"] for body in seen] == [None, None, 0, 0]
    assert [body["post_count"] for body in seen] == [None, None, 0, 0]
    [found] = api.client().get(CREATORS, params={"q": "mia"}).json()["data"]
    assert found["follower_count"] is None


def test_whoever_may_not_know_of_a_creator_hears_what_is_said_of_none(
    start_api: StartApi, make_user: MakeUser, engine: Engine
) -> None:
    api = start_api(country_header=COUNTRY)
    fan = make_user()
    blocking, blocked, abroad, suspended, closed = (make_user(role=Role.CREATOR) for _ in range(5))
    block_row(engine, blocking, fan)
    block_row(engine, fan, blocked)
    block_country(engine, abroad, "DE")
    suspend(engine, suspended)
    close(engine, closed)
    client = api.client(fan)
    client.headers[COUNTRY] = "DE"
    nobody = no_traces(client.get(f"{CREATORS}/nobody"))
    assert nobody["code"] == "creator_not_found"
    hidden = (blocking, blocked, abroad, suspended, closed, make_user())
    for creator in hidden:
        assert no_traces(client.get(f"{CREATORS}/{creator.handle}")) == nobody
        assert no_traces(client.put(f"{CREATORS}/{creator.id}/follow")) == nobody
    for handle in ("no%20body", "%00", "..mia", "x" * 40, "mía"):
        assert no_traces(client.get(f"{CREATORS}/{handle}")) == nobody
    client.headers[COUNTRY] = "FR"
    assert client.get(f"{CREATORS}/{abroad.handle}").status_code == 200
    # The creator and staff are not kept away by regions, nor staff by blocks.
    own, staff = api.client(abroad), api.client(make_user(role=Role.MODERATOR))
    for reader in (own, staff):
        reader.headers[COUNTRY] = "DE"
        assert reader.get(f"{CREATORS}/{abroad.handle}").status_code == 200


def test_a_profile_that_has_not_changed_is_not_sent_again(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator, fan = make_user(role=Role.CREATOR, handle="mia"), make_user()
    client = api.client(fan)
    first = client.get(f"{CREATORS}/mia")
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    same = client.get(f"{CREATORS}/mia", headers={"if-none-match": f'"x", {etag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    follow_row(engine, fan, creator)
    other = client.get(f"{CREATORS}/mia", headers={"if-none-match": etag})
    assert other.status_code == 200
    assert other.headers["etag"] != etag


# --- follows ---------------------------------------------------------------------------------


def test_a_follow_counts_once_and_its_end_once(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator, fan = make_user(role=Role.CREATOR), make_user()
    client = api.client(fan)
    for _ in range(2):
        assert client.put(f"{CREATORS}/{creator.id}/follow").status_code == 204
    assert followers_of(engine, creator) == (1, 1)
    for _ in range(2):
        assert client.delete(f"{CREATORS}/{creator.id}/follow").status_code == 204
    assert followers_of(engine, creator) == (0, 0)


def test_nobody_follows_themselves_or_one_who_does_not_publish(
    api: RunningApi, make_user: MakeUser
) -> None:
    creator = make_user(role=Role.CREATOR)
    client = api.client(creator)
    refused(client.put(f"{CREATORS}/{creator.id}/follow"), 422, "follow_self")
    for user_id in (make_user().id, new_id()):
        refused(client.put(f"{CREATORS}/{user_id}/follow"), 404, "creator_not_found")
        assert client.delete(f"{CREATORS}/{user_id}/follow").status_code == 204


def test_followers_are_counted_exactly_whatever_many_do_at_once(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator = make_user(role=Role.CREATOR)
    fans = [make_user() for _ in range(6)]
    path = f"{CREATORS}/{creator.id}/follow"
    clients = [(method, api.client(fan)) for fan in fans for method in ("PUT", "DELETE") * 4]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda call: call[1].request(call[0], path), clients)
        assert {answer.status_code for answer in answers} == {204}
    counted, there = followers_of(engine, creator)
    assert counted == there


def test_no_follow_slips_through_beside_a_block(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator = make_user(role=Role.CREATOR)
    fans = [make_user() for _ in range(6)]
    blocking = api.client(creator)
    calls: list[tuple[httpx.Client, str]] = []
    for fan in fans:
        calls += [
            (api.client(fan), f"{CREATORS}/{creator.id}/follow"),
            (blocking, f"{ME}/blocks/{fan.id}"),
            (api.client(fan), f"{CREATORS}/{creator.id}/follow"),
        ]
    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda call: call[0].put(call[1]), calls))
    assert {answer.status_code for answer in answers} <= {204, 404}
    assert followers_of(engine, creator) == (0, 0)


def test_follows_and_edits_of_a_creator_do_not_wait_for_each_other_in_a_circle(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator = make_user(role=Role.CREATOR)
    owner, any_version = api.client(creator), {"if-match": "*"}
    fans = [api.client(make_user()) for _ in range(20)]

    def settle(fan: httpx.Client) -> set[int]:
        body = {"blocked_countries": ["US"]}
        return {
            fan.put(f"{CREATORS}/{creator.id}/follow").status_code,
            owner.patch(SETTINGS, json=body, headers=any_version).status_code,
            owner.patch(ME, json={"bio": "x"}, headers=any_version).status_code,
        }

    with ThreadPoolExecutor(8) as pool:
        for statuses in pool.map(settle, fans):
            assert statuses == {200, 204}
    assert followers_of(engine, creator) == (20, 20)


def test_lists_of_follows_leave_out_who_is_gone_and_who_hides(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator, other = make_user(role=Role.CREATOR), make_user(role=Role.CREATOR)
    named, gone = make_user(), make_user()
    unnamed = make_user(settings={"show_follows": False})
    for fan in (named, gone, unnamed):
        follow_row(engine, fan, creator)
    follow_row(engine, named, other)
    close(engine, gone)
    page = api.client(creator).get(f"{CREATORS}/me/followers").json()
    assert [item["user"]["id"] for item in page["data"]] == [named.id]
    client = api.client(named)
    first = client.get(f"{ME}/following", params={"limit": 1}).json()
    assert [item["user"]["id"] for item in first["data"]] == [other.id]
    second = client.get(f"{ME}/following", params={"cursor": first["next_cursor"]}).json()
    assert [item["user"]["id"] for item in second["data"]] == [creator.id]
    assert (second["has_more"], second["next_cursor"]) == (False, None)
    suspend(engine, creator)
    assert len(client.get(f"{ME}/following").json()["data"]) == 1


@pytest.mark.parametrize("path", ["/following", "/blocks", "/entitlements"])
def test_lists_of_ones_own_end_with_the_account(
    api: RunningApi, make_user: MakeUser, engine: Engine, path: str
) -> None:
    fan = make_user()
    suspend(engine, fan)
    refused(api.client(fan).get(f"{ME}{path}"), 401, "session_ended")


# --- settings --------------------------------------------------------------------------------

SETTINGS = f"{CREATORS}/me/settings"


def test_creators_choose_where_they_are_not_seen(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator = make_user(role=Role.CREATOR)
    client = api.client(creator)
    before = client.get(SETTINGS)
    shown = {
        "watermark_enabled": True,
        "blocked_countries": [],
        "currency": "USD",
        "subscriber_discount_bps": 0,
        "tip_minimum_minor": None,
    }
    assert before.json() == shown
    edited = edit(client, SETTINGS, blocked_countries=["US", "DE", "US"])
    assert edited.json() == shown | {"blocked_countries": ["DE", "US"]}
    late = client.patch(
        SETTINGS, json={"watermark_enabled": False}, headers={"if-match": before.headers["etag"]}
    )
    refused(late, 412, "precondition_failed")
    refused(client.patch(SETTINGS, json={}), 428, "precondition_required")
    assert edit(client, SETTINGS, watermark_enabled=False).json()["watermark_enabled"] is False
    with transaction(engine) as session:
        assert session.get_one(Creator, creator.id).blocked_countries == ["DE", "US"]


@pytest.mark.parametrize("country", ["XX", "de", "UK", "DEU", "", 49, None])
def test_what_is_no_country_is_refused(
    api: RunningApi, make_user: MakeUser, country: object
) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    answer = edit(client, SETTINGS, blocked_countries=["DE", country])
    refused(answer, 422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "#/blocked_countries/1"


def test_only_creators_have_them(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user())
    refused(client.get(SETTINGS), 403, "creators_only")
    refused(edit(client, SETTINGS, watermark_enabled=False), 403, "creators_only")
    refused(client.get(f"{CREATORS}/me/followers"), 403, "creators_only")
