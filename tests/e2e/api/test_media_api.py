"""Seeing, listing, editing, deleting and re-processing media over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from temporalio.client import Client, WorkflowExecutionStatus

from domain.accounts import Role
from domain.ids import delete_workflow_id, ingest_workflow_id
from infra.db import transaction
from infra.models import AuditEntry, Media, User
from tests.e2e.api.published import Publisher
from tests.e2e.api.uploading import UPLOADS, announce
from tests.harness.api import RunningApi, StartApi
from tests.harness.rows import Entitle, MakeMedia, MakeUser

MEDIA = "/api/v1/media"


def row(engine: Engine, media_id: str) -> Media:
    with transaction(engine) as session:
        return session.get_one(Media, media_id)


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


def test_an_owner_sees_everything(api: RunningApi, creator: User, publish: Publisher) -> None:
    media = publish.image(creator, visibility="private")
    answer = api.client(creator).get(f"{MEDIA}/{media.id}")
    body = answer.json()
    assert answer.headers["etag"] == '"v1"'
    assert body["access"] == {"allowed": True, "reason": "owner", "expires_at": None, "offers": []}
    assert body["manage"]["file_name"] == "photo.jpg"
    assert {each["name"] for each in body["renditions"]} == {
        "w640.webp",
        "w640.jpg",
        "thumb.jpg",
        "blur.jpg",
    }


def test_an_entitled_viewer_gets_addresses_that_hold_for_minutes(
    api: RunningApi, creator: User, make_user: MakeUser, entitle: Entitle, publish: Publisher
) -> None:
    media, fan = publish.image(creator, stored=True), make_user()
    entitle(fan, creator_id=creator.id)
    body = api.client(fan).get(f"{MEDIA}/{media.id}").json()
    assert (body["access"]["reason"], body["title"]) == ("entitled", "Only for you")
    assert body["manage"] is None
    nobody = api.client()
    for each in body["renditions"]:
        assert nobody.get(each["url"]).content == each["name"].encode()
    left = datetime.fromisoformat(body["urls_expire_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)


def test_a_stranger_of_a_gated_media_gets_the_blur_and_nothing_else(
    api: RunningApi, creator: User, make_user: MakeUser, publish: Publisher
) -> None:
    media = publish.image(creator, stored=True)
    client = api.client(make_user())
    body = client.get(f"{MEDIA}/{media.id}").json()
    assert body["access"]["allowed"] is False
    assert [offer["kind"] for offer in body["access"]["offers"]] == ["subscribe"]
    assert [each["name"] for each in body["renditions"]] == ["blur.jpg"]
    assert api.client().get(body["renditions"][0]["url"]).content == b"blur.jpg"
    assert (body["width"], body["height"], body["kind"]) == (1600, 900, "image")
    assert (body["title"], body["alt_text"], body["manage"]) == (None, None, None)
    text = client.get(f"{MEDIA}/{media.id}").text
    assert "w640" not in text
    assert "X-Amz-Signature" not in text


def test_a_right_that_is_over_or_revoked_locks_at_once(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    entitle: Entitle,
    publish: Publisher,
    engine: Engine,
) -> None:
    media, fan = publish.image(creator), make_user()
    right = entitle(fan, creator_id=creator.id, media_id=media.id)
    client = api.client(fan)
    assert client.get(f"{MEDIA}/{media.id}").json()["access"]["allowed"] is True
    for column in ("revoked_at", "expires_at"):
        with transaction(engine) as session:
            values = {"revoked_at": None, "expires_at": None} | {column: datetime.now(UTC)}
            session.execute(update(type(right)).values(**values))
        assert client.get(f"{MEDIA}/{media.id}").json()["access"]["allowed"] is False


def test_a_right_on_another_media_or_creator_opens_nothing(
    api: RunningApi, creator: User, make_user: MakeUser, entitle: Entitle, publish: Publisher
) -> None:
    media, other, fan = publish.image(creator), publish.image(creator), make_user()
    entitle(fan, creator_id=creator.id, media_id=other.id)
    entitle(fan, creator_id=make_user(role=Role.CREATOR).id)
    entitle(make_user(), creator_id=creator.id)
    body = api.client(fan).get(f"{MEDIA}/{media.id}").json()
    assert body["access"]["allowed"] is False


def test_a_demoted_moderator_loses_sight_at_the_next_request(
    api: RunningApi, creator: User, make_user: MakeUser, publish: Publisher, engine: Engine
) -> None:
    media = publish.image(creator, visibility="private")
    moderator = make_user(role=Role.MODERATOR)
    client = api.client(moderator)
    assert client.get(f"{MEDIA}/{media.id}").status_code == 200
    with transaction(engine) as session:
        session.get_one(User, moderator.id).role = Role.FAN
    assert client.get(f"{MEDIA}/{media.id}").status_code == 404


def test_a_closed_account_is_unauthenticated_at_the_next_request(
    api: RunningApi, make_user: MakeUser, creator: User, publish: Publisher, engine: Engine
) -> None:
    media, fan = publish.image(creator, visibility="public"), make_user()
    client = api.client(fan)
    assert client.get(f"{MEDIA}/{media.id}").status_code == 200
    with transaction(engine) as session:
        session.get_one(User, fan.id).deleted_at = datetime.now(UTC)
    answer = client.get(f"{MEDIA}/{media.id}")
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


def test_what_staff_look_at_is_written_down(
    api: RunningApi, make_user: MakeUser, creator: User, publish: Publisher, engine: Engine
) -> None:
    media, moderator = publish.image(creator), make_user(role=Role.MODERATOR)
    client = api.client(moderator)
    client.get(f"{MEDIA}/{media.id}")
    client.post(f"{MEDIA}/{media.id}/playback")
    with transaction(engine) as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [entry.action for entry in entries] == ["media.viewed", "media.played"]
    assert {(entry.actor_id, entry.actor_name) for entry in entries} == {
        (moderator.id, moderator.handle)
    }


@pytest.mark.parametrize(("state", "entries"), [("ready", 0), ("held", 1)])
def test_public_media_that_is_held_is_open_by_office_only(
    api: RunningApi,
    make_user: MakeUser,
    creator: User,
    publish: Publisher,
    engine: Engine,
    state: str,
    entries: int,
) -> None:
    media, moderator = publish.image(creator, visibility="public"), make_user(role=Role.MODERATOR)
    with transaction(engine) as session:
        session.get_one(Media, media.id).state = state
    assert api.client(moderator).get(f"{MEDIA}/{media.id}").status_code == 200
    with transaction(engine) as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == entries


def test_an_owner_sees_why_a_file_was_rejected(
    api: RunningApi, creator: User, make_media: MakeMedia
) -> None:
    media = make_media(
        owner=creator, state="rejected", rejection_code="decompression_bomb", rejection_detail=None
    )
    rejection = api.client(creator).get(f"{MEDIA}/{media.id}").json()["manage"]["rejection"]
    assert rejection["code"] == "decompression_bomb"
    assert "Scale it down" in rejection["detail"]


# --- list ------------------------------------------------------------------------------------


def test_a_list_is_paged_newest_first_without_gaps_or_repeats(
    api: RunningApi, creator: User, make_media: MakeMedia, make_user: MakeUser
) -> None:
    moment = datetime.now(UTC)
    made = [make_media(owner=creator, created_at=moment).id for _ in range(5)]
    made += [make_media(owner=creator, created_at=moment - timedelta(days=1)).id]
    make_media(owner=make_user(role=Role.CREATOR))
    client, seen, cursor = api.client(creator), [], ""
    while True:
        page = client.get(f"{MEDIA}?limit=2{cursor}").json()
        seen += [each["id"] for each in page["data"]]
        assert page["has_more"] is (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [*sorted(made[:5], reverse=True), made[5]]


def test_a_list_filters_and_leaves_out_what_is_gone(
    api: RunningApi, creator: User, make_media: MakeMedia, publish: Publisher
) -> None:
    image = publish.image(creator)
    video = publish.video(creator)
    rejected = make_media(owner=creator, state="rejected", rejection_code="corrupt_media")
    make_media(owner=creator, state="deleted")
    make_media(owner=creator, state="expired")
    client = api.client(creator)

    def ids(query: str) -> list[str]:
        return [each["id"] for each in client.get(f"{MEDIA}{query}").json()["data"]]

    assert ids("") == [rejected.id, video.id, image.id]
    assert ids("?state=rejected") == [rejected.id]
    assert ids("?kind=video") == [video.id]
    assert ids("?kind=video&state=rejected") == []
    page = client.get(MEDIA).json()["data"]
    assert ["thumb.jpg" in (each["thumbnail_url"] or "") for each in page] == [False, False, True]
    assert "poster.jpg" in page[1]["thumbnail_url"]


def test_a_cursor_that_no_list_gave_out_is_refused(api: RunningApi, creator: User) -> None:
    answer = api.client(creator).get(f"{MEDIA}?cursor=abc")
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


# --- edit ------------------------------------------------------------------------------------


def test_an_edit_needs_the_etag_that_was_read(
    api: RunningApi, creator: User, publish: Publisher
) -> None:
    media, client = publish.image(creator), api.client(creator)
    url = f"{MEDIA}/{media.id}"
    etag = client.get(url).headers["etag"]
    edited = client.patch(url, json={"title": "New", "alt_text": None}, headers={"if-match": etag})
    assert edited.status_code == 200
    assert (edited.json()["title"], edited.json()["alt_text"]) == ("New", None)
    assert edited.headers["etag"] == '"v2"' != etag
    late = client.patch(url, json={"title": "Late"}, headers={"if-match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert late.json()["facts"] == {"current_version": 2}
    assert client.get(url).json()["title"] == "New"
    anyway = client.patch(url, json={"visibility": "public"}, headers={"if-match": "*"})
    assert (anyway.json()["visibility"], anyway.json()["title"]) == ("public", "New")


def test_going_private_hides_a_media_from_its_fans_at_once(
    api: RunningApi, creator: User, make_user: MakeUser, entitle: Entitle, publish: Publisher
) -> None:
    media, fan = publish.image(creator), make_user()
    entitle(fan, creator_id=creator.id)
    url = f"{MEDIA}/{media.id}"
    assert api.client(fan).get(url).status_code == 200
    api.client(creator).patch(url, json={"visibility": "private"}, headers={"if-match": "*"})
    assert api.client(fan).get(url).status_code == 404


# --- delete ----------------------------------------------------------------------------------


async def test_a_deleted_media_is_hidden_at_once_and_its_erasure_is_started(
    api: RunningApi,
    creator: User,
    publish: Publisher,
    engine: Engine,
    temporal_client: Client,
) -> None:
    media, client = publish.image(creator, visibility="public"), api.client(creator)
    answer = client.delete(f"{MEDIA}/{media.id}")
    assert (answer.status_code, answer.headers["location"]) == (202, f"{MEDIA}/{media.id}")
    assert client.get(f"{MEDIA}/{media.id}").status_code == 404
    assert client.get(MEDIA).json()["data"] == []
    assert client.delete(f"{MEDIA}/{media.id}").status_code == 404
    stored = row(engine, media.id)
    assert (stored.state, stored.erased_at) == ("deleted", None)
    run = temporal_client.get_workflow_handle(delete_workflow_id(media.id))
    assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
    await run.terminate()


def test_deleting_a_media_gives_its_open_upload_up(api: RunningApi, creator: User) -> None:
    client = api.client(creator)
    upload = announce(client)
    assert client.delete(f"{MEDIA}/{upload['media_id']}").status_code == 202
    assert client.get(f"{UPLOADS}/{upload['id']}").json()["state"] == "aborted"


def test_a_rejected_media_can_be_deleted(
    api: RunningApi, creator: User, make_media: MakeMedia, engine: Engine
) -> None:
    media = make_media(owner=creator, state="rejected", rejection_code="infected")
    assert api.client(creator).delete(f"{MEDIA}/{media.id}").status_code == 202
    assert row(engine, media.id).state == "deleted"


# --- process again, cancel -------------------------------------------------------------------


async def test_reprocessing_is_a_new_generation_while_the_old_one_is_served(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    entitle: Entitle,
    publish: Publisher,
    engine: Engine,
    temporal_client: Client,
) -> None:
    media, fan = publish.video(creator), make_user()
    entitle(fan, creator_id=creator.id)
    client = api.client(creator)
    answer = client.post(f"{MEDIA}/{media.id}/renditions/360p/retry")
    assert (answer.status_code, answer.headers["location"]) == (202, f"{MEDIA}/{media.id}")
    stored = row(engine, media.id)
    assert (stored.generation, stored.published_generation) == (2, 1)
    assert stored.plan == {"only_renditions": ["360p"]}
    assert api.client(fan).post(f"{MEDIA}/{media.id}/playback").status_code == 200
    again = client.post(f"{MEDIA}/{media.id}/reprocess")
    assert (again.status_code, again.json()["code"]) == (409, "already_processing")
    run = temporal_client.get_workflow_handle(ingest_workflow_id(media.id, 2))
    assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
    await run.terminate()


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"state": "uploading"}, "not_processed"),
        ({"state": "held"}, "held_for_review"),
        ({"state": "rejected", "rejection_code": "infected"}, "sealed_original"),
        ({"state": "rejected", "rejection_code": "blocked_content"}, "sealed_original"),
        (
            {"state": "failed", "original_deleted_at": datetime(2026, 1, 1, tzinfo=UTC)},
            "original_gone",
        ),
    ],
)
def test_what_can_not_be_processed_again_is_refused(
    api: RunningApi,
    creator: User,
    make_media: MakeMedia,
    columns: dict[str, object],
    code: str,
) -> None:
    media = make_media(owner=creator, **columns)
    answer = api.client(creator).post(f"{MEDIA}/{media.id}/reprocess", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_an_unknown_rendition_can_not_be_made_again(
    api: RunningApi, creator: User, publish: Publisher, engine: Engine
) -> None:
    media, client = publish.video(creator), api.client(creator)
    for answer in (
        client.post(f"{MEDIA}/{media.id}/renditions/9000p/retry"),
        client.post(f"{MEDIA}/{media.id}/reprocess", json={"renditions": ["360p", "9000p"]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "rendition_unknown")
    assert row(engine, media.id).generation == 1


async def test_cancelling_ends_the_run(
    api: RunningApi, creator: User, publish: Publisher, temporal_client: Client
) -> None:
    media, client = publish.image(creator), api.client(creator)
    client.post(f"{MEDIA}/{media.id}/reprocess")
    assert client.post(f"{MEDIA}/{media.id}/cancel").status_code == 202
    run = temporal_client.get_workflow_handle(ingest_workflow_id(media.id, 2))
    events = [event async for event in run.fetch_history_events()]
    assert any(
        event.HasField("workflow_execution_cancel_requested_event_attributes") for event in events
    )
    await run.terminate()


def test_cancelling_what_no_run_works_on_settles_the_row(
    api: RunningApi, creator: User, make_media: MakeMedia, publish: Publisher, engine: Engine
) -> None:
    client = api.client(creator)
    fresh = make_media(owner=creator, state="processing")
    served = publish.image(creator, state="playable", generation=2)
    for media, state in ((fresh, "cancelled"), (served, "ready")):
        assert client.post(f"{MEDIA}/{media.id}/cancel").status_code == 202
        assert row(engine, media.id).state == state
        answer = client.post(f"{MEDIA}/{media.id}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_processing")


def test_cancelling_needs_temporal_and_says_so(
    start_api: StartApi, creator: User, make_media: MakeMedia, engine: Engine
) -> None:
    client = start_api(temporal_address="127.0.0.1:1").client(creator)
    media = make_media(owner=creator, state="processing")
    answer = client.post(f"{MEDIA}/{media.id}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (503, "workflows_unavailable")
    assert row(engine, media.id).state == "processing"
