from __future__ import annotations

from tests.harness.refunds import fan, sales

__all__ = ["fan", "sales"]
