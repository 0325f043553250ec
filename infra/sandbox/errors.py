"""How a child process can fail, other than by its own exit code.

    ChildFailed
    ├── ChildTimedOut       over its CPU or wall-clock limit; the input is too expensive
    ├── ChildStalled        silent for longer than its limit
    ├── ChildOutOfMemory    an allocation failed under its address-space limit
    ├── ChildWroteTooMuch   over its file-size or output limit
    ├── ChildCrashed        raised an error that nobody foresaw
    ├── ChildKilled         ended by a signal; `is_outside` tells a fault of its own from
    │                       a kill by an operator or by a machine short of memory
    ├── ChildCancelled      ended because the caller asked for it
    └── ChildLost           never started, or its parent process died: trying again may help

The activity decides which of these speaks against the file and which asks for a retry.
"""

from __future__ import annotations

import re
import signal

from domain.errors import FansworldError


class ChildFailed(FansworldError):
    code = "child_failed"


class ChildTimedOut(ChildFailed):
    code = "child_timed_out"


class ChildStalled(ChildFailed):
    code = "child_stalled"


class ChildOutOfMemory(ChildFailed):
    code = "child_out_of_memory"


class ChildWroteTooMuch(ChildFailed):
    code = "child_wrote_too_much"


class ChildCrashed(ChildFailed):
    code = "child_crashed"


class ChildKilled(ChildFailed):
    code = "child_killed"

    def __init__(self, number: int, stderr_tail: str = "") -> None:
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        super().__init__(f"the child was ended by {name}", signal=name, stderr=stderr_tail[-500:])
        self.signal = number

    @property
    def is_outside(self) -> bool:
        """Nothing in the file sends these: an operator did, or the kernel needed memory."""
        return self.signal in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ChildCancelled(ChildFailed):
    code = "child_cancelled"


class ChildLost(ChildFailed):
    code = "child_lost"


class SandboxUnavailable(FansworldError):
    """This machine can't confine decoders, so a worker must not start on it."""

    code = "sandbox_unavailable"


_MEMORY_SIGNS = re.compile(
    r"""cannot\ allocate\ memory | out\ of\ memory | bad_alloc | memoryerror
    | memory\ allocation | unable\ to\ allocate
    | failed\ to\ allocate\ \d+\ bytes                       # GLib, before it aborts
    | can't\ start\ new\ thread | error\ creating\ thread    # no room for a stack
    """,
    re.IGNORECASE | re.VERBOSE,
)


def tells_of_memory(said: str) -> bool:
    """Whether what a decoder said means that it got no more memory."""
    return _MEMORY_SIGNS.search(said) is not None
