"""What a part of the stack is: how it is started, where it answers, and when it is well."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar


class PartFailed(Exception):
    """A part can't be started. Says what happened, what it logged last, and what to do."""

    def __init__(self, part: str, reason: str, *, log: str = "", advice: str = "") -> None:
        self.part = part
        self.reason = reason
        self.log = log
        self.advice = advice
        lines = [f"{part} did not start: {reason}"]
        if log:
            lines += ["  last lines of its log:", *(f"    {line}" for line in log.splitlines())]
        if advice:
            lines.append(f"  what to do: {advice}")
        super().__init__("\n".join(lines))


class NotReady(Exception):
    """The part answers, but not as it should yet."""


@dataclass(frozen=True)
class Place:
    """Where a part lives, and what it was given to start with."""

    run_dir: Path
    ports: Mapping[str, int]
    keys: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """The settings that hold so far: those given, and those of parts started before."""
    durable: bool = True
    """False: don't wait for the disk. Enough for tests, which never outlive the machine."""

    def with_ports(self, ports: Mapping[str, int]) -> Place:
        return replace(self, ports=ports)


@dataclass(frozen=True)
class Launch:
    """The command that runs a part in the foreground."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the starter's own."""
    user: str | None = None
    """The system user to run as, where it can't be the present one."""


class Part(ABC):
    """One process of the stack. Objects hold no state: all of it is in the `Place`."""

    name: str
    settings: ClassVar[tuple[str, ...]] = ()
    """The variables this part gives. If the first one is already set, the real service that
    it names is used, and nothing is started."""
    port_uses: ClassVar[tuple[str, ...]] = ()
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 10
    start_seconds: ClassVar[float] = 60
    adopt_seconds: ClassVar[float] = 10
    """How long it has to prove that it is well where an earlier run left it."""
    advice: ClassVar[str] = ""

    @abstractmethod
    def prepare(self, place: Place) -> Launch:
        """Write what the part needs to disk, and say how to run it.

        Raises:
            PartFailed: when its program is missing.
        """

    @abstractmethod
    def environment(self, place: Place) -> dict[str, str]:
        """What the settings must hold for this part to be used."""

    @abstractmethod
    def check(self, environment: Mapping[str, str]) -> None:
        """Use the part for real, within a few seconds.

        Raises:
            Exception: any, while the part is not well.
        """

    def check_process(self, environment: Mapping[str, str], *, pid: int) -> None:  # noqa: ARG002
        """As `check`, of the process that was started, where the two can be told apart."""
        self.check(environment)

    def settle(self, place: Place) -> None:  # noqa: ARG002
        """Make what the part must hold to be used, if it is not there. Before each `check`."""
        return

    def clean(self, place: Place) -> None:  # noqa: ARG002
        """Called when it has ended: remove what it left outside the run directory."""
        return

    def place_shown(self, place: Place) -> str:
        """For people who ask what is where."""
        return self.address(self.environment(place))

    def address(self, environment: Mapping[str, str]) -> str:
        """For people: where it is, without its password."""
        return environment.get(self.settings[0], "") if self.settings else ""
