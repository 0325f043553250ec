"""How large a JPEG XL picture is, told before anything decodes it.

The Python decoder at hand decodes while it opens, so the limit on pixels has to be held
against the file's own header. Source: ISO/IEC 18181-1 (SizeHeader), 18181-2 (boxes).
"""

from __future__ import annotations

from collections.abc import Callable

SIGNATURE = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = (9, 13, 18, 30)


def size_of(head: bytes) -> tuple[int, int] | None:
    """Width and height from the first KiBs of a file; None where they can't be found."""
    codestream = _codestream(head)
    if codestream is None or not codestream.startswith(SIGNATURE) or len(codestream) < 14:
        return None
    value, position = int.from_bytes(codestream[2:14], "little"), 0

    def bits(count: int) -> int:
        nonlocal position
        taken = value >> position & (1 << count) - 1
        position += count
        return taken

    is_small = bits(1) == 1
    height = _side(bits, is_small)
    ratio = bits(3)
    if ratio == 0:
        return _side(bits, is_small), height
    numerator, denominator = _RATIOS[ratio]
    return height * numerator // denominator, height


def _side(bits: Callable[[int], int], is_small: bool) -> int:
    if is_small:
        return 8 * (1 + bits(5))
    return 1 + bits(_SIZE_BITS[bits(2)])


def _codestream(head: bytes) -> bytes | None:
    """The bare codestream, or the first one in the container's boxes."""
    if not head.startswith(_CONTAINER):
        return head
    position = 0
    while position + 8 <= len(head):
        length = int.from_bytes(head[position : position + 4], "big")
        name = head[position + 4 : position + 8]
        start = position + 8
        if length == 1:
            length = int.from_bytes(head[start : start + 8], "big")
            start += 8
        if name == b"jxlc":
            return head[start:]
        if name == b"jxlp":
            return head[start + 4 :]
        if length < 8:
            return None
        position += length
    return None
