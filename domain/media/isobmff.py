"""Just enough of ISO/IEC 14496-12 for CMAF: boxes, fragments, and the CODECS of a track."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_TFHD_BASE_DATA_OFFSET = 0x000001
_TFHD_DESCRIPTION_INDEX = 0x000002
_TFHD_DURATION = 0x000008
_TRUN_DATA_OFFSET = 0x000001
_TRUN_FIRST_FLAGS = 0x000004
_TRUN_DURATION = 0x000100
_TRUN_SIZE = 0x000200
_TRUN_FLAGS = 0x000400
_TRUN_COMPOSITION = 0x000800

_VISUAL_ENTRY_BYTES = 86
_AUDIO_ENTRY_BYTES = 36
_AAC_PROFILE = 0x40


@dataclass(frozen=True)
class Box:
    """One box of a buffer: `start` is that of its header, `end` is past its last byte."""

    kind: str
    start: int
    content: int
    end: int


@dataclass(frozen=True)
class FragmentFacts:
    """What one `moof` says of its single track. Times in ticks of the track's timescale."""

    base_time: int
    duration_ticks: int
    samples: int


class MalformedBox(ValueError):
    """The bytes are not the boxes they should be."""


def header_at(data: bytes | memoryview, offset: int) -> tuple[str, int, int] | None:
    """Kind, header size and total size of the box at `offset`; None if its header is cut off.

    Raises:
        MalformedBox: the size is impossible, or runs to the end of the file.
    """
    if len(data) - offset < 8:
        return None
    size, kind = struct.unpack_from(">I4s", data, offset)
    header = 8
    if size == 1:
        if len(data) - offset < 16:
            return None
        (size,) = struct.unpack_from(">Q", data, offset + 8)
        header = 16
    if size < header:
        raise MalformedBox(f"box {kind!r} at {offset} has size {size}")
    return kind.decode("latin-1"), header, size


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that lie side by side in a range.

    Raises:
        MalformedBox: one reaches out of the range.
    """
    end = len(data) if end is None else end
    while start < end:
        found = header_at(data, start)
        if found is None or start + found[2] > end:
            raise MalformedBox(f"the box at {start} is cut off")
        kind, header, size = found
        yield Box(kind, start, start + header, start + size)
        start += size


def descend(data: bytes, *path: str) -> Box:
    """The first box at a path such as `moov`, `trak`, `mdia`.

    Raises:
        MalformedBox: there is none.
    """
    start, end = 0, len(data)
    box: Box | None = None
    for kind in path:
        box = next((each for each in boxes(data, start, end) if each.kind == kind), None)
        if box is None:
            raise MalformedBox(f"no box {'/'.join(path)}")
        start, end = box.content, box.end
    if box is None:
        raise ValueError("an empty path names no box")
    return box


def timescale_of_init(init: bytes) -> int:
    """Ticks per second of the first track."""
    box = descend(init, "moov", "trak", "mdia", "mdhd")
    offset = 20 if init[box.content] == 1 else 12
    (scale,) = struct.unpack_from(">I", init, box.content + offset)
    return int(scale)


def codecs_of_init(init: bytes) -> str:
    """The CODECS attribute (RFC 6381) of the first track: `avc1.64001f`, `mp4a.40.2`, `opus`.

    For H.264 profile, constraints and level are those of the SPS really produced, as copied
    to `avcC` (ISO/IEC 14496-15 §5.3.3.1).
    """
    table = descend(init, "moov", "trak", "mdia", "minf", "stbl", "stsd")
    entry = next(boxes(init, table.content + 8, table.end))
    if entry.kind in ("avc1", "avc3"):
        inner = boxes(init, entry.start + _VISUAL_ENTRY_BYTES, entry.end)
        avcc = next((box for box in inner if box.kind == "avcC"), None)
        if avcc is None:
            raise MalformedBox("an avc1 entry without avcC")
        return f"{entry.kind}.{init[avcc.content + 1 : avcc.content + 4].hex()}"
    if entry.kind == "Opus":
        return "opus"
    if entry.kind == "mp4a":
        inner = boxes(init, entry.start + _AUDIO_ENTRY_BYTES, entry.end)
        esds = next((box for box in inner if box.kind == "esds"), None)
        if esds is None:
            raise MalformedBox("an mp4a entry without esds")
        return _mp4a_codecs(init[esds.content + 4 : esds.end])
    raise MalformedBox(f"no rule for a {entry.kind} entry")


def _mp4a_codecs(descriptors: bytes) -> str:
    """`mp4a.40.2` from an ES_Descriptor (ISO/IEC 14496-1 §7.2.6): object type, then AAC's own."""
    offset, object_type = 0, 0
    while offset < len(descriptors):
        tag = descriptors[offset]
        offset += 1
        while descriptors[offset] & 0x80:
            offset += 1
        offset += 1
        if tag == 0x03:
            offset += 3
        elif tag == 0x04:
            object_type = descriptors[offset]
            offset += 13
        elif tag == 0x05 and object_type == _AAC_PROFILE:
            return f"mp4a.40.{descriptors[offset] >> 3}"
        else:
            break
    return f"mp4a.{object_type:x}"


def fragment_facts(fragment: bytes) -> FragmentFacts:
    """What the `moof` at the head of a fragment says; one track, as we write them.

    Raises:
        MalformedBox: a sample's duration is nowhere in the fragment.
    """
    traf = descend(fragment, "moof", "traf")
    base_time = duration = samples = 0
    default_duration: int | None = None
    for box in boxes(fragment, traf.content, traf.end):
        if box.kind == "tfhd":
            default_duration = _default_duration(fragment, box)
        elif box.kind == "tfdt":
            form = ">Q" if fragment[box.content] == 1 else ">I"
            (base_time,) = struct.unpack_from(form, fragment, box.content + 4)
        elif box.kind == "trun":
            count, ticks = _run_length(fragment, box, default_duration)
            samples, duration = samples + count, duration + ticks
    return FragmentFacts(base_time=base_time, duration_ticks=duration, samples=samples)


def _default_duration(data: bytes, tfhd: Box) -> int | None:
    flags = int.from_bytes(data[tfhd.content + 1 : tfhd.content + 4], "big")
    offset = tfhd.content + 8
    offset += 8 if flags & _TFHD_BASE_DATA_OFFSET else 0
    offset += 4 if flags & _TFHD_DESCRIPTION_INDEX else 0
    if not flags & _TFHD_DURATION:
        return None
    return int.from_bytes(data[offset : offset + 4], "big")


def _run_length(data: bytes, trun: Box, default_duration: int | None) -> tuple[int, int]:
    """Samples and ticks of one `trun`."""
    flags = int.from_bytes(data[trun.content + 1 : trun.content + 4], "big")
    (count,) = struct.unpack_from(">I", data, trun.content + 4)
    if not flags & _TRUN_DURATION:
        if default_duration is None:
            raise MalformedBox("samples without a duration")
        return count, count * default_duration
    offset = trun.content + 8
    offset += 4 if flags & _TRUN_DATA_OFFSET else 0
    offset += 4 if flags & _TRUN_FIRST_FLAGS else 0
    fields = (_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_COMPOSITION)
    stride = 4 * sum(1 for field in fields if flags & field)
    ticks = sum(
        struct.unpack_from(">I", data, offset + index * stride)[0] for index in range(count)
    )
    return count, ticks


def moved(fragment: bytes, *, base_time: int, sequence: int) -> bytes:
    """The same fragment at another place of the timeline.

    Rewrites `tfdt` (64 bit, as ffmpeg writes it) and `mfhd` in place, so that every offset
    inside stays true.

    Raises:
        MalformedBox: `tfdt` has 32 bits and the time doesn't fit.
    """
    data = bytearray(fragment)
    mfhd = descend(fragment, "moof", "mfhd")
    struct.pack_into(">I", data, mfhd.content + 4, sequence & 0xFFFFFFFF)
    tfdt = descend(fragment, "moof", "traf", "tfdt")
    if fragment[tfdt.content] == 1:
        struct.pack_into(">Q", data, tfdt.content + 4, base_time)
    elif base_time < 1 << 32:
        struct.pack_into(">I", data, tfdt.content + 4, base_time)
    else:
        raise MalformedBox("a 32-bit tfdt can't hold this time")
    return bytes(data)
