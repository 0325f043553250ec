"""Decisions remembered for seconds: a page that is looked at twice is decided once.

A decision counts as long as neither its viewer nor its owner has changed since before it was
made, and while changes are heard (`infra.access_changes`); so a right that ends, ends here
within a second, however it ended. What is remembered is for lists. Content itself (playlists,
keys, addresses) is decided at each request.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller, Decision
from infra.access_changes import AccessChanges
from infra.queries.access.media import decide_many, decide_with_owners
from infra.reads import ReadPool

CALLERS_MAX = 1000
DECISIONS_MAX = 500
"""Of one caller; with more, all of theirs are forgotten."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    decision: Decision
    owner_id: str | None
    number: int
    """Of the last change that had been heard before it was asked for."""
    until: float


class RememberedDecisions:
    """In front of `decide_many`. One for each event loop."""

    def __init__(self, reads: ReadPool, changes: AccessChanges, *, ttl_seconds: float) -> None:
        self._reads = reads
        self._changes = changes
        self._ttl_seconds = ttl_seconds
        self._callers: OrderedDict[Caller, dict[str, _Remembered]] = OrderedDict()

    async def decide_many(
        self, *, caller: Caller, media_ids: Sequence[str], now: datetime
    ) -> list[Decision]:
        """As `infra.queries.access.decide_many`; asks only for what it does not remember.

        Raises:
            Unauthenticated: the account or the session is over.
        """
        if self._ttl_seconds <= 0 or not self._changes.are_heard:
            return await decide_many(self._reads, caller=caller, media_ids=media_ids, now=now)
        known = self._callers.get(caller, {})
        moment = time.monotonic()
        found = {
            media_id: kept.decision
            for media_id in media_ids
            if (kept := known.get(media_id)) and self._counts(kept, caller, moment)
        }
        asked = [media_id for media_id in dict.fromkeys(media_ids) if media_id not in found]
        if asked:
            found |= await self._ask(caller, asked, now)
        return [found[media_id] for media_id in media_ids]

    def _counts(self, kept: _Remembered, caller: Caller, moment: float) -> bool:
        return (
            moment < kept.until
            and self._changes.none_since(kept.number, caller.user_id)
            and self._changes.none_since(kept.number, kept.owner_id)
        )

    async def _ask(
        self, caller: Caller, media_ids: Sequence[str], now: datetime
    ) -> dict[str, Decision]:
        number, moment = self._changes.number, time.monotonic()
        decided = await decide_with_owners(self._reads, caller=caller, media_ids=media_ids, now=now)
        known = self._room_for(caller, len(media_ids))
        for media_id, (owner_id, decision) in zip(media_ids, decided, strict=True):
            seconds = self._ttl_seconds
            turns_at = decision.expires_at or decision.begins_at
            if turns_at is not None:
                seconds = min(seconds, (turns_at - now).total_seconds())
            known[media_id] = _Remembered(decision, owner_id, number, moment + seconds)
        return {
            media_id: decision for media_id, (_, decision) in zip(media_ids, decided, strict=True)
        }

    def _room_for(self, caller: Caller, count: int) -> dict[str, _Remembered]:
        known = self._callers.setdefault(caller, {})
        self._callers.move_to_end(caller)
        if len(self._callers) > CALLERS_MAX:
            self._callers.popitem(last=False)
        if len(known) + count > DECISIONS_MAX:
            known.clear()
        return known
