"""The app as both sides of the broker know it: the benchmark that sends, the worker that takes."""

from __future__ import annotations

from celery import Celery

from benchmarks.celery_peer.variants import Variant

VARIANT_SETTING = "CELERY_PEER_VARIANT"
STEPS_KEY = "bench:celery:steps"
"""A hash in Valkey: how often each step of each media was begun."""
TASK = "ingest_picture"


def make_app(variant: Variant, valkey_url: str) -> Celery:
    """The app that both sides of the broker use."""
    made = Celery("fansworld_peer", broker=variant.broker_url(valkey_url))
    made.conf.update(
        # Opening the parts takes longer than the four seconds that a process has by default.
        worker_proc_alive_timeout=60.0,
        broker_connection_retry_on_startup=True,
        task_ignore_result=True,
        **variant.settings,
    )
    return made
