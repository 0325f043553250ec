"""The API's own fixtures."""

from __future__ import annotations

from tests.harness.api import _shared_api, api, start_api

__all__ = ["_shared_api", "api", "start_api"]
