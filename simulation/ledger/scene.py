"""Worlds of postings over one process's database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from simulation.database import ProcessDatabase
from simulation.ledger.world import LedgerWorld
from simulation.worlds import Scene, World


class LedgerScene:
    def __init__(self, database: ProcessDatabase) -> None:
        self.database = database

    @asynccontextmanager
    async def world(self, seed: int) -> AsyncIterator[World]:
        self.database.empty()
        yield LedgerWorld(self.database.engine, seed)


@contextmanager
def open_ledger(environment: Mapping[str, str], number: int) -> Iterator[Scene]:
    database = ProcessDatabase(environment, number)
    try:
        yield LedgerScene(database)
    finally:
        database.close()
