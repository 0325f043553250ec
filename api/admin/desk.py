"""Somebody of the staff at work: who they are, in which request, and with what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends

from api.auth.callers import SignedInCaller
from api.auth.origin import RequestOrigin
from api.auth.standing import AdminCaller, FreshCaller, StaffCaller
from api.parts import ApiParts, Parts
from domain.access import Caller
from infra.db import async_transaction
from infra.queries.admin.acts import Act, note_look, open_act
from infra.queries.callers import CallerStanding


@dataclass(frozen=True, slots=True)
class Desk:
    parts: Parts
    staff: CallerStanding
    caller: Caller
    request_id: str | None

    async def note_look(
        self, action: str, *, subject_type: str, subject_id: str = "all", **detail: Any
    ) -> None:
        """Write down that staff looked; before anything is answered."""
        async with async_transaction(self.parts.engine) as session:
            await note_look(
                session,
                self.staff,
                action=action,
                subject_type=subject_type,
                subject_id=subject_id,
                request_id=self.request_id,
                **detail,
            )

    @asynccontextmanager
    async def act_on(self, user_id: str, *, reason: str) -> AsyncIterator[Act]:
        """One transaction on an account that is not their own.

        Raises:
            NotFound, AccessDenied, Unauthenticated: see `open_act`.
        """
        async with async_transaction(self.parts.engine) as session:
            yield await open_act(
                session,
                self.caller,
                target_id=user_id,
                reason=reason,
                request_id=self.request_id,
                now=self.parts.now(),
            )


async def _staff_desk(
    staff: StaffCaller, caller: SignedInCaller, origin: RequestOrigin, parts: ApiParts
) -> Desk:
    return Desk(parts, staff, caller.caller, origin.request_id)


StaffDesk = Annotated[Desk, Depends(_staff_desk)]
"""Of a moderator or admin."""


async def _auditor_desk(_admin: AdminCaller, desk: StaffDesk) -> Desk:
    return desk


AuditorDesk = Annotated[Desk, Depends(_auditor_desk)]
"""Of an admin, who may read what others of the staff have done."""


async def _admin_desk(_admin: AdminCaller, _fresh: FreshCaller, desk: StaffDesk) -> Desk:
    return desk


AdminDesk = Annotated[Desk, Depends(_admin_desk)]
"""Of an admin who has just proved who they are."""
