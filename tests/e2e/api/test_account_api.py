"""One's own account: profile, settings, handle, and what an app gets at start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from domain.accounts import Role
from domain.errors import Conflict
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuditEntry, CreatorApplication, FormerHandle, Media, Rendition, User
from infra.queries.accounts import create_user
from infra.storage import Storage
from tests.e2e.api.people import (
    ME,
    change_user,
    draw,
    edit,
    etag_of_me,
    follow_row,
    refused,
    suspend,
)
from tests.harness.api import RunningApi
from tests.harness.rows import Entitle, MakeMedia, MakeUser

NOW = datetime.now(UTC)


def test_me_tells_the_caller_everything_of_themselves(
    api: RunningApi, make_user: MakeUser, entitle: Entitle, engine: Engine
) -> None:
    creator = make_user(role=Role.CREATOR)
    fan = make_user(handle="mia", display_name="Mia", email="mia@example.com")
    follow_row(engine, fan, creator)
    entitle(fan, creator_id=creator.id)
    entitle(fan, creator_id=creator.id, expires_at=NOW - timedelta(minutes=1))
    answer = api.client(fan).get(ME)
    assert answer.headers["etag"] == '"v1"'
    assert answer.headers["cache-control"] == "private, no-store"
    body = answer.json()
    assert body["email"] == "mia@example.com"
    assert body["email_verified"] is False
    assert body["counts"] == {"following": 1, "blocked": 0, "entitlements": 1}
    assert body["settings"] == {
        "language": "en",
        "time_zone": "UTC",
        "show_follows": True,
        "discoverable": True,
        "show_follower_count": True,
        "show_post_count": True,
    }
    assert "password_hash" not in answer.text


def test_a_closed_or_suspended_account_is_signed_out_everywhere(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    fan = make_user()
    client = api.client(fan)
    etag = etag_of_me(client)
    suspend(engine, fan)
    for answer in (
        client.get(ME),
        client.get(f"{ME}/bootstrap"),
        client.patch(ME, json={"bio": "x"}, headers={"if-match": etag}),
        client.put(f"{ME}/handle", json={"handle": "other"}),
        client.put(f"{ME}/blocks/{new_id()}"),
    ):
        refused(answer, 401, "session_ended")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("  Mia   Tanaka ", "Mia Tanaka"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("田中みあ", "田中みあ"),
        ("💃", "💃"),
        ("x" * 50, "x" * 50),
    ],
)
def test_a_display_name_is_tidied_up(
    api: RunningApi, make_user: MakeUser, given: str, stored: str
) -> None:
    answer = edit(api.client(make_user()), display_name=given)
    assert answer.status_code == 200, answer.text
    assert answer.json()["display_name"] == stored


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 51, "a\u202egnp.exe", "mia\x00", "\u200b", None, 7]
)
def test_a_display_name_that_misleads_is_refused(
    api: RunningApi, make_user: MakeUser, name: object
) -> None:
    answer = edit(api.client(make_user()), display_name=name)
    refused(answer, 422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "#/display_name"


def test_an_edit_needs_the_etag_of_what_it_edits(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user())
    refused(client.patch(ME, json={"bio": "x"}), 428, "precondition_required")
    first = etag_of_me(client)
    edited = client.patch(ME, json={"bio": "one"}, headers={"if-match": first})
    assert (edited.status_code, edited.headers["etag"]) == (200, '"v2"')
    late = client.patch(ME, json={"bio": "two"}, headers={"if-match": first})
    assert refused(late, 412, "precondition_failed") == {"current_version": 2}
    late = client.patch(f"{ME}/settings", json={"language": "de"}, headers={"if-match": first})
    refused(late, 412, "precondition_failed")
    assert client.get(ME).json()["bio"] == "one"


def test_of_two_edits_at_once_one_wins(api: RunningApi, make_user: MakeUser) -> None:
    fan = make_user()
    clients = [api.client(fan) for _ in range(4)]
    etag = etag_of_me(clients[0])
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(
            lambda client: client.patch(ME, json={"bio": "x"}, headers={"if-match": etag}), clients
        )
        statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 412, 412, 412]


# --- pictures --------------------------------------------------------------------------------


def picture(make_media: MakeMedia, owner: User, **columns: Any) -> Media:
    values = {"purpose": "avatar", "state": "ready", "visibility": "public"}
    return make_media(owner=owner, **(values | columns))


def test_avatar_and_cover_are_shown_in_their_sizes_and_can_be_taken_away(
    api: RunningApi, make_user: MakeUser, make_media: MakeMedia, engine: Engine, storage: Storage
) -> None:
    creator = make_user(role=Role.CREATOR)
    avatar = picture(make_media, creator, thumbhash="1QcSHQ")
    cover = picture(make_media, creator, purpose="cover")
    for media in (avatar, cover):
        draw(engine, storage, media)
    client = api.client(creator)
    body = edit(client, avatar_media_id=avatar.id, cover_media_id=cover.id).json()
    assert body["avatar_media_id"] == avatar.id
    assert body["avatar"]["thumbhash"] == "1QcSHQ"
    [source] = body["avatar"]["sources"]
    assert (source["width"], source["content_type"]) == (256, "image/webp")
    assert f"/m/{avatar.id}/1/thumbnail256.webp?" in source["url"]
    assert [each["width"] for each in body["cover"]["sources"]] == [320, 640, 1440]
    kept = edit(client, bio="Hello").json()
    assert kept["avatar_media_id"] == avatar.id
    cleared = edit(client, avatar_media_id=None).json()
    assert cleared["avatar_media_id"] is cleared["avatar"] is None
    assert cleared["cover"] is not None


@pytest.mark.parametrize(
    ("columns", "status", "code"),
    [
        ({"purpose": "post"}, 422, "picture_of_other_purpose"),
        ({"purpose": "cover"}, 422, "picture_of_other_purpose"),
        ({"visibility": "private"}, 422, "picture_not_public"),
        ({"state": "processing"}, 409, "picture_not_ready"),
        ({"state": "held"}, 409, "picture_not_ready"),
        ({"state": "deleted"}, 422, "picture_not_found"),
    ],
)
def test_a_picture_that_can_not_be_an_avatar_is_refused(
    api: RunningApi,
    make_user: MakeUser,
    make_media: MakeMedia,
    columns: dict[str, str],
    status: int,
    code: str,
) -> None:
    fan = make_user()
    media = picture(make_media, fan, **columns)
    refused(edit(api.client(fan), avatar_media_id=media.id), status, code)


def test_somebody_elses_picture_is_as_little_there_as_none(
    api: RunningApi, make_user: MakeUser, make_media: MakeMedia
) -> None:
    fan, other = make_user(), picture(make_media, make_user())
    for media_id in (other.id, new_id()):
        facts = refused(edit(api.client(fan), avatar_media_id=media_id), 422, "picture_not_found")
        assert facts == {"media_id": media_id}


@pytest.mark.parametrize("columns", [{"state": "deleted"}, {"visibility": "private"}])
def test_a_picture_that_is_no_longer_public_is_not_shown(
    api: RunningApi,
    make_user: MakeUser,
    make_media: MakeMedia,
    engine: Engine,
    storage: Storage,
    columns: dict[str, str],
) -> None:
    fan = make_user()
    avatar = picture(make_media, fan)
    draw(engine, storage, avatar)
    client = api.client(fan)
    assert edit(client, avatar_media_id=avatar.id).json()["avatar"] is not None
    with transaction(engine) as session:
        session.execute(update(Media).where(Media.id == avatar.id).values(columns))
        assert session.scalars(select(Rendition)).first() is not None
    assert client.get(ME).json()["avatar"] is None


# --- settings --------------------------------------------------------------------------------


def test_settings_keep_what_was_not_changed(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user())
    path = f"{ME}/settings"
    edit(client, path, language="pt-BR", discoverable=False)
    answer = edit(client, path, time_zone="Europe/Berlin")
    assert answer.headers["etag"] == '"v3"'
    body = client.get(path).json()
    assert body == answer.json()
    assert (body["language"], body["time_zone"]) == ("pt-BR", "Europe/Berlin")
    assert (body["discoverable"], body["show_follows"]) == (False, True)


def test_a_setting_that_is_no_more_is_passed_over(api: RunningApi, make_user: MakeUser) -> None:
    fan = make_user(settings={"theme": "dark", "language": "de"})
    body = api.client(fan).get(f"{ME}/settings").json()
    assert body["language"] == "de"
    assert "theme" not in body


@pytest.mark.parametrize(
    "change",
    [
        {"language": "german"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"discoverable": None},
        {"theme": "dark"},
    ],
)
def test_a_setting_that_is_none_is_refused(
    api: RunningApi, make_user: MakeUser, change: dict[str, object]
) -> None:
    refused(edit(api.client(make_user()), f"{ME}/settings", **change), 422, "invalid_request")


# --- handle ----------------------------------------------------------------------------------


def change(client: Any, handle: str) -> Any:
    return client.put(f"{ME}/handle", json={"handle": handle})


def test_a_handle_changes_once_in_thirty_days_and_is_written_down(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    fan = make_user(handle="mia")
    client = api.client(fan)
    body = change(client, "mia.tanaka").json()
    assert body["handle"] == "mia.tanaka"
    again_at = datetime.fromisoformat(body["handle_may_change_at"])
    assert timedelta(days=29) < again_at - NOW < timedelta(days=31)
    facts = refused(change(client, "mia2"), 409, "handle_changed_recently")
    assert datetime.fromisoformat(facts["again_at"]) == again_at
    assert change(client, "mia.tanaka").status_code == 200, "no change is no second change"
    with transaction(engine) as session:
        [entry] = session.scalars(select(AuditEntry))
        assert (entry.action, entry.actor_id, entry.detail) == (
            "user.handle_changed",
            fan.id,
            {"old": "mia", "new": "mia.tanaka"},
        )
        assert entry.request_id
        session.execute(update(FormerHandle).values(given_up_at=NOW - timedelta(days=31)))
    assert client.get(ME).json()["handle_may_change_at"] is None
    assert change(client, "mia2").status_code == 200


def test_a_handle_that_was_given_up_stays_its_owners(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    mia, other = make_user(handle="mia"), make_user(handle="tom")
    assert change(api.client(mia), "mia2").status_code == 200
    assert refused(change(api.client(other), "mia"), 409, "handle_taken") == {"handle": "mia"}
    refused(change(api.client(other), "mia2"), 409, "handle_taken")
    wish = {"handle": "mia", "email": "m@example.com", "password": "violet teapot on the wall"}
    refused(api.client().post("/api/v1/auth/register", json=wish), 409, "handle_taken")
    with pytest.raises(Conflict), transaction(engine) as session:
        create_user(session, handle="mia", role=Role.FAN, display_name=None, operator="ada")
    with transaction(engine) as session:
        session.execute(update(FormerHandle).values(given_up_at=NOW - timedelta(days=31)))
    assert change(api.client(mia), "mia").json()["handle"] == "mia"
    refused(change(api.client(other), "mia2"), 409, "handle_taken")


@pytest.mark.parametrize(
    ("handle", "code"),
    [
        ("mi", "handle_invalid"),
        ("m" * 31, "handle_invalid"),
        ("Mia", "handle_invalid"),
        ("mía", "handle_invalid"),
        ("ｍｉａ", "handle_invalid"),
        ("mia\n", "handle_invalid"),
        (".mia", "handle_invalid"),
        ("mia.", "handle_invalid"),
        ("mi..a", "handle_invalid"),
        ("mi._a", "handle_invalid"),
        ("admin", "handle_reserved"),
        ("a.d-m_i.n", "handle_reserved"),
        ("me", "handle_invalid"),
    ],
)
def test_a_handle_that_breaks_the_rules_is_refused(
    api: RunningApi, make_user: MakeUser, handle: str, code: str
) -> None:
    refused(change(api.client(make_user()), handle), 422, code)


def test_of_two_who_want_one_handle_one_gets_it(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    clients = [api.client(make_user()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(
            answer.status_code for answer in pool.map(lambda each: change(each, "mia"), clients)
        )
    assert statuses == [200, 409, 409, 409]
    with transaction(engine) as session:
        assert len(session.scalars(select(FormerHandle)).all()) == 1


# --- bootstrap -------------------------------------------------------------------------------


def test_an_app_gets_all_it_needs_at_start(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    creator, fan = make_user(role=Role.CREATOR), make_user()
    follow_row(engine, fan, creator)
    body = api.client(creator).get(f"{ME}/bootstrap").json()
    assert body["me"]["id"] == creator.id
    assert body["creator"] == {
        "follower_count": 1,
        "post_count": 0,
        "watermark_enabled": True,
        "blocked_countries": [],
    }
    assert body["application"] is None
    change_user(engine, fan, settings={"language": "de"})
    with transaction(engine) as session:
        session.add(
            CreatorApplication(
                id=new_id(),
                user_id=fan.id,
                statement="Light and water.",
                state="rejected",
                reason="Tell us more.",
                decided_at=NOW,
                decided_by=creator.id,
            )
        )
    body = api.client(fan).get(f"{ME}/bootstrap").json()
    assert body["creator"] is None
    assert body["me"]["settings"]["language"] == "de"
    assert body["application"]["state"] == "rejected"
    assert datetime.fromisoformat(body["application"]["may_apply_again_at"]) == NOW + timedelta(
        days=14
    )
