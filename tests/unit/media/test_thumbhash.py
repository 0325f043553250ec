"""ThumbHash against values that the reference implementation gives for the same pixels."""

from __future__ import annotations

import base64

import pytest

from domain.media.thumbhash import thumbhash


def picture(width: int, height: int, *, has_alpha: bool) -> bytes:
    out = bytearray()
    for y in range(height):
        for x in range(width):
            out += bytes((x * x * 3 % 251, (y * y + x) * 2 % 241, (x * y + 7 * x) % 239))
            out.append((x * 5 + y * y) % 233 if has_alpha else 255)
    return bytes(out)


@pytest.mark.parametrize(
    ("width", "height", "has_alpha", "expected"),
    [
        (32, 21, False, "2gcGFYgQI4Rkh4hkmGiId+uyQOH5"),
        (24, 32, False, "2QcKFQggUmWHSIdohoWId+vWALD4"),
        (30, 30, True, "2/eBDQQHIBSXiIZpSLnEULC3YYcSdyMHNQ=="),
        (32, 1, False, "1JYqUaR1d4eIiAiKbYd/hgg="),
        (1, 1, False, "AAgCBwAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        (9, 32, True, "1beFEQoWgId4inj9XAaJiXeHYIhxN3g="),
    ],
)
def test_hashes_are_those_of_the_reference(
    width: int, height: int, has_alpha: bool, expected: str
) -> None:
    pixels = picture(width, height, has_alpha=has_alpha)
    assert base64.b64encode(thumbhash(pixels, width=width, height=height)).decode() == expected


def test_a_wholly_see_through_picture_has_a_hash() -> None:
    assert len(thumbhash(bytes(4 * 9), width=3, height=3)) >= 5
