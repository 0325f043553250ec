"""Dependencies of routes that need more than a signed-in caller: staff, or a fresh proof."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Depends

from api.auth.callers import SignedInCaller
from api.parts import ApiParts
from domain.accounts import Role
from domain.errors import AccessDenied
from infra.queries.callers import CallerStanding, caller_standing


async def _standing(caller: SignedInCaller, parts: ApiParts) -> CallerStanding:
    return await caller_standing(parts.reads, caller.caller)


_Standing = Annotated[CallerStanding, Depends(_standing)]


async def _staff(standing: _Standing) -> CallerStanding:
    if not standing.role.is_staff:
        raise AccessDenied("Only staff can do that.", code="staff_only")
    _require_second_factor(standing)
    return standing


async def _admin(standing: _Standing) -> CallerStanding:
    if standing.role is not Role.ADMIN:
        raise AccessDenied("Only an admin can do that.", code="admin_only")
    _require_second_factor(standing)
    return standing


async def _fresh(standing: _Standing, parts: ApiParts) -> CallerStanding:
    if standing.has_session:
        limit = timedelta(seconds=parts.settings.step_up_ttl_seconds)
        if standing.proved_at is None or parts.now() - standing.proved_at > limit:
            raise AccessDenied(
                "Prove first that it is you: `POST /auth/step-up`.", code="step_up_required"
            )
    return standing


def _require_second_factor(standing: CallerStanding) -> None:
    if standing.has_session and standing.second_factor_at is None:
        raise AccessDenied(
            "Staff sign in with a second factor. Set one up, then sign in with it.",
            code="second_factor_required",
        )


StaffCaller = Annotated[CallerStanding, Depends(_staff)]
"""A moderator or admin who signed in with a second factor."""
AdminCaller = Annotated[CallerStanding, Depends(_admin)]
FreshCaller = Annotated[CallerStanding, Depends(_fresh)]
"""Somebody who proved within `STEP_UP_TTL_SECONDS` who they are."""
