"""What a real clamd of small limits says, and what is left when it is killed.

It is a process of this module's own: the stack's is shared, and must live.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.clamd import eicar
from infra.antivirus import Antivirus, NotScanned, ScanVerdict
from infra.settings import Settings

KIB = 1024
FILE_BYTES_MAX = 100 * KIB
STREAM_BYTES_MAX = 1024 * KIB
START_SECONDS_MAX = 30


@contextmanager
def own_clamd(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    signatures = home / "signatures"
    signatures.mkdir()
    (signatures / "eicar.ndb").write_text(f"Eicar-Test-Signature:0:*:{eicar().hex()}\n")
    config = home / "clamd.conf"
    config.write_text(
        f"Foreground yes\nDatabaseDirectory {signatures}\nTemporaryDirectory {home}\n"
        f"TCPSocket {port}\nTCPAddr 127.0.0.1\nAlertExceedsMax yes\n"
        f"StreamMaxLength {STREAM_BYTES_MAX}\nMaxFileSize {FILE_BYTES_MAX}\n"
        f"MaxScanSize {FILE_BYTES_MAX}\n"
    )
    program = shutil.which("clamd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    process = subprocess.Popen(
        [program, f"--config-file={config}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(port)
        yield process, f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(timeout=10)


def _await(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def strict_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with own_clamd(tmp_path_factory.mktemp("clamd")) as (_, address):
        yield address


@pytest.mark.parametrize(
    ("size_bytes", "verdict", "reason"),
    [
        (FILE_BYTES_MAX - 1, ScanVerdict.CLEAN, None),
        (FILE_BYTES_MAX + 1, ScanVerdict.NOT_SCANNED, NotScanned.OVER_LIMIT),
        (STREAM_BYTES_MAX + 1, ScanVerdict.NOT_SCANNED, NotScanned.OVER_LIMIT),
    ],
    ids=["within", "over the limit of a file", "over the limit of a stream"],
)
def test_a_scan_that_clamd_cut_short_is_not_clean(
    settings: Settings,
    strict_address: str,
    size_bytes: int,
    verdict: ScanVerdict,
    reason: NotScanned | None,
) -> None:
    scanner = Antivirus(settings.model_copy(update={"clamd_address": strict_address}))
    body = os.urandom(size_bytes)
    facts = scanner.inspect_stream(
        body[start : start + 64 * KIB] for start in range(0, size_bytes, 64 * KIB)
    )
    assert (facts.scan.verdict, facts.scan.reason) == (verdict, reason)
    assert facts.sha256 == hashlib.sha256(body).hexdigest()


def test_malware_behind_the_limit_is_not_taken_for_clean(
    settings: Settings, strict_address: str
) -> None:
    scanner = Antivirus(settings.model_copy(update={"clamd_address": strict_address}))
    report = scanner.scan_stream([b"x" * FILE_BYTES_MAX, eicar()])
    assert report.verdict is not ScanVerdict.CLEAN


def test_a_clamd_killed_in_mid_stream_gives_no_verdict(settings: Settings, tmp_path: Path) -> None:
    with own_clamd(tmp_path) as (process, address):
        scanner = Antivirus(settings.model_copy(update={"clamd_address": address}))

        def blocks() -> Iterator[bytes]:
            yield b"a" * 64 * KIB
            process.kill()
            process.wait(timeout=10)
            yield b"b" * 64 * KIB
            yield b"c"

        facts = scanner.inspect_stream(blocks())
    assert facts.scan.verdict is ScanVerdict.NOT_SCANNED
    assert facts.scan.reason is NotScanned.CLOSED
    assert facts.size_bytes == 128 * KIB + 1
