"""What activities work with, on this worker's share of the stack."""

from __future__ import annotations

from tests.integration.media.conftest import media_parts

__all__ = ["media_parts"]
