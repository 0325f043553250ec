"""The two ways in which the peer is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

CELERY_HOUR = 3600
"""Celery's own visibility time-out over Redis, in seconds."""
VISIBILITY_SECONDS = 30
"""In the careful variant: as long as our steps may be silent before they count as lost. It has to
be longer than the longest job, which it is for pictures; for films it would have to be hours."""
RESTORE_SECONDS = 100
"""A running worker looks that often for what was silent for too long (each tenth of the calls that
kombu makes every ten seconds)."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings of the app and options of the task; a queue and a database of the broker each."""

    name: str
    told: str
    database: int
    visibility_seconds: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)

    def broker_url(self, valkey_url: str) -> str:
        return urlunsplit(urlsplit(valkey_url)._replace(path=f"/{self.database}"))


DEFAULTS = Variant("defaults", "Celery as it comes", 40, CELERY_HOUR)
CAREFUL = Variant(
    "careful",
    "Celery with acks_late",
    41,
    VISIBILITY_SECONDS,
    settings={
        "worker_prefetch_multiplier": 1,
        "broker_transport_options": {"visibility_timeout": VISIBILITY_SECONDS},
    },
    task={
        "acks_late": True,
        "reject_on_worker_lost": True,
        "autoretry_for": (Exception,),
        "retry_backoff": True,
        "max_retries": 8,
    },
)
VARIANTS = {each.name: each for each in (DEFAULTS, CAREFUL)}
