"""How far a step is when several workers share it.

Each chunk puts its own part into a Valkey hash and reads the sum. Without Valkey a chunk
reckons from its own place in the row: less smooth, never wrong about the end.
"""

from __future__ import annotations

from redis import Redis
from redis.exceptions import RedisError

from activities.media.video.plan import StoredPlan
from workflows.media.messages import EncodeVideoInput

TTL_SECONDS = 24 * 3600


class ChunkShare:
    """Turns one chunk's progress (0–1) into the whole encode's."""

    def __init__(self, valkey: Redis, order: EncodeVideoInput, plan: StoredPlan) -> None:
        self._valkey = valkey
        self._chunks = len(plan.chunks)
        self._index = order.chunk_index
        self._before = plan.share_before(order.pass_index)
        self._weight = plan.share_of(order.pass_index)
        self._key = f"chunks:{order.media_id}:{order.generation}:{order.pass_index}"

    def __call__(self, done: float) -> float:
        return self._before + self._weight * self._of_pass(done)

    def _of_pass(self, done: float) -> float:
        if self._chunks == 1:
            return done
        try:
            pipeline = self._valkey.pipeline(transaction=False)
            pipeline.hset(self._key, str(self._index), f"{done:.4f}")
            pipeline.expire(self._key, TTL_SECONDS)
            pipeline.hvals(self._key)
            parts = pipeline.execute()[-1]
        except RedisError:
            # The base of all that the client raises; progress alone must not fail a step.
            return (self._index + done) / self._chunks
        return sum(float(part) for part in parts) / self._chunks
