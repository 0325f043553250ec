"""What a decoder's death says: about the file, or about the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import activity

from domain.errors import FansworldError, MediaRejected, Unavailable
from domain.media.rejections import RejectionCode
from infra.sandbox import (
    ChildKilled,
    ChildOutOfMemory,
    ChildTimedOut,
    ChildWroteTooMuch,
)

EXPENSIVE_ATTEMPTS = 2
"""A busy machine can make one attempt slow; the file is blamed when it happens again."""


@contextmanager
def child_faults() -> Iterator[None]:
    """Turn how a child failed into a verdict on the file or a reason to try again.

    Raises:
        MediaRejected: `too_expensive`, when limits are hit again on the second attempt;
            `corrupt_media`, when the decoder crashed on the file.
        Unavailable: ended from outside, or over its limits for the first time.
    """
    try:
        yield
    except (ChildTimedOut, ChildOutOfMemory, ChildWroteTooMuch) as error:
        _try_once_more(error)
        raise MediaRejected(RejectionCode.TOO_EXPENSIVE, limit=error.code) from error
    except ChildKilled as error:
        if error.is_outside:
            raise Unavailable(error.message, code=error.code, **error.facts) from error
        raise MediaRejected(RejectionCode.CORRUPT_MEDIA, signal=error.signal) from error
    except MediaRejected as error:
        if error.reason is RejectionCode.TOO_EXPENSIVE:
            _try_once_more(error)
        raise


def _try_once_more(error: FansworldError) -> None:
    if activity.info().attempt < EXPENSIVE_ATTEMPTS:
        raise Unavailable(
            f"a decoder went over its limits for the first time: {error.message}",
            code="over_limits_once",
            **error.facts,
        ) from error
