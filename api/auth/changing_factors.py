"""What every change of second factors brings with it: codes, sessions that end, a notice."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import BackgroundTasks
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth.mailing import begin_mail
from api.auth.signing_in import notify
from api.parts import Parts
from domain.auth import Origin, SessionEnd
from domain.mails import SecurityEvent
from infra.models import User
from infra.queries.auth.factors import forget_factors, second_factor_methods
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.sessions import revoke_all
from infra.queries.auth.totp import renew_recovery_codes
from infra.queries.callers import CallerStanding, load_caller


@dataclass(frozen=True, slots=True)
class Change:
    """A change of somebody's factors under way: their row is locked until it is committed."""

    parts: Parts
    session: AsyncSession
    standing: CallerStanding
    user: User
    origin: Origin
    had_factors: bool

    async def added(self, what: str, **detail: str) -> tuple[list[str] | None, int]:
        """`what` was added. Recovery codes, and how many sessions ended, if it is the first.

        The first one ends every other session: those were begun by the password alone, and
        whoever feared for it would keep the guest that they wanted to shut out.
        """
        codes, ended = None, 0
        if not self.had_factors:
            codes = await renew_recovery_codes(self.session, user_id=self.user.id)
            ended = await revoke_all(
                self.session,
                user_id=self.user.id,
                reason=SessionEnd.FACTOR_ADDED,
                now=self.parts.now(),
                except_session_id=self.standing.session_id,
            )
        await self._note(f"{what}.added", sessions=str(ended), **detail)
        return codes, ended

    async def removed(self, what: str, **detail: str) -> None:
        """`what` was removed."""
        if not await second_factor_methods(self.session, self.user.id):
            await forget_factors(self.session, self.user.id)
        await self._note(f"{what}.removed", **detail)

    async def renewed_codes(self) -> list[str]:
        codes = await renew_recovery_codes(self.session, user_id=self.user.id)
        await self._note("recovery_codes.renewed")
        return codes

    async def tell(self, event: SecurityEvent, background: BackgroundTasks) -> None:
        """Have the account's owner told by mail, once it is committed."""
        mail_id = await notify(self.session, self.user, event, self.origin)
        if mail_id is not None:
            background.add_task(begin_mail, self.parts, mail_id)

    async def _note(self, action: str, **detail: str) -> None:
        await note_own_act(
            self.session,
            self.user,
            action,
            self.origin,
            session_id=self.standing.session_id,
            **detail,
        )


async def begin_change(
    parts: Parts, session: AsyncSession, standing: CallerStanding, origin: Origin
) -> Change:
    """Changes of one account's factors come one after the other."""
    user = await load_caller(session, standing.caller, lock=True)
    methods = await second_factor_methods(session, user.id)
    return Change(parts, session, standing, user, origin, had_factors=bool(methods))
