"""What routes work with, opened once a process in the application's lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from api.access_log import AccessLog
from api.auth.tokens import TokenKeys
from api.starting import RunStarter
from infra.access_changes import AccessChanges
from infra.db import make_async_engine, make_engine
from infra.keyring import KeyRing
from infra.limits import Limiter
from infra.passwords import Passwords
from infra.queries.access import RememberedDecisions
from infra.reads import ReadPool
from infra.redis import make_async_valkey
from infra.settings import Settings
from infra.storage import Storage
from infra.stripe import StripeGateway
from infra.temporal import connect
from infra.webauthn import RelyingParty


@dataclass(frozen=True)
class Parts:
    """`engine` is for transactions that write, `reads` for single statements that don't."""

    settings: Settings
    token_keys: TokenKeys
    engine: AsyncEngine
    reads: ReadPool
    decisions: RememberedDecisions
    storage: Storage
    valkey: Redis
    limiter: Limiter
    temporal: Client
    starter: RunStarter
    keys: KeyRing
    """Of media."""
    account_keys: KeyRing
    relying_party: RelyingParty
    passwords: Passwords
    access_log: AccessLog
    gateway: StripeGateway
    """Its methods block: call them in a thread."""

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Open everything without waiting for anything.

    Each part connects when it is first used, and again after it was lost: the API serves
    reads while Temporal is down, and it may be started before any of its parts.
    """
    async with AsyncExitStack() as stack:
        engine = make_async_engine(settings)
        stack.push_async_callback(engine.dispose)
        reads = ReadPool(settings)
        await reads.open()
        stack.push_async_callback(reads.close)
        changes = AccessChanges(settings)
        await changes.open()
        stack.push_async_callback(changes.close)
        valkey = make_async_valkey(settings)
        stack.push_async_callback(valkey.aclose)
        limiter = Limiter(valkey)
        stack.push_async_callback(limiter.aclose)
        storage = Storage(settings)
        stack.callback(storage.close)
        passwords = Passwords(settings)
        stack.callback(passwords.close)
        # The journal of orders to Stripe blocks as they do.
        journal_engine = make_engine(settings, name="fansworld-api-orders")
        stack.callback(journal_engine.dispose)
        gateway = StripeGateway(settings, journal_engine)
        stack.callback(gateway.close)
        yield Parts(
            settings=settings,
            token_keys=TokenKeys(settings),
            engine=engine,
            reads=reads,
            decisions=RememberedDecisions(
                reads, changes, ttl_seconds=settings.access_cache_ttl_seconds
            ),
            storage=storage,
            valkey=valkey,
            limiter=limiter,
            temporal=await connect(settings, lazy=True),
            starter=RunStarter(settings),
            keys=KeyRing(settings.media_master_keys),
            account_keys=KeyRing(settings.account_master_keys),
            relying_party=RelyingParty.of(settings),
            passwords=passwords,
            access_log=AccessLog(engine),
            gateway=gateway,
        )


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


ApiParts = Annotated[Parts, Depends(_parts)]
