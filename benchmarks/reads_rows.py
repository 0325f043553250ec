"""Rows to read: a fan with rights of years, creators with media and posts, a crowd around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy.orm import Session

from domain.accounts import Role
from domain.media.states import RenditionKind
from infra.db import make_engine, transaction
from infra.ids import new_id
from infra.models import Media, Rendition
from infra.queries.accounts import create_user, grant_gift
from infra.settings import Settings

MEDIA = 2000
"""Rows of the creator, so that the statements work on an index and not on a page."""
GRANTS = 40


def fill(settings: Settings) -> tuple[str, list[str]]:
    """One fan with rights of years, one creator with many media; fan and media ids."""
    engine = make_engine(settings)
    try:
        with transaction(engine) as session:
            fan_id, creator_id = (
                create_user(session, handle=name, role=role, display_name=None, operator="bench")
                for name, role in (("tom", Role.FAN), ("mia", Role.CREATOR))
            )
            now = datetime.now(UTC)
            for month in range(GRANTS):
                grant_gift(
                    session,
                    fan_id=fan_id,
                    creator_id=creator_id,
                    media_id=None,
                    expires_at=now + timedelta(days=30 * (1 - month)),
                    operator="bench",
                )
            media_ids = [_media(session, creator_id) for _ in range(MEDIA)]
    finally:
        engine.dispose()
    with psycopg.connect(settings.psycopg_url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return fan_id, media_ids


def _media(session: Session, creator_id: str) -> str:
    media_id = new_id()
    media = Media(
        id=media_id,
        owner_id=creator_id,
        kind="image",
        purpose="post",
        state="ready",
        visibility="gated",
        title="A picture",
        file_name="picture.jpg",
        original_key=f"o/{media_id}",
        original_bytes=5_000_000,
        published_generation=1,
        width=4000,
        height=3000,
    )
    session.add(media)
    session.flush()
    widths = (320, 640, 960, 1440, 2048, 4000)
    names = [f"w{width}.{form}" for width in widths for form in ("jpg", "webp")]
    session.add_all(
        Rendition(
            media_id=media_id,
            generation=1,
            kind=kind.value,
            name=name,
            content_type="image/jpeg",
            bucket=bucket,
            object_key=f"{root}/{media_id}/1/{name}",
            bytes=100_000,
            width=640,
            height=480,
            meta={},
        )
        for kind, name, bucket, root in [
            *((RenditionKind.IMAGE, name, "fansworld-media", "m") for name in names),
            (RenditionKind.THUMBNAIL, "thumb.jpg", "fansworld-media", "m"),
            (RenditionKind.BLUR, "blur.jpg", "fansworld-public", "p"),
        ]
    )
    return media_id


def follow_many(connection: psycopg.Connection, fan_id: str) -> None:
    """Three hundred creators whom the fan follows, with twenty posts each, every one with a
    picture. Half of the posts are for subscribers, and the fan subscribes to every third."""
    connection.execute(
        """
        WITH made AS (
            INSERT INTO users (id, handle, display_name, role)
            SELECT uuidv7(), 'creator-' || n, 'Creator ' || n, 'creator'
            FROM generate_series(1, 300) n RETURNING id
        ), creating AS (
            INSERT INTO creators (user_id) SELECT id FROM made
        ), following AS (
            INSERT INTO follows (fan_id, creator_id) SELECT %(fan_id)s, id FROM made
        ), subscribed AS (
            INSERT INTO entitlements (id, fan_id, creator_id, source)
            SELECT uuidv7(), %(fan_id)s, id, 'subscription'
            FROM (SELECT id, row_number() OVER () AS n FROM made) m WHERE n %% 3 = 0
        ), drawn AS (
            INSERT INTO media (id, owner_id, kind, purpose, state, file_name, original_key,
                               original_bytes, published_generation, width, height)
            SELECT uuidv7(), id, 'image', 'post', 'ready', 'picture.jpg', 'o', 1, 1, 1600, 900
            FROM made, generate_series(1, 20) RETURNING id, owner_id
        ), rendered AS (
            INSERT INTO renditions (media_id, generation, kind, name, content_type, bucket,
                                    object_key, bytes, width, height)
            SELECT d.id, 1, k.kind, k.kind || '.jpg', 'image/jpeg', k.bucket,
                   k.root || '/' || d.id || '/1/' || k.kind || '.jpg', 9000, 256, 256
            FROM drawn d, (VALUES ('thumbnail', 'fansworld-media', 'm'),
                                  ('blur', 'fansworld-public', 'p')) k (kind, bucket, root)
        ), numbered AS (
            SELECT id, owner_id, row_number() OVER (ORDER BY random()) AS n FROM drawn
        ), posted AS (
            INSERT INTO posts (id, creator_id, state, audience, body, media_count, published_at)
            SELECT id, owner_id, 'published',
                   CASE n %% 2 WHEN 0 THEN 'subscribers' ELSE 'public' END,
                   repeat('What happened yesterday. ', 8), 1, now() - n * interval '1 minute'
            FROM numbered RETURNING id
        )
        INSERT INTO post_media (post_id, media_id, position) SELECT id, id, 0 FROM numbered
        """,
        {"fan_id": fan_id},
    )
    connection.execute("ANALYZE")


def crowd(connection: psycopg.Connection, fan_id: str) -> None:
    """A million rights of ten thousand fans on a thousand creators, and what the asking fan has
    bought besides: a thousand posts of the creator that they ask about, of which every tenth
    media is carried by one."""
    connection.execute("SET session_replication_role = replica")  # Spares a million look-ups.
    connection.execute(
        """
        INSERT INTO entitlements (id, fan_id, creator_id, source, starts_at)
        SELECT uuidv7(), fans.id, creators.id, 'subscription', now() - interval '1 day'
        FROM (SELECT array_agg(gen_random_uuid()) AS ids FROM generate_series(1, 1000)) known,
             LATERAL (SELECT gen_random_uuid() AS id FROM generate_series(1, 10000)) fans,
             LATERAL (
                 SELECT known.ids[1 + (n * 7919) % 1000] AS id FROM generate_series(1, 100) n
             ) creators
        """
    )
    connection.execute(
        """
        WITH sold AS (
            INSERT INTO posts (id, creator_id, state, audience, price_minor, currency,
                               published_at)
            SELECT uuidv7(), m.owner_id, 'published', 'paid', 500, 'USD', now()
            FROM (SELECT owner_id FROM media LIMIT 1) m, generate_series(1, 1000)
            RETURNING id, creator_id
        ), bought AS (
            INSERT INTO entitlements (id, fan_id, creator_id, post_id, source, starts_at)
            SELECT uuidv7(), %(fan_id)s, creator_id, id, 'unlock', now() FROM sold
        )
        INSERT INTO post_media (post_id, media_id, position)
        SELECT s.id, m.id, 0
        FROM (SELECT id, row_number() OVER () AS n FROM sold) s
        JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM media) m ON m.n = s.n * 10
        """,
        {"fan_id": fan_id},
    )
    connection.execute("RESET session_replication_role")
    connection.execute("VACUUM ANALYZE")
