"""Cursors of keyset pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.paging import Keyset, cursor_for, cursor_for_number, keyset_from, number_from


@given(st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), st.uuids())
def test_a_cursor_reads_back_to_the_microsecond(moment: datetime, row_id: object) -> None:
    keyset = Keyset(moment, str(row_id))
    assert keyset_from(cursor_for(keyset)) == keyset


@given(st.text(max_size=60))
def test_other_text_is_refused_or_reads_as_a_keyset(text: str) -> None:
    try:
        keyset = keyset_from(text)
    except Invalid as error:
        assert error.code == "cursor_invalid"
    else:
        assert keyset.created_at.tzinfo is UTC


@pytest.mark.parametrize("text", ["", "abc", "!!!!", "_" * 32, "A" * 33])
def test_what_no_list_gave_out_is_refused(text: str) -> None:
    for read in (keyset_from, number_from):
        with pytest.raises(Invalid, match="cursor"):
            read(text)


@given(st.integers(0, 2**63 - 1))
def test_a_cursor_of_a_number_reads_back(number: int) -> None:
    assert number_from(cursor_for_number(number)) == number


def test_a_number_that_postgres_can_not_take_is_refused() -> None:
    with pytest.raises(Invalid):
        number_from(cursor_for_number(2**63))
