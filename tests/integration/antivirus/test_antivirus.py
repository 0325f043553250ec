"""Verdicts of a real clamd, and of servers that play its part badly."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack.clamd import eicar
from domain.errors import Unavailable
from infra.antivirus import HEAD_BYTES, Antivirus, NotScanned, ScanReport, ScanVerdict
from infra.settings import Settings

MIB = 1024 * 1024
FRESH = "ClamAV 1.4.6/27500/" + (datetime.now(UTC) - timedelta(days=1)).strftime(
    "%a %b %d %H:%M:%S %Y"
)


@pytest.fixture
def antivirus(settings: Settings) -> Antivirus:
    return Antivirus(settings)


def outcome(report: ScanReport) -> tuple[ScanVerdict, NotScanned | None]:
    return report.verdict, report.reason


CLEAN = (ScanVerdict.CLEAN, None)


def test_one_pass_hashes_measures_and_scans(antivirus: Antivirus) -> None:
    blocks = [os.urandom(size) for size in (1, 100, 70_000, MIB, 3)]
    whole = b"".join(blocks)
    told: list[int] = []
    facts = antivirus.inspect_stream(blocks, expected_bytes=len(whole), on_bytes=told.append)
    assert outcome(facts.scan) == CLEAN
    assert facts.size_bytes == len(whole)
    assert facts.sha256 == hashlib.sha256(whole).hexdigest()
    assert facts.head == whole[:HEAD_BYTES]
    assert told[:5] == [1, 101, 70_101, 70_101 + MIB, len(whole)]
    assert facts.scan.engine_version is not None
    assert facts.scan.engine_version.startswith("ClamAV")


def test_an_empty_stream_is_clean_and_has_no_bytes(antivirus: Antivirus) -> None:
    facts = antivirus.inspect_stream([])
    assert (facts.size_bytes, facts.head, outcome(facts.scan)) == (0, b"", CLEAN)


@pytest.mark.parametrize(
    "blocks",
    [
        [eicar()],
        [eicar()[:20], eicar()[20:]],
        [os.urandom(200_000), eicar(), os.urandom(200_000)],
        [b"x" * (64 * 1024 - 10), eicar()],
    ],
    ids=["alone", "in two blocks", "in the middle", "across frames"],
)
def test_malware_is_found_wherever_it_stands(antivirus: Antivirus, blocks: list[bytes]) -> None:
    facts = antivirus.inspect_stream(blocks)
    assert facts.scan.verdict is ScanVerdict.INFECTED
    assert facts.scan.signature is not None
    assert "Eicar" in facts.scan.signature
    assert facts.sha256 == hashlib.sha256(b"".join(blocks)).hexdigest()


def test_a_stream_over_our_limit_is_not_clean_but_hashed(settings: Settings) -> None:
    small = Antivirus(settings.model_copy(update={"clamd_stream_bytes_max": 100_000}))
    blocks = [b"a" * 60_000, b"b" * 60_000]
    facts = small.inspect_stream(blocks)
    assert outcome(facts.scan) == (ScanVerdict.NOT_SCANNED, NotScanned.OVER_LIMIT)
    assert facts.sha256 == hashlib.sha256(b"".join(blocks)).hexdigest()
    assert outcome(small.inspect_stream([b"a" * 100_000]).scan) == CLEAN


def test_a_stream_announced_over_the_limit_is_not_even_sent(settings: Settings) -> None:
    with Impostor(lambda _: b"stream: OK\n").running() as server:
        small = Antivirus(
            settings.model_copy(
                update={"clamd_address": server.address, "clamd_stream_bytes_max": 10}
            )
        )
        facts = small.inspect_stream([b"a" * 11], expected_bytes=11)
    assert outcome(facts.scan) == (ScanVerdict.NOT_SCANNED, NotScanned.OVER_LIMIT)
    assert facts.size_bytes == 11
    assert server.commands == []


def test_a_clamd_that_is_not_there_gives_no_verdict(settings: Settings, tmp_path: Path) -> None:
    for address in ("127.0.0.1:9", "[::1]:9", str(tmp_path / "clamd.sock")):
        gone = Antivirus(settings.model_copy(update={"clamd_address": address}))
        facts = gone.inspect_stream([b"abc"])
        assert outcome(facts.scan) == (ScanVerdict.NOT_SCANNED, NotScanned.UNREACHABLE)
        assert facts.sha256 == hashlib.sha256(b"abc").hexdigest()
        with pytest.raises(Unavailable):
            gone.engine()


def test_what_the_source_raises_ends_the_pass(antivirus: Antivirus) -> None:
    def broken() -> Iterator[bytes]:
        yield b"abc"
        raise Unavailable("storage went away")

    with pytest.raises(Unavailable, match="storage went away"):
        antivirus.inspect_stream(broken())


class Impostor:
    """A server that speaks clamd's protocol and answers INSTREAM as it was told to.

    `answer` gets the connection after the stream's last frame, or, where `early` is set,
    after so many bytes of it. It returns what to say before the connection is closed.
    """

    def __init__(
        self,
        answer: Callable[[socket.socket], bytes],
        *,
        version: str = FRESH,
        early: int | None = None,
    ) -> None:
        self.commands: list[str] = []
        self.received = 0
        self.address = ""
        self.over = threading.Event()
        self._answer = answer
        self._version = version
        self._early = early

    @contextmanager
    def running(self) -> Iterator[Impostor]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"
            serving = threading.Thread(target=self._serve, args=(listener,), daemon=True)
            serving.start()
            try:
                yield self
            finally:
                self.over.set()
                listener.shutdown(socket.SHUT_RDWR)
                serving.join(timeout=5)

    def _serve(self, listener: socket.socket) -> None:
        while not self.over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
                command = stream.readline().decode().strip().lstrip("n")
                self.commands.append(command)
                if command == "VERSION":
                    connection.sendall(f"{self._version}\n".encode())
                    continue
                while length := struct.unpack("!L", stream.read(4))[0]:
                    self.received += len(stream.read(length))
                    if self._early is not None and self.received >= self._early:
                        break
                connection.sendall(self._answer(connection))


def impostor_of(settings: Settings, server: Impostor, **changed: object) -> Antivirus:
    return Antivirus(settings.model_copy(update={"clamd_address": server.address, **changed}))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"stream: OK\n", CLEAN),
        (b"stream: Win.Test FOUND\n", (ScanVerdict.INFECTED, None)),
        (b"", (ScanVerdict.NOT_SCANNED, NotScanned.CLOSED)),
        (b"stream: OK", (ScanVerdict.NOT_SCANNED, NotScanned.CLOSED)),
        (b"stream: O", (ScanVerdict.NOT_SCANNED, NotScanned.CLOSED)),
        (b"\n", (ScanVerdict.NOT_SCANNED, NotScanned.UNKNOWN_ANSWER)),
        (b"stream: OKAY\n", (ScanVerdict.NOT_SCANNED, NotScanned.UNKNOWN_ANSWER)),
        (b"other: OK\n", (ScanVerdict.NOT_SCANNED, NotScanned.UNKNOWN_ANSWER)),
        (
            b"stream: Can't allocate memory ERROR\n",
            (ScanVerdict.NOT_SCANNED, NotScanned.UNKNOWN_ANSWER),
        ),
        (
            b"INSTREAM size limit exceeded. ERROR\n",
            (ScanVerdict.NOT_SCANNED, NotScanned.OVER_LIMIT),
        ),
        (
            b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\n",
            (ScanVerdict.NOT_SCANNED, NotScanned.OVER_LIMIT),
        ),
        (
            b"stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND\n",
            (ScanVerdict.NOT_SCANNED, NotScanned.TIMED_OUT),
        ),
        (b"stream: OK\nstream: X FOUND\n", (ScanVerdict.INFECTED, None)),
        (b"stream: OK\nmore\n", (ScanVerdict.NOT_SCANNED, NotScanned.UNKNOWN_ANSWER)),
    ],
)
def test_only_the_exact_answer_is_clean(
    settings: Settings, said: bytes, expected: tuple[ScanVerdict, NotScanned | None]
) -> None:
    with Impostor(lambda _: said).running() as server:
        facts = impostor_of(settings, server).inspect_stream([b"abc", b"def"])
    assert outcome(facts.scan) == expected
    assert server.received == 6


def test_an_early_refusal_stops_the_sending_and_not_the_hashing(settings: Settings) -> None:
    refusal = b"INSTREAM size limit exceeded. ERROR\n"
    blocks = [os.urandom(MIB)] * 30
    with Impostor(lambda _: refusal, early=2 * MIB).running() as server:
        facts = impostor_of(settings, server).inspect_stream(blocks)
    assert facts.scan.verdict is ScanVerdict.NOT_SCANNED
    # The reset of a connection with unread bytes may overtake the refusal.
    assert facts.scan.reason in (NotScanned.OVER_LIMIT, NotScanned.CLOSED)
    assert facts.size_bytes == 30 * MIB
    assert facts.sha256 == hashlib.sha256(b"".join(blocks)).hexdigest()
    assert server.received < 30 * MIB


def test_a_clamd_that_thinks_for_ever_is_timed_out_and_the_caller_hears_meanwhile(
    settings: Settings,
) -> None:
    def think(connection: socket.socket) -> bytes:
        select.select([connection], [], [], 20)
        return b"stream: OK\n"

    told: list[int] = []
    with Impostor(think).running() as server:
        hung = impostor_of(settings, server, clamd_timeout_seconds=1.5)
        facts = hung.inspect_stream([b"abc"], on_bytes=told.append)
    assert outcome(facts.scan) == (ScanVerdict.NOT_SCANNED, NotScanned.TIMED_OUT)
    assert told[0] == 3
    assert len(told) >= 2


def test_a_clamd_that_takes_no_bytes_is_timed_out(settings: Settings) -> None:
    """It accepts and never reads: the socket's buffers fill up and stay full."""
    with socket.create_server(("127.0.0.1", 0), backlog=4) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        mute = Antivirus(
            settings.model_copy(update={"clamd_address": address, "clamd_timeout_seconds": 0.5})
        )
        facts = mute.inspect_stream([os.urandom(MIB)] * 20)
    assert outcome(facts.scan) == (ScanVerdict.NOT_SCANNED, NotScanned.UNREACHABLE)
    assert facts.size_bytes == 20 * MIB


def test_a_clamd_that_stops_reading_is_timed_out(settings: Settings) -> None:
    def stare(_: socket.socket) -> bytes:
        server.over.wait(timeout=20)
        return b"stream: OK\n"

    blocks = [os.urandom(MIB)] * 40
    with Impostor(stare, early=MIB).running() as server:
        mute = impostor_of(settings, server, clamd_timeout_seconds=0.5)
        facts = mute.inspect_stream(blocks)
    assert outcome(facts.scan) == (ScanVerdict.NOT_SCANNED, NotScanned.TIMED_OUT)
    assert facts.size_bytes == 40 * MIB


def version_of(age_days: int | None) -> str:
    """What clamd answers with a database of that age; None: with hand-made signatures only."""
    if age_days is None:
        return "ClamAV 1.4.6"
    at = datetime.now(UTC) - timedelta(days=age_days)
    return at.strftime("ClamAV 1.4.6/27500/%a %b %d %H:%M:%S %Y")


STALE = (ScanVerdict.NOT_SCANNED, NotScanned.STALE_DATABASE)


@pytest.mark.parametrize(
    ("age_days", "age_days_max", "said", "expected"),
    [
        (6, 7, b"stream: OK\n", CLEAN),
        (8, 7, b"stream: OK\n", STALE),
        (8, 0, b"stream: OK\n", CLEAN),
        (None, 7, b"stream: OK\n", STALE),
        (None, 0, b"stream: OK\n", CLEAN),
        (90, 7, b"stream: X FOUND\n", (ScanVerdict.INFECTED, None)),
    ],
)
def test_clean_by_a_stale_database_is_not_clean(
    settings: Settings,
    age_days: int | None,
    age_days_max: int,
    said: bytes,
    expected: tuple[ScanVerdict, NotScanned | None],
) -> None:
    with Impostor(lambda _: said, version=version_of(age_days)).running() as server:
        scanner = impostor_of(settings, server, clamd_database_age_days_max=age_days_max)
        report = scanner.scan_stream([b"abc"])
    assert outcome(report) == expected


def test_a_database_whose_date_can_not_be_read_counts_as_stale(settings: Settings) -> None:
    version = "ClamAV 1.4.6/27500/some day"
    with Impostor(lambda _: b"stream: OK\n", version=version).running() as server:
        scanner = impostor_of(settings, server, clamd_database_age_days_max=7)
        assert outcome(scanner.scan_stream([b"abc"])) == STALE
