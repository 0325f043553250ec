"""Every route × everybody: who gets what of a subject that is not theirs.

One module of rows a slice; a new slice adds its module to `SLICES`. A route of the application
without a row fails the walk.
"""

from __future__ import annotations

from typing import Any

from tests.e2e.api.walk import (
    admin,
    auth,
    buying,
    creators,
    earnings,
    factors,
    gifts,
    media,
    messages,
    payouts,
    posts,
    refunds,
    service,
    subscriptions,
    tiers,
    users,
)
from tests.e2e.api.walk.rows import Row

SLICES = (
    *(admin, auth, factors, media, posts, users, creators),
    *(buying, messages, payouts, earnings, refunds, tiers, subscriptions, gifts, service),
)
ROWS: list[Row[Any]] = [row for module in SLICES for row in module.ROWS]
OPERATIONS = sorted({row.operation for row in ROWS})
WITHOUT_OPERATION = service.WITHOUT_OPERATION
