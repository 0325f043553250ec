"""A Celery worker as a part of the stack: started, killed and started again as our workers are."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from benchmarks.celery_peer.app import VARIANT_SETTING, make_app
from benchmarks.celery_peer.variants import Variant
from devstack.part import Launch, NotReady, Part, Place

ANSWER_SECONDS = 1.0


class CeleryWorker(Part):
    """One worker with a pool of processes; it is well when it answers a ping."""

    stop_seconds = 15

    def __init__(self, variant: Variant, *, slots: int) -> None:
        self.name = f"celery-{variant.name}"
        self._variant = variant
        self._slots = slots

    def prepare(self, place: Place) -> Launch:  # noqa: ARG002
        return Launch(
            (
                *(sys.executable, "-m", "celery", "-A", "benchmarks.celery_peer.served", "worker"),
                *("--pool", "prefork", "--concurrency", str(self._slots), "--loglevel", "WARNING"),
                *("--hostname", f"{self._variant.name}@bench"),
            ),
            environment={VARIANT_SETTING: self._variant.name},
        )

    def environment(self, place: Place) -> dict[str, str]:  # noqa: ARG002
        return {}

    def check(self, environment: Mapping[str, str]) -> None:
        app = make_app(self._variant, environment["VALKEY_URL"])
        try:
            if not app.control.ping(timeout=ANSWER_SECONDS):
                raise NotReady("it does not answer")
        finally:
            app.close()
