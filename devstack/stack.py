"""`Stack`: the parts together, started in parallel, found again by a later run, and ended.

A stack that was interrupted, even by kill -9, is taken over or tidied up by the next
`start()` or `stop()` on the same run directory.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devstack.apps import make_apps
from devstack.clamd import Clamd
from devstack.keys import SETTINGS_KEYS
from devstack.launching import ROOT, Cancelled, Launcher
from devstack.mail import Mail
from devstack.part import Part, PartFailed, Place
from devstack.postgres import Postgres
from devstack.processes import end, end_marked, is_alive, kill, marked
from devstack.rundir import RunDir
from devstack.s3 import S3
from devstack.stripe.part import Stripe
from devstack.temporal import Temporal
from devstack.valkey import Valkey
from infra.prepare import prepare
from infra.settings import Settings

__all__ = ["PARTS", "ROOT", "PartStatus", "Stack", "StackFailed", "settings_from"]

PARTS: tuple[Part, ...] = (Postgres(), Valkey(), S3(), Temporal(), Clamd(), Mail(), Stripe())

LIMITS = {
    "RATE_LIMIT_API_PER_MINUTE": "6000",
    "RATE_LIMIT_UPLOADS_PER_MINUTE": "600",
    "RATE_LIMIT_AUTH_PER_15_MINUTES": "300",
}
"""Here one address and one account stand for all clients that there are."""

Report = Callable[[str, str], None]


class StackFailed(Exception):
    """One or more parts can't be started; nothing that this start began is left running."""

    def __init__(self, failures: Sequence[PartFailed]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n\n".join(str(failure) for failure in failures))


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
        apps: Sequence[Part] | None = None,
    ) -> None:
        """Nothing is done yet.

        Args:
            environ: what is given; a part whose first setting it holds is not started.
            ports: fixed ports by use (`{"postgres": 5432}`); others are chosen and remembered.
            durable: False spares the waiting for the disk.
            apps: our own processes; None: those of `devstack/apps.py`.
        """
        self.given = dict(os.environ if environ is None else environ)
        self.environment: dict[str, str] = {}
        """What the settings need to use the parts that this object has brought up."""
        fixed_ports = dict(ports or {})
        if self.given.get("API_PORT", "0") != "0":
            fixed_ports.setdefault("api", int(self.given["API_PORT"]))
        self._run_dir = RunDir(run_dir, fixed_ports=fixed_ports)
        self._parts = {part.name: part for part in parts}
        self._durable = durable
        self._apps = {app.name: app for app in (make_apps() if apps is None else apps)}
        self._started: set[str] = set()

    @property
    def run_dir(self) -> Path:
        return self._run_dir.path

    # --- starting ------------------------------------------------------------------------

    def start(self, *, report: Report | None = None) -> dict[str, str]:
        """Start or take over every part, in parallel, and wait until each is well.

        Returns:
            The variables that `infra.settings` needs to use them.

        Raises:
            StackFailed: with every part's reason; what this call started is ended again.
        """
        with self._run_dir.lock():
            self.environment = self._own_settings()
            self.environment |= self._start_together(list(self._parts.values()), report)
        return dict(self.environment)

    def start_apps(
        self, names: Sequence[str] | None = None, *, report: Report | None = None
    ) -> dict[str, str]:
        """Start the API and the workers on the parts that `start()` has brought up.

        Args:
            names: only these of them.

        Raises:
            StackFailed: as `start()`; the parts go on running.
        """
        with self._run_dir.lock():
            apps = [app for app in self._apps.values() if names is None or app.name in names]
            self.environment |= self._start_together(apps, report)
        return dict(self.environment)

    def migrate(self) -> None:
        """Bring the database to the newest version, and make the buckets, under all settings that
        are given: which sites may put files into the buckets is one."""
        own = self.environment or self.current_environment()
        prepare(settings_from({**self.given, **own}))

    def _start_together(self, parts: Sequence[Part], report: Report | None) -> dict[str, str]:
        launcher = Launcher(
            self._run_dir, given=self.given, tell=report or (lambda _name, _state: None)
        )
        # Ports are chosen one after the other, so that two parts never get the same one.
        places = {part.name: self._place(part) for part in parts if not self._is_given(part)}

        def bring_up(part: Part) -> dict[str, str]:
            place = places.get(part.name)
            return launcher.use_given(part) if place is None else launcher.bring_up(part, place)

        futures: list[Future[dict[str, str]]] = []
        try:
            with ThreadPoolExecutor(max_workers=max(1, len(parts))) as pool:
                try:
                    # Ctrl-C may come while the first ones are under way already.
                    for part in parts:
                        futures.append(pool.submit(bring_up, part))
                    wait(futures, return_when=FIRST_EXCEPTION)
                    _raise_failures(futures)
                except BaseException:
                    launcher.cancel.set()
                    raise
        except BaseException:
            self._end_all([part for part in parts if part.name in launcher.began])
            # Parts that failed at the same time belong in the same message.
            _raise_failures(futures)
            raise
        self._started |= set(launcher.began)
        return {name: value for future in futures for name, value in future.result().items()}

    # --- ending --------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """End everything that the run directory knows of, by whichever run it was started.

        Returns:
            The names of the parts that were running.
        """
        known = {part.name: part for part in PARTS} | self._parts
        with self._run_dir.lock():
            running = self._end_all([*self._apps.values(), *known.values()])
        self._started.clear()
        return running

    def stop_started(self) -> list[str]:
        """End what this object has started, and nothing else."""
        parts = [*self._apps.values(), *self._parts.values()]
        with self._run_dir.lock():
            running = self._end_all([part for part in parts if part.name in self._started])
        self._started.clear()
        return running

    def _end_all(self, parts: Sequence[Part]) -> list[str]:
        """Apps first, then what they stand on; within each, all at the same time."""
        apps = [part for part in parts if part.name in self._apps]
        others = [part for part in parts if part.name not in self._apps]
        running: list[str] = []
        for layer in (apps, others):
            if layer:
                with ThreadPoolExecutor(max_workers=len(layer)) as pool:
                    ended = list(pool.map(self._end, layer))
                running += [part.name for part, lived in zip(layer, ended, strict=True) if lived]
        return running

    def _end(self, part: Part) -> bool:
        record = self._run_dir.record(part.name)
        lived = record is not None and is_alive(record)
        if record is not None:
            end(record, grace_seconds=part.stop_seconds, stop_signal=part.stop_signal)
            part.clean(Place(self.run_dir, ports=record.ports, keys={}))
        end_marked(self._run_dir.mark(part.name))
        self._run_dir.forget(part.name)
        return lived

    def kill(self, name: str) -> int:
        """End one part as a crash would (SIGKILL), and leave its record as a crash does.

        Returns:
            The pid it had.

        Raises:
            PartFailed: when it is not running.
        """
        record = self._run_dir.live_record(name)
        if record is None:
            raise PartFailed(name, "it is not running, so it can't be killed")
        kill(record)
        return record.pid

    def end(self, name: str) -> None:
        """End one part as its operator would, and forget it."""
        part = (self._apps | self._parts)[name]
        with self._run_dir.lock():
            self._end(part)

    def send_signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a part and all its children: SIGSTOP, SIGCONT.

        Returns:
            How many processes got it.
        """
        pids = marked(self._run_dir.mark(name))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(pids)

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
        return [self._status_of(part) for part in (*self._parts.values(), *self._apps.values())]

    def _status_of(self, part: Part) -> PartStatus:
        if self._is_given(part):
            return PartStatus(part.name, "real service", part.address(self.given), None, None)
        record = self._run_dir.live_record(part.name)
        log = self.log_path(part.name)
        if record is None:
            return PartStatus(part.name, "stopped", "", log, None)
        address = part.place_shown(self._place_with(record.ports))
        return PartStatus(part.name, "running", address, log, record.pid)

    def current_environment(self) -> dict[str, str]:
        """The variables of the parts that run now, for a process that did not start them."""
        found = self._own_settings()
        for part in (*self._parts.values(), *self._apps.values()):
            record = self._run_dir.live_record(part.name)
            if self._is_given(part):
                found |= {name: self.given[name] for name in part.settings if name in self.given}
            elif record is not None:
                found |= part.environment(self._place_with(record.ports))
        return found

    def pid(self, name: str) -> int | None:
        """The pid of a running part, else None."""
        record = self._run_dir.live_record(name)
        return None if record is None else record.pid

    def log_path(self, name: str) -> Path:
        return self._run_dir.log_path(name)

    def _own_settings(self) -> dict[str, str]:
        """What no part stands for: generated keys, room for scratch files and for one client."""
        keys = self._run_dir.keys()
        defaults = {name: keys[name] for name in SETTINGS_KEYS}
        defaults["SCRATCH_DIR"] = str(self.run_dir / "scratch")
        # Chosen before its process starts: Temporal's UI is told of it.
        defaults["CODEC_PORT"] = str(self._run_dir.ports_for("codec", ("codec",))["codec"])
        defaults |= LIMITS
        return {name: self.given.get(name, value) for name, value in defaults.items()}

    def _is_given(self, part: Part) -> bool:
        return bool(part.settings) and bool(self.given.get(part.settings[0]))

    def _place(self, part: Part) -> Place:
        return self._place_with(self._run_dir.ports_for(part.name, part.port_uses))

    def _place_with(self, ports: Mapping[str, int]) -> Place:
        return Place(
            run_dir=self.run_dir,
            ports=ports,
            keys=self._run_dir.keys(),
            environment={**self.given, **self.environment},
            durable=self._durable,
        )


def _raise_failures(futures: Sequence[Future[dict[str, str]]]) -> None:
    """Raise what the finished ones raised; the failures of parts together, before all else."""
    errors = [future.exception() for future in futures if future.done()]
    failures = [error for error in errors if isinstance(error, PartFailed)]
    if failures:
        raise StackFailed(failures)
    for error in errors:
        if error is not None and not isinstance(error, Cancelled):
            raise error
