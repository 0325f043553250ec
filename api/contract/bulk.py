"""Operations on several things at once: each succeeds or fails by itself, and the answer says
how. It is a 200 whatever came of them; each result has the status, and the problem, that a
request for it alone would have been answered with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, Field

from api.problems import Problem, problem_body
from api.schemas import EXAMPLE_ID, UuidText
from domain.errors import FansworldError, Unauthenticated, Unavailable

ITEMS_MAX = 100
AT_A_TIME = 4
"""Of one request; it must not take every connection to the database."""

BEGUN_SECONDS = 30.0
"""Whose turn comes later is left: clients and proxies don't wait for ever, nor does the lock of
an idempotency key."""

BulkIds = Annotated[
    list[UuidText],
    Field(min_length=1, max_length=ITEMS_MAX, description="Repeats count once."),
]


class BulkResult(BaseModel):
    """What came of one of them."""

    id: str = Field(examples=[EXAMPLE_ID])
    status: int = Field(description="As of a request for this one alone.", examples=[202])
    problem: Problem | None = Field(default=None, description="With a status of 400 or above.")


class BulkAnswer(BaseModel):
    """A result for each id, in the order asked."""

    data: list[BulkResult]


async def for_each(
    request: Request,
    ids: Sequence[str],
    act: Callable[[str], Awaitable[object]],
    *,
    status: int,
    path: str,
    begun_seconds: float = BEGUN_SECONDS,
) -> BulkAnswer:
    """Act on each id, a few at a time, each in a transaction of its own. Those that have not
    begun after `begun_seconds` stay as they are (503 `not_reached`).

    Args:
        status: of those that succeed.
        path: of one of them, with `{id}` in it; problems name it as their instance.

    Raises:
        Unauthenticated, and whatever is not an error of ours, when all have ended: the request
        failed as a whole.
    """
    turns = asyncio.Semaphore(AT_A_TIME)
    until = time.monotonic() + begun_seconds

    async def result_of(item_id: str) -> BulkResult:
        async with turns:
            try:
                if time.monotonic() > until:
                    raise Unavailable(
                        "This one's turn did not come in time. Ask for it again.",
                        code="not_reached",
                    )
                await act(item_id)
            except Unauthenticated:
                raise  # True of them all.
            except FansworldError as error:
                problem = problem_body(request, error, instance=path.format(id=item_id))
                return BulkResult(id=item_id, status=problem.status, problem=problem)
        return BulkResult(id=item_id, status=status)

    wanted = dict.fromkeys(ids)
    results = await asyncio.gather(*map(result_of, wanted), return_exceptions=True)
    done = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return BulkAnswer(data=done)
