"""What the zygote's children are told to do in the tests. Runs confined, in the child."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from pathlib import Path
from typing import Any

from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode

Json = dict[str, Any]


def echo(argument: Json) -> Json:
    return {"pid": os.getpid(), "parent": os.getppid(), **argument}


def reject(argument: Json) -> Json:
    raise MediaRejected(RejectionCode.TOO_MANY_FRAMES, frames=argument["frames"], frames_max=10)


def fail(argument: Json) -> Json:
    return {"never": argument["missing"]}


def open_socket(argument: Json) -> Json:
    try:
        socket.socket(argument["family"])
    except OSError as error:
        return {"errno": error.errno}
    return {"errno": 0}


def execute(_: Json) -> Json:
    try:
        os.execv("/bin/true", ["true"])
    except OSError as error:
        return {"errno": error.errno}


def fork(_: Json) -> Json:
    try:
        if os.fork() == 0:
            os._exit(0)
    except OSError as error:
        return {"errno": error.errno}
    return {"errno": 0}


def eat_memory(argument: Json) -> Json:
    return {"bytes": len(bytearray(argument["bytes"]))}


def spin(_: Json) -> Json:
    while True:
        pass


def sleep(argument: Json) -> Json:
    Path(argument["pid_file"]).write_text(str(os.getpid()))
    time.sleep(60)
    return {}


def crash(_: Json) -> Json:
    ctypes.string_at(0)
    return {}


def abort_for_memory(_: Json) -> Json:
    """As GLib ends a process whose small allocation failed."""
    os.write(2, b"GLib-ERROR **: gmem.c:106: failed to allocate 524288 bytes\n")
    os.abort()


def write_file(argument: Json) -> Json:
    with Path(argument["path"]).open("wb") as file:
        for _ in range(argument["bytes"] // 65536):
            file.write(bytes(65536))
    return {}


def leave_silently(_: Json) -> Json:
    os._exit(0)


def talk_too_much(_: Json) -> Json:
    return {"text": "x" * 1_000_000}


def what_i_hold(_: Json) -> Json:
    """Open descriptors, threads and environment, as the job sees them."""
    return {
        "descriptors": sorted(
            str(path.readlink()).split(":")[0]
            for path in Path("/proc/self/fd").iterdir()
            if path.exists()
        ),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "environment": sorted(os.environ),
    }
