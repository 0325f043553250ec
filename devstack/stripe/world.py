"""What all resources of the local Stripe stand on: objects, the clock, events and due jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devstack.stripe.errors import Obj, missing, refuse
from devstack.stripe.ids import object_id, token
from devstack.stripe.store import PLATFORM, Store

API_VERSION = "2026-10-28.endive"
DAY = 86_400

Job = Callable[["Scope", str], None]
_JOBS: dict[str, Job] = {}


def job(name: str) -> Callable[[Job], Job]:
    """Names a function that the clock calls with the account's scope and an object's id."""

    def named(work: Job) -> Job:
        _JOBS[name] = work
        return work

    return named


@dataclass(frozen=True)
class Endpoint:
    """A webhook endpoint known from the start. `connect`: it hears of connected accounts only."""

    url: str
    secret: str
    connect: bool = False
    events: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class Config:
    """How this Stripe behaves where the real one has no fixed answer."""

    secret_key: str | None = None
    """The only key that is let in; None lets in every `sk_test_…`."""
    endpoints: tuple[Endpoint, ...] = ()
    settle_seconds: int = 2 * DAY
    """From a charge until its money is available."""
    async_capture_seconds: int = 0
    """How long a charge of `capture_method=automatic_async`, the default, has no balance
    transaction. Stripe gives it with `charge.updated`, mostly at once and within an hour."""
    search_lag_seconds: int = 0
    """How long search does not know of what was written: under a minute with Stripe."""
    processing_seconds: int = 0
    """How long a confirmed payment is `processing` before it succeeds; cards mostly are not."""
    refund_seconds: int = DAY
    """Until a pending refund succeeds, or one that will fail fails."""
    payout_submit_seconds: int = 3_600
    payout_paid_seconds: int = 2 * DAY
    payout_fails_late: bool = False
    """True: a payout to a bank account that refuses it is `paid` first and `failed` a day later."""
    dispute_fee: int = 1_500
    dispute_days: int = 9
    """Until the evidence of a dispute is due."""
    base_url: str = "http://127.0.0.1"
    """Where the pages of this Stripe are, for its redirects."""


@dataclass
class Request:
    """The request that is carried out now; events name it."""

    id: str | None = None
    idempotency_key: str | None = None


@dataclass
class World:
    """The whole state. Nothing here reads a wall clock or opens a connection."""

    store: Store
    seed: str
    now: int
    config: Config = field(default_factory=Config)
    request: Request = field(default_factory=Request)
    _count: int = 0

    def __post_init__(self) -> None:
        kept = self.store.get(PLATFORM, "_meta", "meta")
        if kept is not None:
            self.seed, self._count = kept["seed"], kept["count"]
            self.now = max(self.now, kept["now"])
        self.remember()

    def remember(self) -> None:
        """Write down the clock and the count of ids, with what they brought about."""
        meta = {"seed": self.seed, "count": self._count, "now": self.now}
        self.store.put(PLATFORM, "_meta", "meta", meta)

    def new_id(self, prefix: str) -> str:
        self._count += 1
        return object_id(self.seed, prefix, self._count)

    def secret(self, of: str) -> str:
        return token(self.seed, f"secret:{of}", 25)

    def scope(self, account: str = PLATFORM) -> Scope:
        return Scope(self, account)

    def schedule(self, scope: Scope, name: str, of: str, *, at: int) -> None:
        """Have the job `name` done on the object `of` when the clock reaches `at`."""
        self._count += 1
        job_id = f"job{self._count:012d}"
        row = {"id": job_id, "name": name, "of": of, "at": at, "account": scope.account}
        self.store.put(PLATFORM, "_job", job_id, row)

    def move_to(self, now: int) -> None:
        """Let the clock reach `now`, and do what was due on the way, in its order.

        Raises:
            ValueError: when `now` is past.
        """
        if now < self.now:
            raise ValueError(f"the clock stands at {self.now} and can't go back to {now}")
        while due := self._next_job(now):
            self.now = max(self.now, due["at"])
            self.store.drop(PLATFORM, "_job", due["id"])
            _JOBS[due["name"]](self.scope(due["account"]), due["of"])
        self.now = now

    def _next_job(self, until: int) -> Obj | None:
        due = [row for row in self.store.all(PLATFORM, "_job") if row["at"] <= until]
        return min(due, key=lambda row: (row["at"], row["id"]), default=None)


@dataclass(frozen=True)
class Scope:
    """One account's view: the platform's own, or a connected account's."""

    world: World
    account: str

    @property
    def now(self) -> int:
        return self.world.now

    @property
    def config(self) -> Config:
        return self.world.config

    @property
    def platform(self) -> Scope:
        return self.world.scope(PLATFORM)

    def new_id(self, prefix: str) -> str:
        return self.world.new_id(prefix)

    def save(self, obj: Obj) -> Obj:
        self.world.store.put(self.account, obj["object"], obj["id"], obj)
        return obj

    def find(self, kind: str, wanted: str) -> Obj | None:
        return self.world.store.get(self.account, kind, wanted)

    def get(self, kind: str, wanted: str, *, param: str | None = None) -> Obj:
        """The object; as 404 where the path names it, 400 where the parameter `param` does.

        Raises:
            Refused: `resource_missing`.
        """
        obj = self.find(kind, wanted)
        if obj is None:
            raise missing(kind, wanted, param=param or "id", status=400 if param else 404)
        return obj

    def all(self, kind: str) -> list[Obj]:
        return self.world.store.all(self.account, kind)

    def schedule(self, name: str, of: str, *, after: int) -> None:
        self.world.schedule(self, name, of, at=self.now + after)


def merged_metadata(obj: Obj, given: Any) -> dict[str, str]:
    """The metadata after an update: keys are added, and those given as "" removed.

    Raises:
        Refused: more than 50 keys, keys over 40 characters, values over 500.
    """
    if given == "":
        return {}
    metadata = {**obj.get("metadata", {}), **(given or {})}
    metadata = {name: value for name, value in metadata.items() if value != ""}
    if len(metadata) > 50:
        refuse("Metadata can't have more than 50 keys.", param="metadata")
    for name, value in metadata.items():
        if len(name) > 40 or len(value) > 500:
            refuse("Metadata key or value is too long.", param=f"metadata[{name}]")
    return metadata


def updated(obj: Obj, changes: Mapping[str, Any]) -> Obj:
    """Change `obj`, and say what its changed fields were: an event's `previous_attributes`."""
    previous = {name: obj.get(name) for name, value in changes.items() if obj.get(name) != value}
    obj.update(changes)
    copied: Obj = json.loads(json.dumps(previous))
    return copied
