"""Writing down, after the answer, that somebody opened what they had paid for.

It is evidence for disputes (`docs/refunds.md`). An access that can't be written is logged and
lost: nobody waits for it, and nobody is refused because of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.access import Decision, Reason, Viewer
from domain.auth import Origin
from infra.db import async_transaction
from infra.models.refunds import AccessedItem
from infra.queries.access_log import hour_of, note_accesses

log = structlog.get_logger(__name__)

REMEMBERED_MAX = 20_000

_Key = tuple[str, AccessedItem, str, datetime]


class AccessLog:
    """One for each process. Remembers what it has written, so that most accesses of an hour ask
    nothing of the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._written: dict[_Key, None] = {}
        """In the order in which they came."""

    def is_news(
        self, viewer: Viewer, decision: Decision, item: AccessedItem, item_id: str, at: datetime
    ) -> bool:
        """Whether it was a right of the viewer's own that opened it to them, and it was not
        written down by this process in this hour."""
        if decision.reason is not Reason.ENTITLED or viewer.user_id is None:
            return False
        return (viewer.user_id, item, item_id, hour_of(at)) not in self._written

    async def note(
        self,
        viewer: Viewer,
        *,
        creator_id: str,
        item: AccessedItem,
        item_ids: Sequence[str],
        origin: Origin,
        at: datetime,
    ) -> None:
        """Write down that they opened these, which are all of one kind and of one creator."""
        assert viewer.user_id is not None, "who has a right is signed in"
        try:
            async with async_transaction(self._engine) as session:
                await note_accesses(
                    session,
                    fan_id=viewer.user_id,
                    creator_id=creator_id,
                    item=item,
                    item_ids=item_ids,
                    address=origin.ip,
                    agent=origin.user_agent,
                    at=at,
                )
        except SQLAlchemyError as error:
            log.warning("access_not_written", item_ids=item_ids, why=str(error).strip())
            return
        self._written |= {(viewer.user_id, item, each, hour_of(at)): None for each in item_ids}
        while len(self._written) > REMEMBERED_MAX:
            del self._written[next(iter(self._written))]
