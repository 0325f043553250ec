"""Confine this very process, then (as a script) become another program.

`main` is run by a bare interpreter (`python -I -S`), a launcher of about 20 ms that stands in
for `preexec_fn`, which is unsafe in a process with threads. So this module imports little:
`signal`, for one, would add a third to the launcher's time.

Imported as a module, `confine` is what each forked image child calls on itself.

The system-call filter is a deny list: it takes away the network, other processes, new
processes, and the kernel's rarer doors. What remains is reading and writing files, memory
and threads, which is what decoders need. The filter stays through exec and can't be lifted.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

RET_KILL_PROCESS = 0x80000000
RET_ERRNO = 0x00050000
RET_ALLOW = 0x7FFF0000
EPERM, ENOSYS = 1, 38
CLONE_THREAD = 0x00010000
SIG_DFL, SIGKILL, SIGPIPE, SIGXFSZ = 0, 9, 13, 25

# Classic BPF (linux/bpf_common.h): load a word, compare, test bits, return.
LOAD_WORD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6].
NUMBER, ARCH, ARGS = 0, 4, 16
X32_BIT = 0x40000000

# name: (x86_64, aarch64); None where the architecture has no such call.
DENIED: dict[str, tuple[int | None, int | None]] = {
    # The network, including sockets that somebody else might have left open.
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "bind": (49, 200),
    "listen": (50, 201),
    "socketpair": (53, 199),
    "accept4": (288, 242),
    "sendmmsg": (307, 269),
    # Rings do I/O, sockets too, behind the filter's back.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Other processes of the same user.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "tkill": (200, 130),
    "kcmp": (312, 272),
    "setpriority": (141, 140),
    # New processes, or a way out of the process group that the parent ends.
    "fork": (57, None),
    "vfork": (58, None),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # Its own limits.
    "setrlimit": (160, 164),
    # Namespaces, mounts, kernel objects.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "fanotify_init": (300, 262),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "vhangup": (153, 58),
}
EXECUTE = {"execve": (59, 221), "execveat": (322, 281)}
CLONE, CLONE3 = (56, 220), (435, 435)
KILL, TGKILL = (62, 129), (234, 131)
PRLIMIT, PRCTL = (302, 261), (157, 167)

# machine: (column above, AUDIT_ARCH of linux/audit.h)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


class ConfineError(Exception):
    """A limit could not be set; the process must not go on."""


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _number_is(number: int | None, *then: bytes) -> bytes:
    """Run `then` if the loaded call number matches; every branch of `then` must return."""
    if number is None:
        return b""
    return _op(JUMP_EQUAL, number, 0, len(then)) + b"".join(then)


def filter_program(machine: str, *, pid: int, may_execute: bool) -> bytes:
    """The BPF program that confines process `pid`, as bytes of `struct sock_filter`.

    Raises:
        ConfineError: where the architecture's call numbers are not known.
    """
    if machine not in MACHINES:
        raise ConfineError(f"no system-call filter for {machine}; use x86_64 or aarch64")
    column, arch = MACHINES[machine]
    allow, deny = _op(RETURN, RET_ALLOW), _op(RETURN, RET_ERRNO | EPERM)
    parts = [
        _op(LOAD_WORD, ARCH),
        _op(JUMP_EQUAL, arch, 1, 0),
        _op(RETURN, RET_KILL_PROCESS),
        _op(LOAD_WORD, NUMBER),
    ]
    if machine == "x86_64":
        # The x32 calls would pass by the numbers below.
        parts.append(_op(JUMP_AT_LEAST, X32_BIT, 0, 1) + _op(RETURN, RET_KILL_PROCESS))
    denied = dict(DENIED) if may_execute else DENIED | EXECUTE
    parts += [_number_is(numbers[column], deny) for numbers in denied.values()]
    # clone3 hides its flags in memory; told that it is missing, the C library uses clone.
    parts.append(_number_is(CLONE3[column], _op(RETURN, RET_ERRNO | ENOSYS)))
    parts.append(
        _number_is(
            CLONE[column],
            _op(LOAD_WORD, ARGS),
            _op(JUMP_BITS, CLONE_THREAD, 1, 0),
            deny,
            allow,
        )
    )
    for numbers in (KILL, TGKILL):
        # abort() signals its own process; no other one may be signalled.
        parts.append(
            _number_is(
                numbers[column], _op(LOAD_WORD, ARGS), _op(JUMP_EQUAL, pid, 1, 0), deny, allow
            )
        )
    # prlimit may read limits, not set them (its third argument points to the new ones).
    parts.append(
        _number_is(
            PRLIMIT[column],
            _op(LOAD_WORD, ARGS + 16),
            _op(JUMP_EQUAL, 0, 1, 0),
            deny,
            _op(LOAD_WORD, ARGS + 20),
            _op(JUMP_EQUAL, 0, 1, 0),
            deny,
            allow,
        )
    )
    parts.append(
        _number_is(
            PRCTL[column],
            _op(LOAD_WORD, ARGS),
            _op(JUMP_EQUAL, PR_SET_PDEATHSIG, 0, 1),
            deny,
            allow,
        )
    )
    parts.append(allow)
    return b"".join(parts)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _prctl(option: int, *arguments: int | ctypes.c_void_p) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    padded = [*arguments, 0, 0, 0, 0][:4]
    values = [a if isinstance(a, ctypes.c_void_p) else ctypes.c_ulong(a) for a in padded]
    if library.prctl(ctypes.c_int(option), *values) != 0:
        number = ctypes.get_errno()
        raise ConfineError(f"prctl({option}): {os.strerror(number)}")


def die_with_parent(parent_pid: int) -> None:
    """Be killed when the thread that started this process ends, however it ends.

    Raises:
        ConfineError: when the parent is gone already.
    """
    _prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent_pid:
        raise ConfineError("the parent process has died")


def set_limits(
    *, cpu_seconds: int, memory_bytes: int, file_bytes: int, open_files: int, nice: int
) -> None:
    """Set the resource limits of this process; they can't be raised again."""
    wanted = {
        # The soft limit sends SIGXCPU, which ends the process; the hard one can't be caught.
        resource.RLIMIT_CPU: (cpu_seconds, cpu_seconds + 1),
        resource.RLIMIT_AS: (memory_bytes, memory_bytes),
        resource.RLIMIT_FSIZE: (file_bytes, file_bytes),
        resource.RLIMIT_NOFILE: (open_files, open_files),
        resource.RLIMIT_CORE: (0, 0),
    }
    for which, (soft, hard) in wanted.items():
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(which, (soft, hard))
    os.nice(nice)


def filter_system_calls(*, may_execute: bool) -> None:
    """Install the filter on this process, for good.

    Raises:
        ConfineError: where the kernel or a container's policy doesn't let us.
    """
    code = filter_program(os.uname().machine, pid=os.getpid(), may_execute=may_execute)
    program = _Program(len(code) // 8, code)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    pointer = ctypes.cast(ctypes.pointer(program), ctypes.c_void_p)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, pointer)


def restore_signals() -> None:
    """Undo what the interpreter ignores, or a child's write past its limit goes unseen."""
    library = ctypes.CDLL(None)
    for number in (SIGPIPE, SIGXFSZ):
        library.signal(ctypes.c_int(number), ctypes.c_void_p(SIG_DFL))


def main(arguments: list[str]) -> None:
    """Confine, then exec: STATUS_FD PARENT_PID CPU MEMORY FILE OPEN_FILES NICE PROGRAM…

    What fails on the way is written to the status pipe, which a good exec closes empty.
    """
    status, parent, cpu, memory, file_bytes, open_files, nice = map(int, arguments[:7])
    argv = arguments[7:]
    os.set_inheritable(status, False)
    try:
        die_with_parent(parent)
        set_limits(
            cpu_seconds=cpu,
            memory_bytes=memory,
            file_bytes=file_bytes,
            open_files=open_files,
            nice=nice,
        )
        restore_signals()
        filter_system_calls(may_execute=True)
        os.execvp(argv[0], argv)
    except (ConfineError, OSError, ValueError) as error:
        os.write(status, f"{argv[0]}: {error}".encode()[:4000])
    os._exit(125)
