"""Child processes for decoders: no network, bounded, ended with their parent.

`run_command` confines a program; `Zygote` forks warm children for image jobs;
`check_sandbox` proves at start-up that both hold.
"""

from __future__ import annotations

from infra.sandbox.check import check_sandbox
from infra.sandbox.command import run_command
from infra.sandbox.errors import (
    ChildCancelled,
    ChildCrashed,
    ChildFailed,
    ChildKilled,
    ChildLost,
    ChildOutOfMemory,
    ChildStalled,
    ChildTimedOut,
    ChildWroteTooMuch,
    SandboxUnavailable,
)
from infra.sandbox.limits import CommandResult, Limits, Usage
from infra.sandbox.zygote import Zygote

__all__ = [
    "ChildCancelled",
    "ChildCrashed",
    "ChildFailed",
    "ChildKilled",
    "ChildLost",
    "ChildOutOfMemory",
    "ChildStalled",
    "ChildTimedOut",
    "ChildWroteTooMuch",
    "CommandResult",
    "Limits",
    "SandboxUnavailable",
    "Usage",
    "Zygote",
    "check_sandbox",
    "run_command",
]
