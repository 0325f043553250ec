"""Decoders say in many ways that memory ran out, and in similar words that a file is broken."""

from __future__ import annotations

import pytest

from infra.sandbox.errors import tells_of_memory


@pytest.mark.parametrize(
    "said",
    [
        "[mov @ 0x55] Cannot allocate memory",
        "vips_tracked: out of memory --- size == 75MB",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "MemoryError: ",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 3.2 GiB for an array",
        "GLib-ERROR **: ../glib/gmem.c:136: failed to allocate 75000000 bytes",
        "RuntimeError: can't start new thread",
        "GThread: error creating thread: Resource temporarily unavailable",
    ],
)
def test_memory_that_ran_out_is_told(said: str) -> None:
    assert tells_of_memory(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "VipsJpeg: premature end of JPEG image",
        "[h264 @ 0x55] Failed to allocate frame buffers for a broken header",
        "Invalid data found when processing input",
    ],
)
def test_a_broken_file_is_not_taken_for_it(said: str) -> None:
    assert not tells_of_memory(said)
