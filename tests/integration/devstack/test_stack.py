"""The embedded stack under the things that happen to it: twice, interrupted, killed, in the way."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from devstack.clamd import Clamd
from devstack.part import Launch, PartFailed, Place
from devstack.postgres import Postgres
from devstack.processes import ProcessRecord, boot_id, marked, start_ticks
from devstack.stack import PARTS, ROOT, Stack, StackFailed, settings_from
from devstack.temporal import Temporal
from devstack.valkey import Valkey

PATH_ONLY = {"PATH": os.environ["PATH"]}


@pytest.fixture
def run_dir(other_run_dir: Path) -> Path:
    return other_run_dir


def processes_of(run_dir: Path) -> list[str]:
    """Command lines of everything that still runs and names the run directory."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            line = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(run_dir) in line and int(proc.name) != os.getpid():
            found.append(line)
    return found


def libpq(environment: dict[str, str]) -> str:
    return settings_from(environment).psycopg_url


def test_all_parts_start_twice_and_leave_nothing(run_dir: Path) -> None:
    stack = Stack(run_dir, environ=PATH_ONLY, durable=False)
    first = stack.start()
    for part in PARTS:
        assert stack.pid(part.name) in marked(f"{run_dir}:{part.name}"), (
            f"{part.name} would not be found if its starter were killed"
        )
    assert {row.state for row in stack.status() if row.name not in ("api",)} >= {"running"}
    stack.migrate()
    with psycopg.connect(libpq(first)) as connection:
        connection.execute(
            "INSERT INTO users (id, handle, display_name) VALUES (gen_random_uuid(), 'ada', 'Ada')"
        )
    assert set(stack.stop()) == {part.name for part in PARTS}
    assert processes_of(run_dir) == []
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{first['S3_ENDPOINT'].rpartition(':')[2]}.*"))

    with Stack(run_dir, environ=PATH_ONLY, durable=False) as again:
        assert again.environment == first, "the same addresses and keys"
        again.migrate()
        with psycopg.connect(libpq(first)) as connection:
            row = connection.execute("SELECT handle FROM users").fetchone()
        assert row == ("ada",)
    assert processes_of(run_dir) == []


def test_a_second_start_takes_over_what_runs_and_leaves_it_running(run_dir: Path) -> None:
    Stack(run_dir, parts=[Valkey()], environ=PATH_ONLY).start()
    with Stack(run_dir, parts=[Valkey()], environ=PATH_ONLY) as second:
        pid = second.pid("valkey")
        assert second.current_environment() == second.environment
    assert pid is not None
    assert start_ticks(pid) is not None, "what was there before goes on"
    assert Stack(run_dir, environ=PATH_ONLY).stop() == ["valkey"]
    assert start_ticks(pid) is None


def test_a_killed_postgres_comes_back_with_its_data(run_dir: Path) -> None:
    stack = Stack(run_dir, parts=[Postgres()], environ=PATH_ONLY)
    environment = stack.start()
    with psycopg.connect(libpq(environment), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = stack.kill("postgres")
    assert stack.pid("postgres") is None
    assert stack.start() == environment
    assert stack.pid("postgres") not in (None, pid)
    with psycopg.connect(libpq(environment)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_killed_postgres_that_nobody_has_reaped_does_not_bar_the_next(run_dir: Path) -> None:
    with starter(run_dir, parts="[Postgres()]") as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"up\n"
        stack = Stack(run_dir, parts=[Postgres()], environ=PATH_ONLY)
        killed = stack.kill("postgres")
        assert Path(f"/proc/{killed}").exists(), "its parent has not asked after it"
        assert stack.start()
        process.stdin.close()


def starter(run_dir: Path, *, parts: str = "PARTS") -> subprocess.Popen[bytes]:
    """A process of its own that starts parts and stays until its stdin closes."""
    code = (
        "import sys; from pathlib import Path; from devstack.stack import PARTS, Postgres, Stack\n"
        f"Stack(Path(sys.argv[1]), parts={parts}, durable=False).start()\n"
        "print('up', flush=True); sys.stdin.read()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(run_dir)],
        cwd=ROOT,
        env=PATH_ONLY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def test_a_starter_that_leaves_parts_running_ends_without_a_word(run_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from devstack.stack import Stack, Valkey\n"
        "Stack(Path(sys.argv[1]), parts=[Valkey()]).start()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", code, str(run_dir)],
        cwd=ROOT,
        env=PATH_ONLY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert Stack(run_dir, environ=PATH_ONLY).stop() == ["valkey"]


def wait_for_first_part(run_dir: Path) -> None:
    deadline = time.monotonic() + 30
    while not list((run_dir / "pids").glob("*.json")):
        assert time.monotonic() < deadline, "no part was started"
        time.sleep(0.02)


def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(run_dir: Path) -> None:
    with starter(run_dir) as process:
        wait_for_first_part(run_dir)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert output == b""
    assert processes_of(run_dir) == []
    assert list((run_dir / "pids").glob("*")) == []


def test_a_start_after_a_killed_start_recovers(run_dir: Path) -> None:
    with starter(run_dir) as process:
        wait_for_first_part(run_dir)
        process.kill()
    with Stack(run_dir, environ=PATH_ONLY, durable=False) as stack:
        assert stack.environment["DATABASE_URL"]
    stack.stop()
    assert processes_of(run_dir) == []


def test_temporals_database_is_kept_unless_a_killed_server_left_it_half_made(
    run_dir: Path,
) -> None:
    database = run_dir / "temporal" / "temporal.db"
    stack = Stack(run_dir, parts=[Temporal()], environ=PATH_ONLY, durable=False)
    stack.start()
    made = database.stat().st_ino
    stack.kill("temporal")
    stack.start()
    stack.stop()
    assert database.stat().st_ino == made
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE namespaces")
    stack.start()


def test_a_part_that_no_longer_answers_is_started_anew(run_dir: Path) -> None:
    class Impatient(Valkey):
        adopt_seconds = 2

    stack = Stack(run_dir, parts=[Impatient()], environ=PATH_ONLY)
    environment = stack.start()
    before = stack.pid("valkey")
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    assert stack.start() == environment
    assert stack.pid("valkey") not in (None, before)
    assert start_ticks(before) is None


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_fixed_port_that_is_taken_is_named(run_dir: Path, taken_port: int) -> None:
    stack = Stack(run_dir, parts=[Valkey()], environ=PATH_ONLY, ports={"valkey": taken_port})
    with pytest.raises(StackFailed, match=f"port {taken_port} .valkey. is taken") as caught:
        stack.start()
    assert "what to do" in str(caught.value)


def test_a_remembered_port_that_is_taken_is_given_up(run_dir: Path, taken_port: int) -> None:
    (run_dir / "ports.json").write_text(f'{{"valkey": {taken_port}}}')
    with Stack(run_dir, parts=[Valkey()], environ=PATH_ONLY) as stack:
        assert f":{taken_port}/" not in stack.environment["VALKEY_URL"]


def test_a_missing_program_is_named_with_what_to_install(run_dir: Path) -> None:
    parts = [Clamd(program="clamd-that-nobody-has"), Valkey()]
    with pytest.raises(StackFailed) as caught:
        Stack(run_dir, parts=parts, environ=PATH_ONLY).start()
    assert "`clamd-that-nobody-has` is missing" in str(caught.value)
    assert "clamav-daemon" in str(caught.value)
    assert processes_of(run_dir) == [], "the part that could start was ended again"


class Dying(Valkey):
    """Fails as a server does that finds a fault in its configuration."""

    def prepare(self, place: Place) -> Launch:
        launch = super().prepare(place)
        code = "print('line one'); print('cannot read the frobnicator'); raise SystemExit(3)"
        return replace(launch, command=(sys.executable, "-c", code))


def test_a_part_that_dies_shows_the_end_of_its_log(run_dir: Path) -> None:
    log = run_dir / "logs" / "valkey.log"
    log.parent.mkdir()
    log.write_text("of an earlier run\n")
    with pytest.raises(StackFailed) as caught:
        Stack(run_dir, parts=[Dying()], environ=PATH_ONLY).start()
    assert "valkey did not start: it ended at once" in str(caught.value)
    assert "cannot read the frobnicator" in str(caught.value)
    assert "earlier run" not in str(caught.value)
    assert f"what to do: read {log}" in str(caught.value), "it is installed, or it would not run"


def test_a_named_service_is_used_and_nothing_is_started(run_dir: Path) -> None:
    elsewhere = run_dir / "elsewhere"
    with Stack(elsewhere, parts=[Valkey()], environ=PATH_ONLY) as other:
        url = other.environment["VALKEY_URL"]
        stack = Stack(run_dir, parts=[Valkey()], environ={**PATH_ONLY, "VALKEY_URL": url})
        assert stack.start()["VALKEY_URL"] == url
        assert stack.pid("valkey") is None
        assert stack.status()[0].state == "real service"
        assert stack.stop() == []
        assert other.pid("valkey") is not None


def test_a_named_service_that_is_not_there_is_an_error(run_dir: Path, taken_port: int) -> None:
    given = {**PATH_ONLY, "VALKEY_URL": f"redis://127.0.0.1:{taken_port}/0"}
    with pytest.raises(StackFailed, match="the service named by VALKEY_URL does not answer"):
        Stack(run_dir, parts=[Valkey()], environ=given).start()


def test_a_pid_that_was_used_again_is_left_alone(run_dir: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        ticks = start_ticks(stranger.pid)
        assert ticks is not None
        record = ProcessRecord(
            pid=stranger.pid,
            start_ticks=ticks - 1,
            boot_id=boot_id(),
            command=("valkey-server",),
            ports={"valkey": 1},
        )
        record.write(run_dir / "pids" / "valkey.json")
        assert Stack(run_dir, environ=PATH_ONLY).stop() == []
        assert stranger.poll() is None
        stranger.kill()


def test_a_child_that_left_its_parents_group_is_ended_too(run_dir: Path) -> None:
    class Leaving(Valkey):
        def prepare(self, place: Place) -> Launch:
            launch = super().prepare(place)
            return replace(launch, command=("bash", "-c", LEAVE, "-", *launch.command))

    stack = Stack(run_dir, parts=[Leaving()], environ=PATH_ONLY)
    stack.start()
    stack.kill("valkey")
    child = int((run_dir / "valkey" / "child").read_text())
    assert start_ticks(child) is not None
    stack.stop()
    assert start_ticks(child) is None


LEAVE = 'setsid sleep 61 & echo $! > "$(dirname "$2")/child"; exec "$@"'


def test_killing_what_does_not_run_is_an_error(run_dir: Path) -> None:
    with pytest.raises(PartFailed, match="not running"):
        Stack(run_dir, environ=PATH_ONLY).kill("valkey")


def test_secrets_are_for_their_owner_only(run_dir: Path) -> None:
    with Stack(run_dir, parts=[Valkey()], environ=PATH_ONLY) as stack:
        settings = settings_from(stack.environment)
        for secret in ("keys.json", "valkey/valkey.conf"):
            assert (run_dir / secret).stat().st_mode & 0o077 == 0, secret
        password = stack.environment["VALKEY_URL"].partition("://:")[2].partition("@")[0]
        assert all(password not in row.address for row in stack.status())
        assert not any(password in line for line in processes_of(run_dir))
    assert settings.payload_keys
