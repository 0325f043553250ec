"""What the peer's broker still knows is told apart from what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from redis import Redis

from benchmarks.celery_peer.app import STEPS_KEY, make_app
from benchmarks.celery_peer.variants import CAREFUL
from benchmarks.sides import Peer
from devstack.stack import Stack
from infra.settings import Settings

ALONE = replace(CAREFUL, database=50)
"""A database of the broker that no other test uses; one run of tests has one broker."""


@pytest.fixture
def peer(stack: Stack, settings: Settings) -> Iterator[Peer]:
    peer = Peer(stack, settings, ALONE)
    yield peer
    peer.close()
    with Redis.from_url(ALONE.broker_url(settings.valkey_url)) as broker:
        broker.flushdb()


def test_waiting_and_taken_jobs_are_known_and_acknowledged_ones_are_not(
    peer: Peer, settings: Settings
) -> None:
    peer.order(["a", "b", "c"])
    assert peer.held(["a", "b", "c", "d"]) == {"a", "b", "c"}
    app = make_app(ALONE, settings.valkey_url)
    with app.connection_for_read() as connection, connection.SimpleQueue("celery") as jobs:
        taken = jobs.get(timeout=5)
        done = jobs.get(timeout=5)
        assert peer.held(["a", "b", "c"]) == {"a", "b", "c"}
        done.ack()
        assert peer.held(["a", "b", "c"]) == {"a", "c"}
        taken.ack()
        assert peer.held(["a", "b", "c"]) == {"c"}
    app.close()


def test_steps_are_counted_of_the_media_that_are_asked_for(peer: Peer, valkey: Redis) -> None:
    valkey.hset(STEPS_KEY, mapping={"a inspect": 2, "a render": 1, "b render": 1})
    assert peer.begun(["a"]) == {("a", "inspect"): 2, ("a", "render"): 1}
