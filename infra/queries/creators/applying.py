"""Applications to be a creator. Writes run inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.accounts import ApplicationState, Role
from domain.applications import DecidedApplication, LastApplication, check_may_apply, is_repeat
from domain.auth import MailKind
from domain.errors import Conflict, NotFound
from domain.paging import Keyset
from infra.ids import new_id
from infra.models import AuditEntry, Creator, CreatorApplication, User
from infra.queries import audit
from infra.queries.access.gathering import VIEWER
from infra.queries.auth.mails import write_mail
from infra.queries.callers import session_ended
from infra.queries.people import PERSON, PERSON_WIDTH, Person, person_from
from infra.reads import ReadPool, Row

_COLUMNS = "a.id::text, a.state, a.statement, a.reason, a.created_at, a.decided_at"
_OWN = f"""
WITH {VIEWER}
SELECT {_COLUMNS}
FROM viewer v
LEFT JOIN LATERAL (
    SELECT * FROM creator_applications ca
    WHERE ca.user_id = v.id ORDER BY ca.created_at DESC LIMIT 1
) a ON true
""".encode()
_QUEUED = f"""
SELECT {_COLUMNS}, d.handle, u.created_at, {PERSON}
FROM creator_applications a
JOIN users u ON u.id = a.user_id AND u.deleted_at IS NULL
LEFT JOIN users d ON d.id = a.decided_by
"""
_QUEUE = f"""{_QUEUED}
WHERE a.state = %(state)s
  AND (a.created_at, a.id) > (
    COALESCE(%(after_at)s::timestamptz, '-infinity'),
    COALESCE(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')
  )
ORDER BY a.created_at, a.id
LIMIT %(limit)s
""".encode()
_ONE = f"{_QUEUED} WHERE a.id = %(application_id)s::uuid".encode()


@dataclass(frozen=True, slots=True)
class Application:
    id: str
    state: ApplicationState
    statement: str
    reason: str | None
    created_at: datetime
    decided_at: datetime | None

    @property
    def again_at(self) -> datetime | None:
        return LastApplication(self.state, self.decided_at).again_at


@dataclass(frozen=True, slots=True)
class QueuedApplication:
    """As staff see it."""

    application: Application
    applicant: Person
    applicant_since: datetime
    decided_by: str | None
    """A handle."""


async def apply(
    session: AsyncSession, user: User, *, statement: str, now: datetime, request_id: str | None
) -> None:
    """Submit an application of this user, whose row is locked.

    Raises:
        Conflict, AccessDenied: see `check_may_apply`.
    """
    last = await session.scalar(
        select(CreatorApplication)
        .where(CreatorApplication.user_id == user.id)
        .order_by(CreatorApplication.created_at.desc())
        .limit(1)
    )
    check_may_apply(
        role=Role(user.role),
        email_verified=user.email_verified_at is not None,
        last=None
        if last is None
        else LastApplication(ApplicationState(last.state), last.decided_at),
        now=now,
    )
    application = CreatorApplication(
        id=new_id(), user_id=user.id, statement=statement, created_at=now
    )
    session.add(application)
    await session.flush()
    await _note(session, user, "creator_application.submitted", application, request_id)


async def decide_application(
    session: AsyncSession,
    staff: User,
    application_id: str,
    *,
    verdict: ApplicationState,
    reason: str | None,
    now: datetime,
    request_id: str | None,
) -> str | None:
    """Approve or reject; with an approval the applicant is a creator at once.

    Returns:
        The id of the mail that tells the applicant, for `begin_mail`; None where there is none:
        `staff` had decided just so before, or there is no address to write to.

    Raises:
        NotFound: `application_not_found`.
        AccessDenied, Conflict: see `is_repeat`; `applicant_gone`.
    """
    application = await session.get(CreatorApplication, application_id, with_for_update=True)
    if application is None:
        raise no_such_application()
    known = DecidedApplication(
        application.user_id, ApplicationState(application.state), application.decided_by
    )
    if is_repeat(known, wanted=verdict, by=staff.id):
        return None
    applicant = await session.get_one(
        User, application.user_id, with_for_update={"key_share": True}
    )
    if applicant.deleted_at is not None or applicant.suspended_at is not None:
        raise Conflict("The applicant's account is closed or suspended.", code="applicant_gone")
    application.state, application.decided_at = verdict.value, now
    application.decided_by, application.reason = staff.id, reason
    if verdict is ApplicationState.APPROVED:
        await _make_creator(session, applicant, now)
    action = f"creator_application.{verdict.value}"
    await _note(session, staff, action, application, request_id)
    return await _tell(session, applicant, application)


async def own_application(reads: ReadPool, caller: Caller) -> Application:
    """The caller's newest application.

    Raises:
        NotFound: `application_not_found`.
        Unauthenticated: `session_ended`.
    """
    row = await reads.fetch_one(
        _OWN, {"viewer_id": caller.user_id, "session_id": caller.session_id}
    )
    if row is None:
        raise session_ended()
    if row[0] is None:
        raise no_such_application()
    return _application_from(row)


async def list_applications(
    reads: ReadPool, *, state: ApplicationState, after: Keyset | None, limit: int
) -> tuple[list[QueuedApplication], bool]:
    """Applications in this state, the oldest first, and whether more follow."""
    params = {
        "state": state,
        "after_at": after.created_at if after else None,
        "after_id": after.id if after else None,
        "limit": limit + 1,
    }
    rows = await reads.fetch_all(_QUEUE, params)
    return [_queued_from(row) for row in rows[:limit]], len(rows) > limit


async def open_application(reads: ReadPool, application_id: str) -> QueuedApplication:
    """One application, as staff see it.

    Raises:
        NotFound: `application_not_found`.
    """
    row = await reads.fetch_one(_ONE, {"application_id": application_id})
    if row is None:
        raise no_such_application()
    return _queued_from(row)


def no_such_application() -> NotFound:
    return NotFound("There is no such application.", code="application_not_found")


async def _make_creator(session: AsyncSession, user: User, now: datetime) -> None:
    if user.role == Role.FAN:
        user.role = Role.CREATOR.value
        user.version += 1
        user.updated_at = now
    await session.execute(insert(Creator).values(user_id=user.id).on_conflict_do_nothing())


async def _tell(
    session: AsyncSession, applicant: User, application: CreatorApplication
) -> str | None:
    if applicant.email is None or applicant.email_verified_at is None:
        return None
    facts = {"state": application.state}
    if application.reason is not None:
        facts["reason"] = application.reason
    last = LastApplication(ApplicationState(application.state), application.decided_at)
    if last.again_at is not None:
        facts["again_at"] = last.again_at.isoformat()
    mail = await write_mail(
        session,
        user_id=applicant.id,
        kind=MailKind.APPLICATION_DECIDED,
        address=applicant.email,
        facts=facts,
    )
    return mail.id


async def _note(
    session: AsyncSession,
    actor: User,
    action: str,
    application: CreatorApplication,
    request_id: str | None,
) -> None:
    entry = AuditEntry(
        actor_id=actor.id,
        actor_name=actor.handle,
        action=action,
        subject_type="creator_application",
        subject_id=application.id,
        request_id=request_id,
        detail={"user_id": application.user_id},
    )
    await session.run_sync(audit.record, entry)


def _application_from(columns: Row) -> Application:
    application_id, state, *rest = columns
    return Application(application_id, ApplicationState(state), *rest)


def _queued_from(row: Row) -> QueuedApplication:
    *columns, decided_by, since = row[:-PERSON_WIDTH]
    person = person_from(row[-PERSON_WIDTH:])
    return QueuedApplication(_application_from(tuple(columns)), person, since, decided_by)
