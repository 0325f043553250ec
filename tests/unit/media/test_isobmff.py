"""Boxes and fragments, built by hand byte for byte."""

from __future__ import annotations

import struct

import pytest

from domain.media.isobmff import (
    MalformedBox,
    boxes,
    codecs_of_init,
    descend,
    fragment_facts,
    header_at,
    moved,
    timescale_of_init,
)


def box(kind: str, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind.encode()) + content


def full(version: int, flags: int) -> bytes:
    return bytes([version]) + flags.to_bytes(3, "big")


def fragment(*, tfdt: bytes, trun: bytes, default: int | None = 512) -> bytes:
    tfhd = full(0, 0x020000) if default is None else full(0, 0x020008)
    duration = b"" if default is None else struct.pack(">I", default)
    return box(
        "moof",
        box("mfhd", full(0, 0), struct.pack(">I", 1)),
        box("traf", box("tfhd", tfhd, struct.pack(">I", 1), duration), tfdt, trun),
    ) + box("mdat", b"x" * 10)


def tfdt64(time: int) -> bytes:
    return box("tfdt", full(1, 0), struct.pack(">Q", time))


def plain_run(count: int) -> bytes:
    return box("trun", full(0, 0x000201), struct.pack(">Ii", count, 0), b"\0\0\0\x05" * count)


def timed_run(*durations: int) -> bytes:
    rows = b"".join(struct.pack(">II", ticks, 5) for ticks in durations)
    return box("trun", full(0, 0x000305), struct.pack(">IiI", len(durations), 0, 0), rows)


def init(entry: bytes, *, timescale: int = 12800, version: int = 0) -> bytes:
    mdhd = struct.pack(">IIII", 0, 0, timescale, 0)
    if version == 1:
        mdhd = struct.pack(">QQIQ", 0, 0, timescale, 0)
    stsd = box("stsd", full(0, 0), struct.pack(">I", 1), entry)
    media = box("mdhd", full(version, 0), mdhd) + box("minf", box("stbl", stsd))
    return box("ftyp", b"iso5") + box("moov", box("trak", box("mdia", media)))


def test_durations_come_from_the_default_or_from_each_sample() -> None:
    facts = fragment_facts(fragment(tfdt=tfdt64(7), trun=plain_run(3)))
    assert (facts.base_time, facts.samples, facts.duration_ticks) == (7, 3, 3 * 512)
    facts = fragment_facts(fragment(tfdt=tfdt64(0), trun=timed_run(512, 512, 100), default=None))
    assert (facts.samples, facts.duration_ticks) == (3, 1124)


def test_a_fragment_without_durations_is_malformed() -> None:
    with pytest.raises(MalformedBox, match="duration"):
        fragment_facts(fragment(tfdt=tfdt64(0), trun=plain_run(2), default=None))


def test_moving_changes_time_and_number_and_nothing_else() -> None:
    before = fragment(tfdt=tfdt64(7), trun=plain_run(3))
    after = moved(before, base_time=1 << 40, sequence=99)
    assert fragment_facts(after).base_time == 1 << 40
    assert len(after) == len(before)
    assert moved(after, base_time=7, sequence=1) == before


def test_a_short_time_field_that_would_overflow_is_refused() -> None:
    short = fragment(tfdt=box("tfdt", full(0, 0), struct.pack(">I", 7)), trun=plain_run(1))
    assert fragment_facts(moved(short, base_time=2**32 - 1, sequence=2)).base_time == 2**32 - 1
    with pytest.raises(MalformedBox, match="32-bit"):
        moved(short, base_time=1 << 32, sequence=2)


def test_codecs_are_those_of_the_sample_entry() -> None:
    avc = box("avc1", bytes(78), box("avcC", b"\x01\x64\x00\x1f\xff"))
    assert codecs_of_init(init(avc)) == "avc1.64001f"
    assert codecs_of_init(init(box("Opus", bytes(28), box("dOps", bytes(11))))) == "opus"
    specific = b"\x05\x80\x80\x80\x02\x11\x90"
    config = b"\x04\x80\x80\x80\x14\x40" + bytes(12) + specific
    stream = b"\x03\x80\x80\x80\x22\x00\x01\x00" + config
    aac = box("mp4a", bytes(28), box("esds", full(0, 0), stream))
    assert codecs_of_init(init(aac)) == "mp4a.40.2"


@pytest.mark.parametrize("entry", [box("avc1", bytes(78)), box("mp4a", bytes(28)), box("hvc1")])
def test_an_entry_that_says_nothing_is_malformed(entry: bytes) -> None:
    with pytest.raises(MalformedBox):
        codecs_of_init(init(entry))


@pytest.mark.parametrize("version", [0, 1])
def test_timescale_in_both_forms_of_the_header(version: int) -> None:
    assert timescale_of_init(init(b"", timescale=30000, version=version)) == 30000


def test_boxes_that_reach_too_far_are_malformed() -> None:
    with pytest.raises(MalformedBox, match="cut off"):
        list(boxes(box("free", b"1234")[:-1]))
    with pytest.raises(MalformedBox, match="size 0"):
        list(boxes(b"\0\0\0\0mdat"))
    with pytest.raises(MalformedBox, match="no box"):
        descend(box("moov"), "moov", "trak")


def test_long_boxes_and_cut_headers() -> None:
    assert header_at(struct.pack(">I4sQ", 1, b"mdat", 1 << 33), 0) == ("mdat", 16, 1 << 33)
    assert header_at(struct.pack(">I4s", 1, b"mdat"), 0) is None
    assert header_at(b"\0\0\0", 0) is None
