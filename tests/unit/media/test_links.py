"""Playback tickets."""

from __future__ import annotations

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import AccessDenied
from domain.media.links import Ticket, TicketUse, open_ticket, seal_ticket

KEY = b"k" * 32
MEDIA = "01890000-0000-7000-8000-000000000001"
OTHER = "01890000-0000-7000-8000-000000000002"
VIEWER = "01890000-0000-7000-8000-0000000000aa"
NOW = 1_800_000_000
SESSION = "01890000-0000-7000-8000-0000000000bb"
TICKET = Ticket(MEDIA, 3, VIEWER, TicketUse.START, NOW + 600, SESSION)

uuids = st.uuids(version=4).map(str)


@given(
    media_id=uuids,
    generation=st.integers(1, 2**32 - 1),
    viewer_id=st.none() | uuids,
    session_id=st.none() | uuids,
    use=st.sampled_from(TicketUse),
    life=st.integers(1, 10**6),
)
def test_a_ticket_reads_back_as_it_was_sealed(
    media_id: str,
    generation: int,
    viewer_id: str | None,
    session_id: str | None,
    use: TicketUse,
    life: int,
) -> None:
    ticket = Ticket(media_id, generation, viewer_id, use, NOW + life, session_id)
    text = seal_ticket(ticket, key=KEY)
    assert open_ticket(text, key=KEY, media_id=media_id, now=NOW) == ticket
    assert uuid.UUID(media_id).hex not in text


@given(place=st.integers(0, 200), digit=st.sampled_from("ABCXYZabcxyz0189-_"))
def test_no_changed_digit_is_let_through(place: int, digit: str) -> None:
    text = seal_ticket(TICKET, key=KEY)
    place %= len(text)
    changed = text[:place] + digit + text[place + 1 :]
    if changed == text:
        return
    with pytest.raises(AccessDenied) as caught:
        open_ticket(changed, key=KEY, media_id=MEDIA, now=NOW)
    assert caught.value.code == "playback_token_invalid"


@given(st.text(max_size=120))
def test_no_invented_text_is_let_through(text: str) -> None:
    with pytest.raises(AccessDenied):
        open_ticket(text, key=KEY, media_id=MEDIA, now=NOW)


def test_a_ticket_is_for_one_media_and_one_key() -> None:
    text = seal_ticket(TICKET, key=KEY)
    with pytest.raises(AccessDenied):
        open_ticket(text, key=KEY, media_id=OTHER, now=NOW)
    with pytest.raises(AccessDenied):
        open_ticket(text, key=b"x" * 32, media_id=MEDIA, now=NOW)


def test_a_ticket_ends_at_its_second() -> None:
    text = seal_ticket(TICKET, key=KEY)
    assert open_ticket(text, key=KEY, media_id=MEDIA, now=NOW + 599) == TICKET
    with pytest.raises(AccessDenied) as caught:
        open_ticket(text, key=KEY, media_id=MEDIA, now=NOW + 600)
    assert caught.value.code == "playback_token_expired"


def test_a_cut_or_lengthened_ticket_is_refused() -> None:
    raw = base64.urlsafe_b64decode(seal_ticket(TICKET, key=KEY) + "=")
    for other in (raw[:-1], raw + b"\0", b""):
        text = base64.urlsafe_b64encode(other).decode().rstrip("=")
        with pytest.raises(AccessDenied):
            open_ticket(text, key=KEY, media_id=MEDIA, now=NOW)
