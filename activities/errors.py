"""Domain errors become typed activity failures here, and only here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy.exc
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


def without_values(error: BaseException) -> BaseException:
    """What the database refused, without what it quotes of rows: a failure's words are read in
    logs and in Temporal. Any other error as it is, and that the database is away, too."""
    refused = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    if not isinstance(refused, psycopg.Error) or isinstance(refused, psycopg.OperationalError):
        return error
    diagnosis = refused.diag
    about = {"table": diagnosis.table_name, "constraint": diagnosis.constraint_name}
    facts = {"sqlstate": refused.sqlstate, **{k: v for k, v in about.items() if v}}
    said = ", ".join(f"{name}={value}" for name, value in facts.items())
    return ApplicationError(f"Postgres refused a statement ({said})", type=type(error).__name__)


def _facts(error: FansworldError) -> str:
    if not error.facts:
        return ""
    return " (" + ", ".join(f"{name}={value}" for name, value in error.facts.items()) + ")"
