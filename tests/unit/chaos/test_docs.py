from __future__ import annotations

from chaos import afterwards
from chaos.faults import FAULTS
from tests.harness.pages import OPERATIONS


def test_every_fault_is_told_of_with_how_long_recovery_took() -> None:
    assert set(OPERATIONS.table("fault")) == {*FAULTS, afterwards.NAME}
