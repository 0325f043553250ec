"""Applications to be a creator: who may apply, when again, and who decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.accounts import ApplicationState, Role
from domain.errors import AccessDenied, Conflict

REAPPLY_WAIT = timedelta(days=14)
"""After a rejection: time to change what it was for, and no queue of the same again."""
STATEMENT_CHARACTERS_MIN = 20
STATEMENT_CHARACTERS_MAX = 2000
REASON_CHARACTERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class LastApplication:
    """What is known of the newest application of somebody."""

    state: ApplicationState
    decided_at: datetime | None

    @property
    def again_at(self) -> datetime | None:
        """From when on another one is taken; None: this one does not stand in the way by time."""
        if self.state is ApplicationState.REJECTED and self.decided_at is not None:
            return self.decided_at + REAPPLY_WAIT
        return None


def check_may_apply(
    *, role: Role, email_verified: bool, last: LastApplication | None, now: datetime
) -> None:
    """May somebody apply now?

    Raises:
        Conflict: `already_creator`, `application_open`, or `application_too_soon` with `again_at`.
        AccessDenied: `staff_may_not_apply` or `email_not_verified`.
    """
    if role is Role.CREATOR:
        raise Conflict("This account publishes already.", code="already_creator")
    if role.is_staff:
        raise AccessDenied("Staff don't publish.", code="staff_may_not_apply")
    if not email_verified:
        raise AccessDenied("Verify the e-mail address first.", code="email_not_verified")
    if last is None:
        return
    if last.state is ApplicationState.SUBMITTED:
        raise Conflict("An application is waiting for its answer.", code="application_open")
    if last.again_at is not None and last.again_at > now:
        raise Conflict(
            f"After a rejection, apply again when {REAPPLY_WAIT.days} days have passed.",
            code="application_too_soon",
            again_at=last.again_at.isoformat(),
        )


@dataclass(frozen=True, slots=True)
class DecidedApplication:
    """What decides whether a decision still can be made."""

    applicant_id: str
    state: ApplicationState
    decided_by: str | None


def is_repeat(application: DecidedApplication, *, wanted: ApplicationState, by: str) -> bool:
    """Has `by` decided just so before? False: the decision is still to be made.

    Raises:
        AccessDenied: `own_application`.
        Conflict: `application_decided`: somebody else was faster, or it was decided otherwise.
    """
    if application.applicant_id == by:
        raise AccessDenied("Nobody decides on their own application.", code="own_application")
    if application.state is ApplicationState.SUBMITTED:
        return False
    if application.state is wanted and application.decided_by == by:
        return True
    raise Conflict(
        "This application is decided already.",
        code="application_decided",
        state=application.state.value,
    )
