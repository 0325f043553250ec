"""What the acts of a world work with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from infra.settings import Settings
from simulation.database import ProcessDatabase
from simulation.money.cast import Cast
from simulation.money.stripe import Browser, WayToStripe
from simulation.temporal import SimulatedTemporal


@dataclass
class Parts:
    database: ProcessDatabase
    async_engine: AsyncEngine
    temporal: SimulatedTemporal
    way: WayToStripe
    cast: Cast
    _shown: datetime | None = None

    @property
    def settings(self) -> Settings:
        return self.database.settings

    @property
    def engine(self) -> Engine:
        return self.database.engine

    def keep_time(self) -> None:
        """Have every clock show the time."""
        if self.now != self._shown:
            self._shown = self.now
            self.database.keep_time(self.now)
            self.way.keep_time()

    @property
    def now(self) -> datetime:
        return self.temporal.clock.now

    @property
    def queue_prefix(self) -> str:
        return self.settings.task_queue_prefix

    @property
    def browser(self) -> Browser:
        return Browser(self.way)
