"""clamd: one pass over the bytes that hashes, measures and scans them.

Three verdicts, and only one of them is good news. `clean` needs the exact answer
`stream: OK`, every byte sent, a size within every limit and a database that is not stale.
A limit, a time-out, a closed connection, an answer that we don't know: `not_scanned`, with
the reason. Nothing here ever raises for clamd's sake; what follows is the caller's policy.

clamd gathers the whole stream first and scans it when the last frame is in, so the wait
after the last byte grows with the size; the limit of that wait does too.
"""

from __future__ import annotations

import hashlib
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import clamd

from domain.errors import Unavailable
from infra.settings import Settings

HEAD_BYTES = 4096
"""Kept from the start of a stream; enough to tell every type we accept."""
CONNECT_TIMEOUT_SECONDS = 5.0
SCAN_BYTES_PER_SECOND_MIN = 8 * 1024 * 1024
"""The slowest scan that still counts as one; measured: 35 MB/s for MP4 on one slow core."""
BEAT_SECONDS = 1.0
"""While waiting for the verdict, the caller hears from us this often."""
_REPLY_BYTES_MAX = 4096
_LIMIT_SIGNATURES = "Heuristics.Limits.Exceeded"
"""What `AlertExceedsMax` reports: the scan was cut short, nothing was found. Running out of
`MaxScanTime` is a time-out, since a less busy clamd may manage; all others are the file's."""


class ScanVerdict(StrEnum):
    CLEAN = "clean"
    INFECTED = "infected"
    NOT_SCANNED = "not_scanned"


class NotScanned(StrEnum):
    """Why there is no verdict. Only `over_limit` is the file's doing; the rest may pass."""

    OVER_LIMIT = "over_limit"
    TIMED_OUT = "timed_out"
    CLOSED = "closed"
    """The connection ended, or the stream of bytes did, before a verdict."""
    UNREACHABLE = "unreachable"
    STALE_DATABASE = "stale_database"
    UNKNOWN_ANSWER = "unknown_answer"


@dataclass(frozen=True)
class ScanReport:
    verdict: ScanVerdict
    signature: str | None = None
    """Name of what was found."""
    reason: NotScanned | None = None
    detail: str = ""
    engine_version: str | None = None
    database_age_days: float | None = None
    """Unknown where clamd runs on hand-made signatures alone."""


@dataclass(frozen=True)
class StreamFacts:
    """What one pass over the bytes told."""

    size_bytes: int
    sha256: str
    head: bytes
    """The first `HEAD_BYTES` at most."""
    scan: ScanReport


@dataclass(frozen=True)
class Engine:
    version: str
    database_at: datetime | None


class Antivirus:
    """Holds only settings; each scan has a connection of its own, so threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.clamd_address
        self._timeout_seconds = settings.clamd_timeout_seconds
        self._bytes_max = settings.clamd_stream_bytes_max
        self._frame_bytes = settings.clamd_frame_bytes
        self._age_days_max = settings.clamd_database_age_days_max

    def engine(self) -> Engine:
        """Version of clamd and date of its database, also for readiness.

        Raises:
            Unavailable: clamd does not answer.
        """
        try:
            answer = str(self._connection().version())
        except (OSError, clamd.ClamdError) as error:
            raise Unavailable(
                f"clamd did not answer: {error}", code="antivirus_unavailable"
            ) from error
        return _parse_version(answer)

    def scan_stream(
        self, blocks: Iterable[bytes], *, on_bytes: Callable[[int], None] | None = None
    ) -> ScanReport:
        """Scan alone; see `inspect_stream`."""
        return self.inspect_stream(blocks, on_bytes=on_bytes).scan

    def inspect_stream(
        self,
        blocks: Iterable[bytes],
        *,
        expected_bytes: int | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> StreamFacts:
        """Hash, measure and scan in one pass; hashing goes on when clamd gives up early.

        `expected_bytes` (from a HEAD) saves sending a stream that is over the limit anyhow.
        `on_bytes` hears how many bytes are done, and the same number again once a second
        while clamd thinks, so it can serve as a heartbeat; what it raises ends the pass.

        Raises:
            what `blocks` and `on_bytes` raise.
        """
        sha256, size, head = hashlib.sha256(), 0, b""
        scan = self._begin(expected_bytes)
        try:
            for block in blocks:
                sha256.update(block)
                size += len(block)
                if len(head) < HEAD_BYTES:
                    head += block[: HEAD_BYTES - len(head)]
                scan.feed(block)
                if on_bytes is not None:
                    on_bytes(size)
            report = scan.finish(lambda: on_bytes(size) if on_bytes is not None else None)
        finally:
            scan.close()
        return StreamFacts(size, sha256.hexdigest(), head, report)

    def _begin(self, expected_bytes: int | None) -> _Scan:
        engine: Engine | None = None
        failure: tuple[NotScanned, str] | None = None
        if expected_bytes is not None and expected_bytes > self._bytes_max:
            failure = (NotScanned.OVER_LIMIT, f"{expected_bytes} bytes, {self._bytes_max} allowed")
        else:
            try:
                engine = self.engine()
            except Unavailable as error:
                failure = (NotScanned.UNREACHABLE, error.message)
        return _Scan(
            self._connection(),
            engine=engine,
            failure=failure,
            bytes_max=self._bytes_max,
            frame_bytes=self._frame_bytes,
            timeout_seconds=self._timeout_seconds,
            age_days_max=self._age_days_max,
        )

    def _connection(self) -> _TcpConnection | _UnixConnection:
        if self._address.startswith("/"):
            return _UnixConnection(self._address, timeout=self._timeout_seconds)
        host, _, port = self._address.rpartition(":")
        return _TcpConnection(host.strip("[]"), int(port), timeout=self._timeout_seconds)


class _TcpConnection(clamd.ClamdNetworkSocket):  # type: ignore[misc]
    """The package sets its time-out only after connecting, and knows IPv4 alone."""

    def _init_socket(self) -> None:
        self.clamd_socket = socket.create_connection(
            (self.host, self.port), timeout=CONNECT_TIMEOUT_SECONDS
        )
        self.clamd_socket.settimeout(self.timeout)


class _UnixConnection(clamd.ClamdUnixSocket):  # type: ignore[misc]
    def _init_socket(self) -> None:
        self.clamd_socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.clamd_socket.settimeout(CONNECT_TIMEOUT_SECONDS)
        try:
            self.clamd_socket.connect(self.unix_socket)
        except OSError:
            self.clamd_socket.close()
            raise
        self.clamd_socket.settimeout(self.timeout)


class _Scan:
    """One INSTREAM. The package would send frames of 1 KiB, by a call that may send less
    than it was given; ours are larger and sent whole.
    """

    def __init__(
        self,
        connection: Any,
        *,
        engine: Engine | None,
        failure: tuple[NotScanned, str] | None,
        bytes_max: int,
        frame_bytes: int,
        timeout_seconds: float,
        age_days_max: int,
    ) -> None:
        self._engine = engine
        self._failure = failure
        self._bytes_max = bytes_max
        self._frame_bytes = frame_bytes
        self._timeout_seconds = timeout_seconds
        self._age_days_max = age_days_max
        self._sent_bytes = 0
        self._reply: str | None = None
        self._socket: socket.socket | None = None
        if failure is not None:
            return
        try:
            connection._init_socket()
            self._socket = connection.clamd_socket
            connection._send_command("INSTREAM")
        except OSError as error:
            self._fail(NotScanned.UNREACHABLE, str(error))

    def feed(self, block: bytes) -> None:
        """Send the block in frames; does nothing once the scan has come to an end."""
        view = memoryview(block)
        for start in range(0, len(view), self._frame_bytes):
            if self._failure is not None or self._reply is not None or self._socket is None:
                return
            frame = view[start : start + self._frame_bytes]
            self._sent_bytes += len(frame)
            if self._sent_bytes > self._bytes_max:
                self._fail(NotScanned.OVER_LIMIT, f"more than {self._bytes_max} bytes")
                return
            self._send(b"".join((struct.pack("!L", len(frame)), frame)))

    def finish(self, on_wait: Callable[[], None]) -> ScanReport:
        """Close the stream and wait for the verdict."""
        if self._failure is None and self._reply is None:
            self._send(struct.pack("!L", 0))
        if self._failure is None and self._reply is None:
            self._await_reply(on_wait)
        return self._report()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        try:
            # clamd answers early only to refuse; reading that first keeps the reason.
            if select.select([self._socket], [], [], 0)[0]:
                self._read_reply()
                return
            self._socket.sendall(data)
        except TimeoutError:
            self._fail(NotScanned.TIMED_OUT, "clamd took no more bytes")
        except OSError as error:
            self._read_reply(after=error)

    def _await_reply(self, on_wait: Callable[[], None]) -> None:
        assert self._socket is not None
        limit = self._timeout_seconds + self._sent_bytes / SCAN_BYTES_PER_SECOND_MIN
        deadline = time.monotonic() + limit
        while not select.select([self._socket], [], [], min(BEAT_SECONDS, limit))[0]:
            if time.monotonic() >= deadline:
                self._fail(NotScanned.TIMED_OUT, f"no verdict within {limit:.0f} s")
                return
            on_wait()
        self._read_reply()

    def _read_reply(self, *, after: OSError | None = None) -> None:
        """Read the line that clamd says; without a whole one, or with more, nothing is clean."""
        assert self._socket is not None
        said = b""
        try:
            self._socket.settimeout(CONNECT_TIMEOUT_SECONDS)
            while b"\n" not in said and len(said) < _REPLY_BYTES_MAX:
                part = self._socket.recv(_REPLY_BYTES_MAX)
                if not part:
                    break
                said += part
        except OSError as error:
            after = after or error
        if b"\n" in said:
            self._reply = said.decode("utf-8", "replace").strip()
        else:
            self._fail(NotScanned.CLOSED, str(after or "clamd closed the connection"))

    def _fail(self, reason: NotScanned, detail: str) -> None:
        self._failure = (reason, detail)
        self.close()

    def _report(self) -> ScanReport:
        age_days = self._database_age_days()
        version = self._engine.version if self._engine is not None else None

        def report(verdict: ScanVerdict, **facts: Any) -> ScanReport:
            return ScanReport(verdict, engine_version=version, database_age_days=age_days, **facts)

        def not_scanned(reason: NotScanned, detail: str) -> ScanReport:
            return report(ScanVerdict.NOT_SCANNED, reason=reason, detail=detail)

        if self._failure is not None:
            return not_scanned(*self._failure)
        reply = self._reply or ""
        if reply.startswith("stream: ") and reply.endswith(" FOUND"):
            signature = reply.removeprefix("stream: ").removesuffix(" FOUND")
            if signature.startswith(_LIMIT_SIGNATURES):
                is_slow = "MaxScanTime" in signature
                return not_scanned(
                    NotScanned.TIMED_OUT if is_slow else NotScanned.OVER_LIMIT, signature
                )
            return report(ScanVerdict.INFECTED, signature=signature)
        if "size limit exceeded" in reply:
            return not_scanned(NotScanned.OVER_LIMIT, reply)
        if reply != "stream: OK":
            return not_scanned(NotScanned.UNKNOWN_ANSWER, reply)
        if self._age_days_max and (age_days is None or age_days > self._age_days_max):
            # Infected by an old database is still infected; clean by one is not clean.
            return not_scanned(
                NotScanned.STALE_DATABASE, f"{age_days} days old, {self._age_days_max} allowed"
            )
        return report(ScanVerdict.CLEAN)

    def _database_age_days(self) -> float | None:
        if self._engine is None or self._engine.database_at is None:
            return None
        age = datetime.now(UTC) - self._engine.database_at
        return round(age.total_seconds() / 86_400, 2)


def _parse_version(answer: str) -> Engine:
    """`ClamAV 1.4.6/27500/Sun Nov 22 09:00:00 2026`, or `ClamAV 1.4.6` without a database
    of the official kind. The date is taken as UTC.
    """
    parts = answer.strip().split("/", 2)
    database_at = None
    if len(parts) == 3:
        try:
            database_at = datetime.strptime(parts[2].strip(), "%a %b %d %H:%M:%S %Y").replace(
                tzinfo=UTC
            )
        except ValueError:
            # An unreadable date is an unknown age, which the age limit refuses.
            database_at = None
    return Engine(answer.strip(), database_at)
