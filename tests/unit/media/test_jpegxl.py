"""Sizes read from JPEG XL headers, which are bits laid out from the lowest on."""

from __future__ import annotations

import pytest

from domain.media.jpegxl import size_of


def codestream(*fields: tuple[int, int]) -> bytes:
    """A header of (value, bits) fields, padded as a real file would go on."""
    value = position = 0
    for field, bits in fields:
        value |= field << position
        position += bits
    return b"\xff\x0a" + value.to_bytes(16, "little")


def boxed(*boxes: tuple[bytes, bytes]) -> bytes:
    signature = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
    return signature + b"".join(
        (len(body) + 8).to_bytes(4, "big") + name + body for name, body in boxes
    )


LARGE = codestream((0, 1), (2, 2), (2999, 18), (0, 3), (2, 2), (3999, 18))


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (LARGE, (4000, 3000)),
        (codestream((1, 1), (4, 5), (1, 3)), (40, 40)),
        (codestream((1, 1), (4, 5), (0, 3), (9, 5)), (80, 40)),
        (codestream((0, 1), (0, 2), (269, 9), (5, 3)), (480, 270)),
        (codestream((0, 1), (3, 2), (2**30 - 1, 30), (7, 3)), (2**31, 2**30)),
        (boxed((b"ftyp", b"jxl " * 3), (b"jxlc", LARGE)), (4000, 3000)),
        (boxed((b"ftyp", b"jxl " * 3), (b"jxlp", b"\x00\x00\x00\x00" + LARGE)), (4000, 3000)),
    ],
)
def test_sizes_are_read_from_bare_and_boxed_files(head: bytes, size: tuple[int, int]) -> None:
    assert size_of(head) == size


@pytest.mark.parametrize(
    "head", [b"", b"\xff\x0a", b"\xff\xd8\xff" + bytes(20), boxed((b"ftyp", b"jxl ")), boxed()]
)
def test_what_has_no_size_header_has_no_size(head: bytes) -> None:
    assert size_of(head) is None


def test_a_box_that_claims_no_length_does_not_loop() -> None:
    assert size_of(boxed() + bytes(64)) is None
