from __future__ import annotations

from uuid import UUID

from infra.ids import ids_drawn_by, new_id


def test_new_ids_are_uuids_of_version_7_in_the_order_of_their_making() -> None:
    first, second = new_id(), new_id()
    assert UUID(first).version == 7
    assert first[:8] <= second[:8]
    assert first != second


def test_somebody_else_may_draw_them_for_a_while() -> None:
    with ids_drawn_by(iter(("a", "b")).__next__):
        assert [new_id(), new_id()] == ["a", "b"]
    assert UUID(new_id()).version == 7
