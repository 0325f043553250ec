"""The door to gated media: what one statement gathers is what the decision needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, text

from domain.access import Caller, Grant, GrantSource, Viewer, decide, media_subject
from domain.accounts import Role
from domain.errors import NotFound, Unauthenticated, Unavailable
from domain.media.states import MediaState, RenditionKind, Visibility
from infra.db import transaction
from infra.ids import new_id
from infra.models import Entitlement, Media, Rendition, User
from infra.queries.access import decide_many, open_for_key, open_media
from infra.reads import ReadPool, Row
from infra.settings import Settings
from tests.harness.rows import Entitle, MakeMedia, MakeUser

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


class CountedReads(ReadPool):
    """Counts the statements that it sends."""

    statements = 0

    async def _fetch(self, sql: bytes, params: Mapping[str, Any]) -> list[Row]:
        self.statements += 1
        return await super()._fetch(sql, params)


@pytest.fixture
async def reads(settings: Settings, engine: Engine) -> AsyncIterator[CountedReads]:
    del engine  # Asked for, because it empties the tables.
    pool = CountedReads(settings)
    await pool.open()
    yield pool
    await pool.close()


def rendition(media: Media, kind: RenditionKind) -> Rendition:
    return Rendition(
        id=new_id(),
        media_id=media.id,
        generation=1,
        kind=kind.value,
        name=f"{kind.value}.jpg",
        content_type="image/jpeg",
        bucket="b",
        object_key="k",
        bytes=1,
        meta={},
    )


async def test_a_hundred_media_are_decided_by_one_statement(
    reads: CountedReads, make_user: MakeUser, make_media: MakeMedia, entitle: Entitle
) -> None:
    fan, creator = make_user(), make_user(role=Role.CREATOR)
    ids = [make_media(owner=creator, state="ready", visibility="gated").id for _ in range(10)]
    for media_id in ids[::2]:
        entitle(fan, creator_id=creator.id, media_id=media_id)
    asked = [*ids, *(new_id() for _ in range(90))]
    decisions = await decide_many(reads, caller=Caller(fan.id), media_ids=asked, now=NOW)
    assert reads.statements == 1
    assert [each.allowed for each in decisions] == [True, False] * 5 + [False] * 90
    assert all(each.hidden for each in decisions[10:])


@pytest.mark.parametrize("role", [Role.FAN, Role.CREATOR, Role.MODERATOR])
async def test_the_statement_and_the_pure_decision_agree(
    reads: CountedReads,
    make_user: MakeUser,
    make_media: MakeMedia,
    entitle: Entitle,
    engine: Engine,
    role: Role,
) -> None:
    """The statement leaves out rights that are over; that must never change a decision."""
    viewer, creator = make_user(role=role), make_user(role=Role.CREATOR)
    spans: list[dict[str, Any]] = [
        {"starts_at": NOW - HOUR, "expires_at": expires, "revoked_at": revoked}
        for expires in (None, NOW - HOUR, NOW + HOUR)
        for revoked in (None, NOW - HOUR, NOW + HOUR)
    ]
    spans.append({"starts_at": NOW + HOUR, "expires_at": None, "revoked_at": None})
    for span in spans:
        with transaction(engine) as session:
            session.execute(delete(Entitlement))
        entitle(viewer, creator_id=creator.id, **span)
        for visibility in Visibility:
            media = make_media(owner=creator, state="ready", visibility=visibility.value)
            [found] = await decide_many(
                reads, caller=Caller(viewer.id), media_ids=[media.id], now=NOW
            )
            grant = Grant(GrantSource.GIFT, **span)
            subject = media_subject(
                media_id=media.id,
                owner_id=creator.id,
                state=MediaState.READY,
                visibility=visibility,
            )
            assert found == decide(Viewer(viewer.id, role), subject, [grant], NOW)


async def test_the_longest_of_many_rights_counts(
    reads: CountedReads, make_user: MakeUser, make_media: MakeMedia, entitle: Entitle
) -> None:
    fan, creator = make_user(), make_user(role=Role.CREATOR)
    media = make_media(owner=creator, state="ready", visibility="gated")
    for hours in (1, 5, 3):
        entitle(fan, creator_id=creator.id, expires_at=NOW + hours * HOUR)
    [decision] = await decide_many(reads, caller=Caller(fan.id), media_ids=[media.id], now=NOW)
    assert decision.expires_at == NOW + 5 * HOUR


async def test_a_locked_media_is_opened_with_its_public_previews_only(
    reads: CountedReads, make_user: MakeUser, make_media: MakeMedia, engine: Engine
) -> None:
    media = make_media(
        state="ready",
        visibility="gated",
        published_generation=1,
        key_id="k",
        key_wrapped=b"sealed",
    )
    with transaction(engine) as session:
        session.add_all(rendition(media, kind) for kind in RenditionKind)
    asked: dict[str, Any] = {"caller": Caller(make_user().id), "media_id": media.id, "now": NOW}
    opened = await open_media(reads, **asked)
    assert {each.kind for each in opened.renditions} == {
        RenditionKind.BLUR,
        RenditionKind.POSTER_BLUR,
        RenditionKind.TEASER,
    }
    locked = await open_for_key(reads, **asked)
    assert (locked.key_id, locked.key_wrapped) == (None, None)
    owner = await open_for_key(reads, **(asked | {"caller": Caller(media.owner_id)}))
    assert owner.key_wrapped == b"sealed"
    assert "sealed" not in repr(owner)


async def test_renditions_of_other_generations_are_not_opened(
    reads: CountedReads, make_media: MakeMedia, engine: Engine
) -> None:
    media = make_media(state="ready", published_generation=2, generation=3)
    with transaction(engine) as session:
        session.add(rendition(media, RenditionKind.IMAGE))
    opened = await open_media(reads, caller=Caller(media.owner_id), media_id=media.id, now=NOW)
    assert opened.renditions == ()


async def test_who_is_not_known_is_told_so_whatever_they_ask_for(
    reads: CountedReads, make_user: MakeUser, engine: Engine
) -> None:
    gone = make_user()
    with transaction(engine) as session:
        session.get_one(User, gone.id).deleted_at = NOW
    for viewer_id in (gone.id, new_id()):
        with pytest.raises(Unauthenticated):
            await open_media(reads, caller=Caller(viewer_id), media_id=new_id(), now=NOW)
    with pytest.raises(NotFound):
        await open_media(reads, caller=Caller(None), media_id=new_id(), now=NOW)


async def test_a_read_survives_connections_that_the_server_closed(
    reads: CountedReads, engine: Engine
) -> None:
    assert await reads.fetch_one(b"SELECT 1", {}) == (1,)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'fansworld-api-reads'"
            )
        )
    assert await reads.fetch_one(b"SELECT 2", {}) == (2,)


async def test_a_database_that_is_away_is_unavailable(settings: Settings) -> None:
    away = settings.model_copy(
        update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"}
    )
    pool = ReadPool(away)
    await pool.open()
    with pytest.raises(Unavailable):
        await pool.fetch_one(b"SELECT 1", {})
    await pool.close()
