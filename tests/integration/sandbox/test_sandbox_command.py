"""Commands run confined: what they can't reach, how they end, and that nothing stays."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from infra.sandbox import (
    ChildCancelled,
    ChildKilled,
    ChildLost,
    ChildOutOfMemory,
    ChildStalled,
    ChildTimedOut,
    ChildWroteTooMuch,
    CommandResult,
    Limits,
    check_sandbox,
    run_command,
)

ROOT = Path(__file__).parents[3]
LIMITS = Limits(cpu_seconds=20, wall_seconds=30, memory_bytes=1 << 30, file_bytes=1 << 20, nice=0)


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def run(code: str, cwd: Path, limits: Limits = LIMITS) -> CommandResult:
    return run_command(python(code), limits=limits, cwd=cwd)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_dead(pid: int, seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_alive(pid):
            return True
        time.sleep(0.02)
    return False


def children_of_this_process() -> set[int]:
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found |= {int(pid) for pid in (thread / "children").read_text().split()}
    return found


def what_is_open() -> tuple[set[int], int, int]:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return children_of_this_process(), descriptors, threading.active_count()


def test_this_machine_confines_children() -> None:
    check_sandbox()


def test_an_ordinary_command_gives_its_output_and_usage(tmp_path: Path) -> None:
    result = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (result.returncode, result.stdout, result.stderr_tail) == (3, b"out\n", "err\n")
    assert result.usage.memory_peak_bytes > 1 << 20
    assert 0 < result.usage.cpu_seconds < 5


def test_lines_arrive_while_the_command_runs_and_in_the_calling_thread(tmp_path: Path) -> None:
    heard: list[tuple[str, float, int]] = []
    run_command(
        python("import time; print('a', flush=True); time.sleep(.4); print('é', end='')"),
        limits=LIMITS,
        cwd=tmp_path,
        on_line=lambda line: heard.append((line, time.monotonic(), threading.get_ident())),
    )
    assert [line for line, _, _ in heard] == ["a", "é"]
    assert heard[1][1] - heard[0][1] > 0.2
    assert {ident for _, _, ident in heard} == {threading.get_ident()}


def test_more_lines_than_may_wait_all_arrive_in_order(tmp_path: Path) -> None:
    heard: list[str] = []
    run_command(
        python("for n in range(5000): print(n)"),
        limits=LIMITS,
        cwd=tmp_path,
        on_line=heard.append,
    )
    assert heard == [str(n) for n in range(5000)]


@pytest.mark.parametrize(
    "door",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "socket.create_connection(('127.0.0.1', PORT))",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(os.getppid(), 0)",
        "os.setsid()",
        "os.setpgid(0, 0)",
        "os.pidfd_open(os.getppid())",
        "libc('ptrace', 16, os.getppid(), 0, 0)",
        "libc('unshare', 0x10000000)",
        "libc('prctl', 1, 0, 0, 0, 0)",
        "libc('syscall', 425, 8, 0)",
    ],
)
def test_a_child_finds_the_door_shut(tmp_path: Path, door: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
import ctypes, os, socket, sys
PORT = {server.getsockname()[1]}
def libc(name, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
try:
    {door}
except OSError as error:
    sys.exit(0 if error.errno == 1 else f"another error: {{error}}")
sys.exit("open")
"""
        result = run(code, tmp_path)
    assert (result.returncode, result.stderr_tail) == (0, "")


def test_a_child_may_use_threads_and_signal_itself(tmp_path: Path) -> None:
    result = run(
        "import os, threading; t = threading.Thread(target=print, args=('hi',)); t.start(); "
        "t.join(); os.kill(os.getpid(), 0)",
        tmp_path,
    )
    assert (result.returncode, result.stdout) == (0, b"hi\n")


def test_a_child_sees_none_of_the_workers_environment(tmp_path: Path) -> None:
    os.environ["FANSWORLD_TEST_SECRET"] = "hunter2"
    try:
        result = run("import os; print(sorted(os.environ))", tmp_path)
    finally:
        del os.environ["FANSWORLD_TEST_SECRET"]
    assert b"PATH" in result.stdout
    assert b"SECRET" not in result.stdout


def test_a_memory_bomb_is_out_of_memory(tmp_path: Path) -> None:
    with pytest.raises(ChildOutOfMemory) as caught:
        run("x = bytearray(4 << 30)", tmp_path)
    assert caught.value.facts["memory_bytes"] == LIMITS.memory_bytes


def test_a_busy_loop_ends_at_its_cpu_limit(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ChildTimedOut, match="CPU"):
        run("while True: pass", tmp_path, replace(LIMITS, cpu_seconds=1))
    assert time.monotonic() - began < 10


def test_a_child_that_ignores_the_cpu_signal_ends_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(ChildTimedOut, match="CPU"):
        run(
            "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
            tmp_path,
            replace(LIMITS, cpu_seconds=1),
        )


def test_a_sleeping_child_ends_at_its_wall_clock_limit(tmp_path: Path) -> None:
    with pytest.raises(ChildTimedOut, match="longer"):
        run("import time; time.sleep(60)", tmp_path, replace(LIMITS, wall_seconds=0.5))


def test_a_silent_child_has_stalled(tmp_path: Path) -> None:
    with pytest.raises(ChildStalled):
        run(
            "import time; print('one', flush=True); time.sleep(60)",
            tmp_path,
            replace(LIMITS, stall_seconds=0.5),
        )


def test_a_child_that_reports_progress_has_not_stalled(tmp_path: Path) -> None:
    result = run(
        "import time\nfor n in range(8): print(n, flush=True); time.sleep(.1)",
        tmp_path,
        replace(LIMITS, stall_seconds=0.6),
    )
    assert result.returncode == 0


def test_a_file_over_the_limit_ends_the_child(tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 16))"
    )
    with pytest.raises(ChildWroteTooMuch):
        run(code, tmp_path)
    assert (tmp_path / "big").stat().st_size <= LIMITS.file_bytes


def test_a_flood_on_stdout_ends_the_child(tmp_path: Path) -> None:
    with pytest.raises(ChildWroteTooMuch, match="stdout"):
        run("while True: print('x' * 1000)", tmp_path)


def test_a_crash_is_typed_and_known_to_come_from_inside(tmp_path: Path) -> None:
    with pytest.raises(ChildKilled) as caught:
        run("import ctypes; ctypes.string_at(0)", tmp_path)
    assert caught.value.signal == signal.SIGSEGV
    assert not caught.value.is_outside


def test_a_kill_from_outside_is_told_from_a_crash(tmp_path: Path) -> None:
    def kill(line: str) -> None:
        os.kill(int(line), signal.SIGKILL)

    with pytest.raises(ChildKilled) as caught:
        run_command(
            python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"),
            limits=LIMITS,
            cwd=tmp_path,
            on_line=kill,
        )
    assert caught.value.is_outside


def test_a_program_that_is_not_there_is_lost(tmp_path: Path) -> None:
    with pytest.raises(ChildLost, match="no-such-program"):
        run_command(["no-such-program"], limits=LIMITS, cwd=tmp_path)


def test_cancel_ends_the_child_within_a_second(tmp_path: Path) -> None:
    cancel = threading.Event()
    pids: list[int] = []

    def heard(line: str) -> None:
        pids.append(int(line))
        cancel.set()

    began = time.monotonic()
    with pytest.raises(ChildCancelled):
        run_command(
            python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"),
            limits=LIMITS,
            cwd=tmp_path,
            on_line=heard,
            cancel=cancel,
        )
    assert time.monotonic() - began < 2
    assert not is_alive(pids[0])


def test_an_error_in_on_line_ends_the_child_and_is_passed_on(tmp_path: Path) -> None:
    pids: list[int] = []

    def heard(line: str) -> None:
        pids.append(int(line))
        raise KeyError(line)

    with pytest.raises(KeyError):
        run_command(
            python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"),
            limits=LIMITS,
            cwd=tmp_path,
            on_line=heard,
        )
    assert not is_alive(pids[0])


class Interrupted(Exception):
    pass


def test_an_exception_raised_from_another_thread_ends_the_child(tmp_path: Path) -> None:
    """As Temporal does it to a cancelled sync activity."""
    pids: list[int] = []
    outcome: list[BaseException] = []
    heard = threading.Event()

    def on_line(line: str) -> None:
        pids.append(int(line))
        heard.set()

    def work() -> None:
        try:
            run_command(
                python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"),
                limits=LIMITS,
                cwd=tmp_path,
                on_line=on_line,
            )
        except Interrupted as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert heard.wait(10)
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(Interrupted)
    )
    thread.join(3)
    assert not thread.is_alive()
    assert len(outcome) == 1
    assert not is_alive(pids[0])


def test_a_worker_killed_outright_takes_its_child_along(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from infra.sandbox import Limits, run_command
run_command(
    [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"],
    limits=Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=1 << 30, file_bytes=1 << 20),
    cwd=Path({str(tmp_path)!r}),
    on_line=lambda line: print(line, flush=True),
)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        assert is_alive(child)
        worker.kill()
        worker.wait()
        assert wait_until_dead(child)


def test_no_process_thread_or_file_descriptor_is_left(tmp_path: Path) -> None:
    run("pass", tmp_path)
    before = what_is_open()
    for code in ("pass", "import os; os.abort()", "import sys; sys.exit(1)"):
        with contextlib.suppress(ChildKilled):
            run(code, tmp_path)
    with pytest.raises(ChildTimedOut):
        run("import time; time.sleep(9)", tmp_path, replace(LIMITS, wall_seconds=0.3))
    with pytest.raises(ChildLost):
        run_command(["no-such-program"], limits=LIMITS, cwd=tmp_path)
    assert what_is_open() == before
