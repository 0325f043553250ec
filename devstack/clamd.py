"""clamd, from the distribution (`apt install clamav-daemon`).

It starts with one signature of our own, that of the EICAR test file, so that nothing need be
downloaded. Production feeds it by freshclam; see `docker-compose.yml`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from devstack.part import Launch, NotReady, Part, PartFailed, Place

STREAM_BYTES_MAX = 2**31 - 1
"""What clamd can scan at most: its own ceiling."""


def eicar() -> bytes:
    """The harmless file that every scanner must report (eicar.org), put together here.

    It never stands in the repository in one piece: a scanner on a developer's machine would
    be right to take that file away.
    """
    return b"".join(
        (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}", b"$EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE!$H+H*")
    )


class Clamd(Part):
    name = "clamd"
    settings = ("CLAMD_ADDRESS", "CLAMD_DATABASE_AGE_DAYS_MAX")
    port_uses = ("clamd",)
    stop_seconds = 5
    advice = "run `python -m devstack install` (or `apt-get install clamav-daemon`)"

    def __init__(self, program: str = "clamd") -> None:
        self.program = program

    def prepare(self, place: Place) -> Launch:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"
        program = shutil.which(self.program, path=path)
        if program is None:
            reason = f"the program `{self.program}` is missing"
            raise PartFailed(self.name, reason, advice=self.advice)
        home = place.run_dir / "clamd"
        signatures, scratch = home / "signatures", home / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        for folder in (signatures, scratch):
            folder.mkdir(parents=True, exist_ok=True)
        test_file = eicar()
        # The whole file by its hash, and its bytes wherever they stand in a larger one.
        (signatures / "eicar.hdb").write_text(
            f"{hashlib.md5(test_file).hexdigest()}:{len(test_file)}:Eicar-Test-File\n"
        )
        (signatures / "eicar.ndb").write_text(f"Eicar-Test-Signature:0:*:{test_file.hex()}\n")
        config = home / "clamd.conf"
        config.write_text(_config(signatures, scratch, port=place.ports["clamd"]))
        if _is_confined():
            # The distribution's AppArmor profile goes by path and keeps clamd out of ours.
            program = str(shutil.copy2(program, home / "clamd"))
        return Launch((program, f"--config-file={config}"))

    def environment(self, place: Place) -> dict[str, str]:
        return {
            "CLAMD_ADDRESS": f"127.0.0.1:{place.ports['clamd']}",
            # Our one signature does not age.
            "CLAMD_DATABASE_AGE_DAYS_MAX": "0",
        }

    def check(self, environment: Mapping[str, str]) -> None:
        """It answers, and it reports the test file."""
        address = environment["CLAMD_ADDRESS"]
        if (answer := _ask(address, b"zPING\0")) != "PONG":
            raise NotReady(f"it answers {answer!r} to PING")
        test_file = eicar()
        stream = struct.pack(">I", len(test_file)) + test_file + struct.pack(">I", 0)
        if not (answer := _ask(address, b"zINSTREAM\0" + stream)).endswith(" FOUND"):
            raise NotReady(f"it does not report the EICAR test file: {answer}")


def _ask(address: str, message: bytes) -> str:
    """One command, one answer (clamd(8)). The package's client leaks a refused socket."""
    with _connect(address) as connection:
        connection.sendall(message)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    return answer.decode(errors="replace").strip("\0\n")


def _connect(address: str) -> socket.socket:
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=5)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(5)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _is_confined() -> bool:
    profile = Path("/etc/apparmor.d/usr.sbin.clamd")
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    return profile.exists() and enabled.exists() and enabled.read_text().startswith("Y")


def _config(signatures: Path, scratch: Path, *, port: int) -> str:
    options = {
        "Foreground": "yes",
        "DatabaseDirectory": signatures,
        "TemporaryDirectory": scratch,
        "TCPSocket": port,
        "TCPAddr": "127.0.0.1",
        "MaxThreads": 4,
        "MaxQueue": 64,
        "IdleTimeout": 30,
        "ReadTimeout": 120,
        "CommandReadTimeout": 30,
        "SelfCheck": 0,
        "ConcurrentDatabaseReload": "no",
        "StreamMaxLength": STREAM_BYTES_MAX,
        "MaxFileSize": STREAM_BYTES_MAX,
        "MaxScanSize": STREAM_BYTES_MAX,
        # A scan cut short is reported, instead of passing as clean.
        "AlertExceedsMax": "yes",
        # Decoding every picture to compare its looks is PDQ's part, in a sandbox.
        "ScanImageFuzzyHash": "no",
        # Milliseconds; below the client's own limit, so that it is clamd that says so.
        "MaxScanTime": 110_000,
    }
    return "".join(f"{name} {value}\n" for name, value in options.items())
