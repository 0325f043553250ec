"""The API's own fixtures."""

from __future__ import annotations

from tests.e2e.api.published import publish
from tests.harness.api import _shared_api, api, start_api

__all__ = ["_shared_api", "api", "publish", "start_api"]
