"""From rows to what their owner is shown."""

from __future__ import annotations

from datetime import datetime

from api.parts import Parts
from api.portraits import Json, picture_json
from api.users import schemas
from domain.profiles import may_change_handle_at
from infra.queries.users.own import Bootstrap, OwnProfile


def me_body(parts: Parts, profile: OwnProfile, now: datetime) -> schemas.MeBody:
    return schemas.MeBody.model_validate(_me_json(parts, profile, now))


def bootstrap_json(parts: Parts, found: Bootstrap, now: datetime) -> Json:
    """`schemas.BootstrapBody`."""
    creator, application = found.creator, found.application
    return {
        "me": _me_json(parts, found.profile, now),
        "creator": None
        if creator is None
        else {
            "follower_count": creator.follower_count,
            "post_count": creator.post_count,
            "watermark_enabled": creator.watermark_enabled,
            "blocked_countries": creator.blocked_countries,
        },
        "application": None
        if application is None
        else {"state": application.state, "may_apply_again_at": application.again_at},
    }


def _me_json(parts: Parts, profile: OwnProfile, now: datetime) -> Json:
    again_at = may_change_handle_at(profile.handle_changed_at)
    return {
        "id": profile.id,
        "handle": profile.handle,
        "handle_may_change_at": again_at if again_at and again_at > now else None,
        "display_name": profile.display_name,
        "bio": profile.bio,
        "avatar": picture_json(parts, profile.avatar, now),
        "cover": picture_json(parts, profile.cover, now),
        "avatar_media_id": profile.avatar_media_id,
        "cover_media_id": profile.cover_media_id,
        "role": profile.role,
        "email": profile.email,
        "email_verified": profile.email_verified_at is not None,
        "settings": schemas.UserSettings(**profile.settings).model_dump(),
        "counts": {
            "following": profile.following_count,
            "blocked": profile.blocked_count,
            "entitlements": profile.entitlement_count,
        },
        "created_at": profile.created_at,
        "updated_at": profile.updated_at,
    }
