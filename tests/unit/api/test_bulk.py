"""Several things at once, with a result for each."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from api.contract.bulk import AT_A_TIME, for_each

REQUEST = Request(
    {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": []}
)


async def test_those_whose_turn_comes_too_late_are_left_and_said_so() -> None:
    ids = [f"id-{number}" for number in range(3 * AT_A_TIME)]
    acted = []

    async def act(item_id: str) -> None:
        acted.append(item_id)
        await asyncio.sleep(0.05)

    answer = await for_each(REQUEST, ids, act, status=202, path="/x/{id}", begun_seconds=0.01)
    assert acted == ids[:AT_A_TIME]
    assert [each.id for each in answer.data] == ids
    assert [each.status for each in answer.data] == [202] * AT_A_TIME + [503] * (2 * AT_A_TIME)
    left = answer.data[-1].problem
    assert left is not None
    assert (left.code, left.instance) == ("not_reached", f"/x/{ids[-1]}")
