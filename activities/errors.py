"""Domain errors become typed activity failures here, and only here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from domain.errors import FansworldError, MediaRejected, StepBlocked
from workflows.policies import BLOCKED, REJECTED


@contextmanager
def typed_failures() -> Iterator[None]:
    """Raise what the workflow understands.

    A file at fault ends the run (`MediaRejected`, never retried), a decision that only a
    person can take goes to one at once (`StepBlocked`, never retried); any other domain
    error is retried under its own name. Whatever else escapes is retried as it is.
    """
    try:
        yield
    except MediaRejected as error:
        raise ApplicationError(
            f"{error.code}: {error.message}{_facts(error)}",
            error.code,
            error.reason.sentence,
            type=REJECTED,
            non_retryable=True,
        ) from error
    except StepBlocked as error:
        raise ApplicationError(
            f"{error.message}{_facts(error)}", error.code, type=BLOCKED, non_retryable=True
        ) from error
    except FansworldError as error:
        raise ApplicationError(
            f"{error.message}{_facts(error)}", error.code, type=type(error).__name__
        ) from error


def _facts(error: FansworldError) -> str:
    if not error.facts:
        return ""
    return " (" + ", ".join(f"{name}={value}" for name, value in error.facts.items()) + ")"
