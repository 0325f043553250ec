"""Routes of applications to be a creator: those who apply, and the staff who decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Query, Request, Response

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.auth.mailing import begin_mail
from api.auth.standing import StaffCaller
from api.creators import schemas
from api.parts import ApiParts, Parts
from api.portraits import person_body
from api.problems import PROBLEMS
from domain.accounts import ApplicationState
from domain.paging import Keyset, cursor_for, keyset_from
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.creators.applying import (
    Application,
    QueuedApplication,
    apply,
    decide_application,
    list_applications,
    open_application,
    own_application,
)

router = APIRouter(prefix=API_PREFIX, responses=PROBLEMS)
OWN = "/me/creator-application"
QUEUE = "/admin/creator-applications"


@router.post(OWN, operation_id="applyAsCreator", status_code=201, tags=["creators"])
async def post_application(
    wish: schemas.ApplicationCreate,
    request: Request,
    response: Response,
    caller: SignedInCaller,
    parts: ApiParts,
) -> schemas.ApplicationBody:
    """Ask to publish. Needs a verified e-mail address; one application waits at a time.

    After a rejection the next one is taken when 14 days have passed.
    """
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        await apply(
            session,
            user,
            statement=wish.statement,
            now=parts.now(),
            request_id=request.scope.get("request_id"),
        )
    response.headers["location"] = f"{API_PREFIX}{OWN}"
    return _own_body(await own_application(parts.reads, caller.caller))


@router.get(OWN, operation_id="getMyApplication", tags=["creators"])
async def get_application(caller: SignedInCaller, parts: ApiParts) -> schemas.ApplicationBody:
    """The caller's newest application, and what was said to it."""
    return _own_body(await own_application(parts.reads, caller.caller))


@router.get(QUEUE, operation_id="listApplications", tags=["admin"])
async def get_queue(
    query: Annotated[schemas.ApplicationQuery, Query()], staff: StaffCaller, parts: ApiParts
) -> schemas.QueuedApplicationPage:
    """For moderators: applications in one state, those that have waited longest first."""
    del staff  # Asked for, because it refuses everybody else.
    after = keyset_from(query.cursor) if query.cursor is not None else None
    listed, has_more = await list_applications(
        parts.reads, state=query.state, after=after, limit=query.limit
    )
    last = listed[-1].application if has_more else None
    return schemas.QueuedApplicationPage(
        data=[_queued_body(parts, each) for each in listed],
        next_cursor=cursor_for(Keyset(last.created_at, last.id)) if last else None,
        has_more=has_more,
    )


@dataclass(frozen=True)
class _Decider:
    """A moderator who is about to decide."""

    parts: Parts
    caller: SignedIn
    background: BackgroundTasks
    request_id: str | None

    async def decide(
        self, application_id: UUID, verdict: ApplicationState, reason: str | None = None
    ) -> schemas.QueuedApplicationBody:
        parts = self.parts
        async with async_transaction(parts.engine) as session:
            mail_id = await decide_application(
                session,
                await load_caller(session, self.caller.caller),
                str(application_id),
                verdict=verdict,
                reason=reason,
                now=parts.now(),
                request_id=self.request_id,
            )
        if mail_id is not None:
            self.background.add_task(begin_mail, parts, mail_id)
        return _queued_body(parts, await open_application(parts.reads, str(application_id)))


async def _decider(
    staff: StaffCaller,
    caller: SignedInCaller,
    parts: ApiParts,
    background: BackgroundTasks,
    request: Request,
) -> _Decider:
    del staff  # Asked for, because it refuses everybody else.
    return _Decider(parts, caller, background, request.scope.get("request_id"))


Decider = Annotated[_Decider, Depends(_decider)]


@router.post(
    f"{QUEUE}/{{application_id}}/approve", operation_id="approveApplication", tags=["admin"]
)
async def approve(application_id: UUID, decider: Decider) -> schemas.QueuedApplicationBody:
    """For moderators: make the applicant a creator, and tell them. Repeating it is safe.

    409 if somebody else has decided meanwhile.
    """
    return await decider.decide(application_id, ApplicationState.APPROVED)


@router.post(f"{QUEUE}/{{application_id}}/reject", operation_id="rejectApplication", tags=["admin"])
async def reject(
    application_id: UUID, rejection: schemas.RejectionCreate, decider: Decider
) -> schemas.QueuedApplicationBody:
    """For moderators: say no and why, and tell the applicant. Repeating it is safe; the first
    reason stands.

    409 if somebody else has decided meanwhile.
    """
    return await decider.decide(application_id, ApplicationState.REJECTED, rejection.reason)


def _own_body(application: Application) -> schemas.ApplicationBody:
    return schemas.ApplicationBody(
        id=application.id,
        state=application.state,
        statement=application.statement,
        reason=application.reason,
        created_at=application.created_at,
        decided_at=application.decided_at,
        may_apply_again_at=application.again_at,
    )


def _queued_body(parts: Parts, queued: QueuedApplication) -> schemas.QueuedApplicationBody:
    application = queued.application
    return schemas.QueuedApplicationBody(
        id=application.id,
        state=application.state,
        statement=application.statement,
        reason=application.reason,
        applicant=person_body(parts, queued.applicant, parts.now()),
        applicant_since=queued.applicant_since,
        decided_by=queued.decided_by,
        created_at=application.created_at,
        decided_at=application.decided_at,
    )
