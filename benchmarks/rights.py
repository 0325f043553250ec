"""When a right is there: heard from the database, which tells of each change of rights."""

from __future__ import annotations

import queue
import threading
import time

import psycopg

from infra.access_changes import CHANNEL
from infra.settings import Settings

HEARD_SECONDS = 10.0


class RightsHeard:
    """Listens for one person's rights, as the API's processes do, on a thread of its own."""

    def __init__(self, settings: Settings, user_id: str) -> None:
        self._connection = psycopg.connect(settings.psycopg_url, autocommit=True)
        self._connection.execute(f"LISTEN {CHANNEL}")
        self._user_id = user_id
        self._times: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="rights-heard", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closing.is_set():
            for told in self._connection.notifies(timeout=0.5):
                if told.payload == self._user_id:
                    self._times.put(time.perf_counter())

    def forget(self) -> None:
        """What was heard so far."""
        while not self._times.empty():
            self._times.get()

    def wait(self) -> float:
        """When the first change since then was heard, by `time.perf_counter`.

        Raises:
            queue.Empty: none was.
        """
        return self._times.get(timeout=HEARD_SECONDS)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._connection.close()
