"""What activities work with, opened once a worker process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog
from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from temporalio.client import Client

from activities.scratch import Scratch
from infra.antivirus import Antivirus
from infra.cdn import Cdn
from infra.db import make_engine
from infra.keyring import KeyRing
from infra.migrations.state import check_database
from infra.moderation import Judge
from infra.redis import make_valkey
from infra.sandbox import Zygote, check_sandbox
from infra.settings import Settings
from infra.storage import Storage
from infra.stripe import StripeGateway

log = structlog.get_logger("worker")


@dataclass(frozen=True)
class WorkerParts:
    settings: Settings
    engine: Engine
    storage: Storage
    valkey: Redis
    antivirus: Antivirus
    cdn: Cdn
    judge: Judge
    keys: KeyRing
    scratch: Scratch
    zygote: Zygote
    gateway: StripeGateway
    temporal: Client


@contextmanager
def open_worker_parts(settings: Settings, temporal: Client) -> Iterator[WorkerParts]:
    """Open everything, and close it when the worker ends.

    Raises:
        SandboxUnavailable: this machine can't confine decoders.
        DatabaseBehind: the database was not migrated to what this release needs.
    """
    check_sandbox()
    scratch = Scratch(
        settings.scratch_dir,
        free_bytes_min=settings.scratch_free_bytes_min,
        bytes_max=settings.scratch_bytes_max,
    )
    scratch.sweep()
    with ExitStack() as stack:
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        _check_revision(engine)
        valkey = make_valkey(settings)
        stack.callback(valkey.close)
        storage = Storage(settings)
        stack.callback(storage.close)
        gateway = StripeGateway(settings, engine)
        stack.callback(gateway.close)
        zygote = stack.enter_context(Zygote())
        yield WorkerParts(
            settings=settings,
            engine=engine,
            storage=storage,
            valkey=valkey,
            antivirus=Antivirus(settings),
            cdn=Cdn(settings),
            judge=Judge(settings),
            keys=KeyRing(settings.media_master_keys),
            scratch=scratch,
            zygote=zygote,
            gateway=gateway,
            temporal=temporal,
        )


def _check_revision(engine: Engine) -> None:
    """Of a database that is away nothing is known: steps are tried again until it is back."""
    try:
        with engine.connect() as connection:
            check_database(connection)
    except OperationalError as error:
        log.warning("database revision not checked", why=type(error.orig).__name__)
