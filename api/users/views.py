"""From rows to what their owner is shown."""

from __future__ import annotations

from datetime import datetime

from api.parts import Parts
from api.portraits import picture_body
from api.users import schemas
from domain.profiles import may_change_handle_at
from infra.queries.users.own import Bootstrap, OwnProfile


def me_body(parts: Parts, profile: OwnProfile, now: datetime) -> schemas.MeBody:
    again_at = may_change_handle_at(profile.handle_changed_at)
    return schemas.MeBody(
        id=profile.id,
        handle=profile.handle,
        handle_may_change_at=again_at if again_at and again_at > now else None,
        display_name=profile.display_name,
        bio=profile.bio,
        avatar=picture_body(parts, profile.avatar, now),
        cover=picture_body(parts, profile.cover, now),
        avatar_media_id=profile.avatar_media_id,
        cover_media_id=profile.cover_media_id,
        role=profile.role,
        email=profile.email,
        email_verified=profile.email_verified_at is not None,
        settings=schemas.UserSettings(**profile.settings),
        counts=schemas.CountsBody(
            following=profile.following_count,
            blocked=profile.blocked_count,
            entitlements=profile.entitlement_count,
        ),
        created_at=profile.created_at,
        updated_at=profile.updated_at,
    )


def bootstrap_body(parts: Parts, found: Bootstrap, now: datetime) -> schemas.BootstrapBody:
    creator, application = found.creator, found.application
    return schemas.BootstrapBody(
        me=me_body(parts, found.profile, now),
        creator=None
        if creator is None
        else schemas.OwnCreatorBody(
            follower_count=creator.follower_count,
            post_count=creator.post_count,
            watermark_enabled=creator.watermark_enabled,
            blocked_countries=list(creator.blocked_countries),
        ),
        application=None
        if application is None
        else schemas.OwnApplicationBody(
            state=application.state, may_apply_again_at=application.again_at
        ),
    )
