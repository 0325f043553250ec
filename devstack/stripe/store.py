"""Every object that the local Stripe holds: in memory, and in a SQLite file where one is given."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from devstack.stripe.errors import Obj

PLATFORM = ""
"""The account that the secret key belongs to; connected accounts go by their `acct_…`."""

_Key = tuple[str, str, str]


class Store:
    """Objects by account, kind and id, in the order in which they were made."""

    def __init__(self, path: Path | None = None) -> None:
        self._tables: dict[tuple[str, str], dict[str, Obj]] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, int] = {}
        self._changed: set[_Key] = set()
        self._file = None if path is None else _open(path)
        if self._file is not None:
            query = "SELECT account, kind, id, body FROM thing ORDER BY rowid"
            for account, kind, object_id, body in self._file.execute(query):
                self._keep(account, kind, object_id, json.loads(body))

    def put(self, account: str, kind: str, object_id: str, obj: Obj) -> None:
        """Keep `obj`, new or changed. It is on disk after the next `flush`."""
        self._keep(account, kind, object_id, obj)
        self._changed.add((account, kind, object_id))

    def _keep(self, account: str, kind: str, object_id: str, obj: Obj) -> None:
        self._tables.setdefault((account, kind), {})[object_id] = obj
        self._places[object_id] = (account, kind)
        self._numbers.setdefault(object_id, len(self._numbers))

    def get(self, account: str, kind: str, object_id: str) -> Obj | None:
        return self._tables.get((account, kind), {}).get(object_id)

    def drop(self, account: str, kind: str, object_id: str) -> None:
        del self._tables[account, kind][object_id]
        self._places.pop(object_id, None)
        self._changed.add((account, kind, object_id))

    def all(self, account: str, kind: str) -> list[Obj]:
        """Oldest first."""
        return list(self._tables.get((account, kind), {}).values())

    def each(self, kind: str) -> Iterator[tuple[str, Obj]]:
        """Those of every account, with it."""
        for (account, found), table in list(self._tables.items()):
            if found == kind:
                for obj in list(table.values()):
                    yield account, obj

    def anywhere(self, object_id: str) -> tuple[str, Obj] | None:
        """The object with this id and its account, whichever that is."""
        place = self._places.get(object_id)
        if place is None or place[1].startswith("_"):
            return None
        return place[0], self._tables[place][object_id]

    def flush(self) -> None:
        """Write what has changed, in one transaction."""
        changed, self._changed = self._changed, set()
        if self._file is None or not changed:
            return
        with self._file:
            # In the order of making, which the next start reads.
            for key in sorted(changed, key=lambda key: self._numbers[key[2]]):
                obj = self.get(*key)
                if obj is None:
                    self._file.execute(
                        "DELETE FROM thing WHERE account = ? AND kind = ? AND id = ?", key
                    )
                else:
                    self._file.execute(
                        "INSERT INTO thing (account, kind, id, body) VALUES (?, ?, ?, ?)"
                        " ON CONFLICT (account, kind, id) DO UPDATE SET body = excluded.body",
                        (*key, json.dumps(obj)),
                    )

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    file.execute(
        "CREATE TABLE IF NOT EXISTS thing (account TEXT, kind TEXT, id TEXT, body TEXT,"
        " PRIMARY KEY (account, kind, id))"
    )
    return file
