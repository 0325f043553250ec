from __future__ import annotations

from tests.harness.refunds import fan, following, refunding, sales

__all__ = ["fan", "following", "refunding", "sales"]
