"""A fault of Stripe's that no call has come by shows nothing, so it may not pass."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from chaos.faults import stripe
from chaos.faults.fault import NeverMet


@pytest.mark.parametrize(("families", "met"), [({"unlocks", "media"}, 3), ({"media"}, 0)])
async def test_a_fault_that_was_met_is_healed(
    monkeypatch: pytest.MonkeyPatch, families: set[str], met: int
) -> None:
    healing(monkeypatch, met)
    await stripe.passes(Mock(families=families))


async def test_one_that_nothing_met_where_money_moves_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    healing(monkeypatch, 0)
    with pytest.raises(NeverMet):
        await stripe.passes(Mock(families={"unlocks", "media"}))


def healing(monkeypatch: pytest.MonkeyPatch, met: int) -> None:
    def answered(*_: Any, **__: Any) -> dict[str, int]:
        return {"met": met}

    monkeypatch.setattr(stripe, "control", answered)
