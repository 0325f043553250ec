"""`Stack`: the parts together, started in parallel, found again by a later run, and ended.

All that must be known later is in the run directory: `ports.json`, `keys.json`,
`pids/PART.json`, `logs/PART.log`, and each part's data. So a stack that was interrupted,
even by kill -9, is taken over or tidied up by the next `start()` or `stop()`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devstack.apps import APP_NAMES, make_apps
from devstack.clamd import Clamd
from devstack.keys import SETTINGS_KEYS, load_keys
from devstack.part import Part, PartFailed, Place
from devstack.ports import PortBook, is_free
from devstack.postgres import Postgres
from devstack.processes import (
    ProcessRecord,
    end,
    is_alive,
    kill,
    log_tail,
    read_record,
    spawn,
)
from devstack.s3 import S3
from devstack.temporal import Temporal
from devstack.valkey import Valkey
from infra.migrations import upgrade
from infra.settings import Settings
from infra.storage import Storage

ROOT = Path(__file__).resolve().parent.parent
PARTS: tuple[Part, ...] = (Postgres(), Valkey(), S3(), Temporal(), Clamd())
POLL_SECONDS = 0.1
ADOPT_SECONDS = 10
"""How long a part that an earlier run left has to prove that it is well."""
PORT_TRIES = 3
WISHED_PORTS = {"api": 8000, "temporal_ui": 8233}


class StackFailed(Exception):
    """One or more parts can't be started; nothing that this start began is left running."""

    def __init__(self, failures: Sequence[PartFailed]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n\n".join(str(failure) for failure in failures))


class Cancelled(Exception):
    """Another part failed, or the user interrupted; what this one started has been ended."""


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that a process would read from `environment`."""
    values: dict[str, Any] = {name.lower(): value for name, value in environment.items()}
    return Settings(**values)


@dataclass(frozen=True)
class PartStatus:
    name: str
    state: str
    """`running`, `stopped`, or `real service` where the environment names one."""
    address: str
    log: Path | None
    pid: int | None


class Stack:
    """The embedded stack of one run directory.

    As a context manager it starts the parts, and on leaving ends those that it started; what
    was running before goes on. `stop()` ends everything that the run directory knows of.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        parts: Sequence[Part] = PARTS,
        environ: Mapping[str, str] | None = None,
        ports: Mapping[str, int] | None = None,
        durable: bool = True,
    ) -> None:
        """Args:
        environ: what is given; a part whose first setting it holds is not started.
        ports: fixed ports by use (`{"postgres": 5432}`); others are chosen and remembered.
        durable: False spares the waiting for the disk.
        """
        self.run_dir = run_dir.resolve()
        self.given = dict(os.environ if environ is None else environ)
        self.environment: dict[str, str] = {}
        self._parts = {part.name: part for part in parts}
        self._durable = durable
        self._fixed_ports = dict(ports or {})
        if self.given.get("API_PORT", "0") != "0":
            self._fixed_ports.setdefault("api", int(self.given["API_PORT"]))
        self._cancel = threading.Event()
        self._started: list[str] = []

    # --- starting ------------------------------------------------------------------------

    def start(self, *, report: Callable[[str, str], None] | None = None) -> dict[str, str]:
        """Start or take over every part, in parallel, and wait until each is well.

        Returns:
            The variables that `infra.settings` needs to use them.

        Raises:
            StackFailed: with every part's reason; what this call started is ended again.
        """
        with self._lock():
            keys = load_keys(self.run_dir / "keys.json")
            self.environment = {name: self.given.get(name, keys[name]) for name in SETTINGS_KEYS}
            self.environment |= self._start_together(list(self._parts.values()), report=report)
        return dict(self.environment)

    def start_apps(
        self,
        names: Sequence[str] = APP_NAMES,
        *,
        report: Callable[[str, str], None] | None = None,
    ) -> dict[str, str]:
        """Start the API and the workers on the parts that `start()` has brought up."""
        with self._lock():
            apps = [app for app in make_apps() if app.name in names]
            self.environment |= self._start_together(apps, report=report)
        return dict(self.environment)

    def migrate(self) -> None:
        """Bring the database to the newest version, and make the buckets."""
        settings = settings_from(self.environment or self.current_environment())
        upgrade(settings.database_url)
        storage = Storage(settings)
        try:
            storage.ensure_buckets()
        finally:
            storage.close()

    def _start_together(
        self, parts: Sequence[Part], *, report: Callable[[str, str], None] | None
    ) -> dict[str, str]:
        self._cancel.clear()
        tell = report or (lambda _name, _state: None)
        # Ports are chosen one after the other, so that two parts never get the same one.
        places = {part.name: self._place(part) for part in parts if not self._is_given(part)}
        began: list[str] = []
        with ThreadPoolExecutor(max_workers=max(1, len(parts))) as pool:
            futures = {
                pool.submit(self._bring_up, part, places.get(part.name), began, tell): part
                for part in parts
            }
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                self._raise_failures(list(futures))
            except BaseException:
                self._cancel.set()
                wait(futures)
                self._end_all([part for part in parts if part.name in began])
                # Parts that failed at the same time belong in the same message.
                self._raise_failures(list(futures))
                raise
        self._started += began
        return {name: value for future in futures for name, value in future.result().items()}

    @staticmethod
    def _raise_failures(futures: Sequence[Future[dict[str, str]]]) -> None:
        errors = [future.exception() for future in futures if future.done()]
        failures = [error for error in errors if isinstance(error, PartFailed)]
        if failures:
            raise StackFailed(failures)
        for error in errors:
            if error is not None and not isinstance(error, Cancelled):
                raise error

    def _bring_up(
        self,
        part: Part,
        place: Place | None,
        began: list[str],
        tell: Callable[[str, str], None],
    ) -> dict[str, str]:
        """One part, in a thread of its own: used as given, taken over, or started."""
        if place is None:
            tell(part.name, "checking")
            self._check_given(part)
            tell(part.name, "real service")
            return {name: self.given[name] for name in part.settings if name in self.given}
        record = self._record(part)
        if record is not None and is_alive(record):
            if self._adopt(part, place):
                tell(part.name, "running")
                return part.environment(place)
            end(record, grace_seconds=part.stop_seconds, stop_signal=part.stop_signal)
        tell(part.name, "starting")
        for tries_left in reversed(range(PORT_TRIES)):
            began.append(part.name)
            try:
                self._launch(part, place)
                break
            except PartFailed:
                taken = [use for use in part.port_uses if not is_free(place.ports[use])]
                fixed = any(self._book().is_fixed(use) for use in taken)
                if not taken or fixed or tries_left == 0:
                    raise
                # Somebody took the port between our look and the part's bind.
                place = self._place(part)
        tell(part.name, "running")
        return part.environment(place)

    def _launch(self, part: Part, place: Place) -> None:
        self._refuse_taken_ports(part, place)
        launch = part.prepare(place)
        log_path = self.log_path(part.name)
        try:
            record = spawn(
                launch.command,
                log_path=log_path,
                environment={**self.given, **place.environment, **launch.environment},
                ports=place.ports,
                user=launch.user,
                cwd=ROOT if part.name in APP_NAMES else self.run_dir,
            )
        except OSError as error:
            raise PartFailed(part.name, f"it can't be run: {error}", advice=part.advice) from error
        record.write(self._record_path(part))
        try:
            self._wait_until_well(part, place, record)
        except BaseException:
            end(record, grace_seconds=part.stop_seconds, stop_signal=part.stop_signal)
            part.clean(place)
            self._record_path(part).unlink(missing_ok=True)
            raise

    def _wait_until_well(self, part: Part, place: Place, record: ProcessRecord) -> None:
        deadline = time.monotonic() + part.start_seconds
        environment = {**self.given, **place.environment, **part.environment(place)}
        log_path = self.log_path(part.name)
        settled = False
        reason = ""
        while True:
            if self._cancel.is_set():
                raise Cancelled(part.name)
            lives = is_alive(record)
            late = time.monotonic() > deadline
            if not lives or late:
                what = f"it did not become well: {reason}" if lives else "it ended at once"
                log = log_tail(log_path, offset=record.log_offset)
                raise PartFailed(part.name, what, log=log, advice=part.advice or f"read {log_path}")
            try:
                if not settled:
                    part.settle(place)
                    settled = True
                part.check_process(environment, pid=record.pid)
                return
            except Exception as error:  # Any: each part's client has errors of its own.
                reason = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
                self._cancel.wait(POLL_SECONDS)

    def _adopt(self, part: Part, place: Place) -> bool:
        """Whether a process that an earlier run left is well, and can be used as it is."""
        environment = {**self.given, **place.environment, **part.environment(place)}
        record = self._record(part)
        deadline = time.monotonic() + ADOPT_SECONDS
        while record is not None and is_alive(record) and time.monotonic() < deadline:
            if self._cancel.is_set():
                raise Cancelled(part.name)
            try:
                part.settle(place)
                part.check_process(environment, pid=record.pid)
                return True
            except Exception:  # Any, as above; a part that stays unwell is started anew.
                self._cancel.wait(POLL_SECONDS)
        return False

    def _check_given(self, part: Part) -> None:
        """The real service that the environment names must answer."""
        deadline = time.monotonic() + 10
        while True:
            try:
                part.check(self.given)
                return
            except Exception as error:  # Any: each part's client has errors of its own.
                if self._cancel.is_set():
                    raise Cancelled(part.name) from error
                if time.monotonic() > deadline:
                    setting = part.settings[0]
                    raise PartFailed(
                        part.name,
                        f"the service named by {setting} does not answer: {error}",
                        advice=f"mend {setting}, or unset it to use the embedded part",
                    ) from error
                self._cancel.wait(POLL_SECONDS)

    def _refuse_taken_ports(self, part: Part, place: Place) -> None:
        for use in part.port_uses:
            port = place.ports[use]
            if not is_free(port):
                advice = f"free port {port}, or choose another"
                if not self._book().is_fixed(use):
                    advice = "run it again"
                raise PartFailed(
                    part.name, f"port {port} ({use}) is taken by another program", advice=advice
                )

    # --- ending --------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """End everything that the run directory knows of, by whichever run it was started.

        Returns:
            The names of the parts that were running.
        """
        with self._lock():
            parts = [*make_apps(), *{**{p.name: p for p in PARTS}, **self._parts}.values()]
            running = self._end_all(parts)
        self._started.clear()
        return running

    def stop_started(self) -> list[str]:
        """End what this object has started, and nothing else."""
        with self._lock():
            parts = [*make_apps(), *self._parts.values()]
            running = self._end_all([part for part in parts if part.name in self._started])
        self._started.clear()
        return running

    def _end_all(self, parts: Sequence[Part]) -> list[str]:
        """Apps first, then what they stand on; within each, all at the same time."""
        apps = [part for part in parts if part.name in APP_NAMES]
        others = [part for part in parts if part.name not in APP_NAMES]
        running: list[str] = []
        for layer in (apps, others):
            if layer:
                with ThreadPoolExecutor(max_workers=len(layer)) as pool:
                    ended = list(pool.map(self._end, layer))
                running += [part.name for part, lived in zip(layer, ended, strict=True) if lived]
        return running

    def _end(self, part: Part) -> bool:
        record = self._record(part)
        if record is None:
            return False
        lived = is_alive(record)
        end(record, grace_seconds=part.stop_seconds, stop_signal=part.stop_signal)
        part.clean(Place(self.run_dir, ports=record.ports, keys={}))
        self._record_path(part).unlink(missing_ok=True)
        return lived

    def kill(self, name: str) -> int:
        """End one part as a crash would (SIGKILL), and leave its record as a crash does.

        Returns:
            The pid it had.
        """
        part = self._named(name)
        record = self._record(part)
        if record is None or not is_alive(record):
            raise PartFailed(name, "it is not running, so it can't be killed")
        kill(record)
        return record.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_started()

    # --- looking -------------------------------------------------------------------------

    def status(self) -> list[PartStatus]:
        """What is running now, as the run directory and the process table tell it."""
        rows = []
        for part in (*self._parts.values(), *make_apps()):
            if self._is_given(part):
                address = part.address(self.given)
                rows.append(PartStatus(part.name, "real service", address, None, None))
                continue
            record = self._record(part)
            log = self.log_path(part.name)
            if record is None or not is_alive(record):
                rows.append(PartStatus(part.name, "stopped", "", log, None))
            else:
                address = part.address(part.environment(self._place_of(record)))
                rows.append(PartStatus(part.name, "running", address, log, record.pid))
        return rows

    def current_environment(self) -> dict[str, str]:
        """The variables of the parts that run now, for a process that did not start them."""
        keys = load_keys(self.run_dir / "keys.json")
        found = {name: self.given.get(name, keys[name]) for name in SETTINGS_KEYS}
        for part in (*self._parts.values(), *make_apps()):
            record = self._record(part)
            if self._is_given(part):
                found |= {name: self.given[name] for name in part.settings if name in self.given}
            elif record is not None and is_alive(record):
                found |= part.environment(self._place_of(record))
        return found

    def pid(self, name: str) -> int | None:
        """The pid of a running part, else None."""
        record = self._record(self._named(name))
        return record.pid if record is not None and is_alive(record) else None

    def log_path(self, name: str) -> Path:
        return self.run_dir / "logs" / f"{name}.log"

    # --- the run directory ---------------------------------------------------------------

    def _is_given(self, part: Part) -> bool:
        return bool(part.settings) and bool(self.given.get(part.settings[0]))

    def _book(self) -> PortBook:
        return PortBook(self.run_dir / "ports.json", fixed=self._fixed_ports, wished=WISHED_PORTS)

    def _place(self, part: Part) -> Place:
        record = self._record(part)
        if record is not None and is_alive(record):
            return self._place_of(record)
        book = self._book()
        ports = {use: book.take(use) for use in part.port_uses}
        return self._place_with(ports)

    def _place_of(self, record: ProcessRecord) -> Place:
        return self._place_with(record.ports)

    def _place_with(self, ports: Mapping[str, int]) -> Place:
        return Place(
            run_dir=self.run_dir,
            ports=ports,
            keys=load_keys(self.run_dir / "keys.json"),
            environment={**self.given, **self.environment},
            durable=self._durable,
        )

    def _named(self, name: str) -> Part:
        for part in (*self._parts.values(), *make_apps()):
            if part.name == name:
                return part
        raise KeyError(name)

    def _record_path(self, part: Part) -> Path:
        return self.run_dir / "pids" / f"{part.name}.json"

    def _record(self, part: Part) -> ProcessRecord | None:
        return read_record(self._record_path(part))

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One start or stop at a time for a run directory; let go of by the kernel at our end."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        with (self.run_dir / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
