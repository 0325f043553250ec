"""One part, from nothing, or from what an earlier run left, to being well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from devstack.part import Part, PartFailed, Place
from devstack.ports import is_free
from devstack.processes import ProcessRecord, end, end_marked, is_alive, log_tail, spawn
from devstack.rundir import RunDir

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.1
UNWELL_STOP_SECONDS = 3
GIVEN_SECONDS = 3
PORT_TRIES = 3


class Cancelled(Exception):
    """Another part failed, or the user interrupted; what this one started has been ended."""


class Launcher:
    """Brings parts up, each in the thread that calls; `cancel` makes all of them give up."""

    def __init__(
        self, run_dir: RunDir, *, given: Mapping[str, str], tell: Callable[[str, str], None]
    ) -> None:
        self.cancel = threading.Event()
        self.began: list[str] = []
        """Names of the parts of which a process was started."""
        self._run_dir = run_dir
        self._given = given
        self._tell = tell

    def use_given(self, part: Part) -> dict[str, str]:
        """The real service that the environment names must answer.

        Raises:
            PartFailed: when it does not.
        """
        self._tell(part.name, "checking")
        deadline = time.monotonic() + GIVEN_SECONDS
        while (fault := _fault(lambda: part.check(self._given))) is not None:
            self._give_up_if_cancelled(part)
            if time.monotonic() > deadline:
                setting = part.settings[0]
                raise PartFailed(
                    part.name,
                    f"the service named by {setting} does not answer: {fault}",
                    advice=f"mend {setting}, or unset it to use the embedded part",
                )
            self.cancel.wait(POLL_SECONDS)
        self._tell(part.name, "real service")
        return {name: self._given[name] for name in part.settings if name in self._given}

    def bring_up(self, part: Part, place: Place) -> dict[str, str]:
        """Take the part over if it runs and is well, else start it.

        Raises:
            PartFailed: when it can't be started; nothing of it is left running.
        """
        record = self._run_dir.live_record(part.name)
        if record is not None:
            if self._is_well(part, place, record):
                self._tell(part.name, "running")
                return part.environment(place)
            end(record, grace_seconds=UNWELL_STOP_SECONDS, stop_signal=part.stop_signal)
        end_marked(self._run_dir.mark(part.name))
        self._tell(part.name, "starting")
        for tries_left in reversed(range(PORT_TRIES)):
            try:
                self._launch(part, place)
                break
            except PartFailed:
                taken = [use for use in part.port_uses if not is_free(place.ports[use])]
                fixed = any(self._run_dir.book.is_fixed(use) for use in taken)
                if not taken or fixed or tries_left == 0:
                    raise
                # Somebody took the port between our look and the part's bind.
                place = place.with_ports(self._run_dir.ports_for(part.name, part.port_uses))
        self._tell(part.name, "running")
        return part.environment(place)

    def _launch(self, part: Part, place: Place) -> None:
        self._refuse_taken_ports(part, place)
        launch = part.prepare(place)
        self._give_up_if_cancelled(part)
        self.began.append(part.name)
        try:
            record = spawn(
                launch.command,
                log_path=self._run_dir.log_path(part.name),
                environment={**self._given, **place.environment, **launch.environment},
                ports=place.ports,
                user=launch.user,
                cwd=ROOT,
                mark=self._run_dir.mark(part.name),
            )
        except OSError as error:
            reason = f"it can't be run: {error}"
            raise PartFailed(part.name, reason, advice=part.advice) from error
        self._run_dir.write_record(part.name, record)
        try:
            self._wait_until_well(part, place, record)
        except BaseException:
            end(record, grace_seconds=part.stop_seconds, stop_signal=part.stop_signal)
            part.clean(place)
            self._run_dir.forget(part.name)
            raise

    def _wait_until_well(self, part: Part, place: Place, record: ProcessRecord) -> None:
        deadline = time.monotonic() + part.start_seconds
        log_path = self._run_dir.log_path(part.name)
        use = self._use(part, place, record)
        while (fault := _fault(use)) is not None:
            self._give_up_if_cancelled(part)
            lives = is_alive(record)
            if lives and time.monotonic() < deadline:
                self.cancel.wait(POLL_SECONDS)
                continue
            raise PartFailed(
                part.name,
                f"it did not become well: {fault}" if lives else "it ended at once",
                log=log_tail(log_path, offset=record.log_offset),
                advice=f"read {log_path}",
            )

    def _is_well(self, part: Part, place: Place, record: ProcessRecord) -> bool:
        deadline = time.monotonic() + part.adopt_seconds
        use = self._use(part, place, record)
        while is_alive(record) and time.monotonic() < deadline:
            if _fault(use) is None:
                return True
            self._give_up_if_cancelled(part)
            self.cancel.wait(POLL_SECONDS)
        return False

    def _use(self, part: Part, place: Place, record: ProcessRecord) -> Callable[[], None]:
        environment = {**self._given, **place.environment, **part.environment(place)}

        def use() -> None:
            part.settle(place)
            part.check_process(environment, pid=record.pid)

        return use

    def _refuse_taken_ports(self, part: Part, place: Place) -> None:
        for use in part.port_uses:
            port = place.ports[use]
            if not is_free(port):
                raise PartFailed(
                    part.name,
                    f"port {port} ({use}) is taken by another program",
                    advice=f"end what listens on port {port}, or choose another port",
                )

    def _give_up_if_cancelled(self, part: Part) -> None:
        if self.cancel.is_set():
            raise Cancelled(part.name)


def _fault(use: Callable[[], None]) -> str | None:
    """Why `use` failed, in one line; None if it did not."""
    try:
        use()
    except Exception as error:  # Any: each part's client has errors of its own.
        return f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    return None
