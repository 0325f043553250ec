"""Text for those who run the platform."""

from __future__ import annotations


class OperatorText(str):
    """Stays readable in the Temporal UI, where all other payloads are encrypted.

    So it names steps, causes and numbers, and never a person or what they uploaded.
    """

    __slots__ = ()
