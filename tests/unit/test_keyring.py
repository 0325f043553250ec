"""Wrapping the keys of media."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from infra.keyring import KeyRing, UnknownMasterKey, WrappedKeyDamaged


def _key(fill: int) -> SecretStr:
    return SecretStr(base64.b64encode(bytes([fill]) * 32).decode())


def test_what_is_wrapped_is_not_readable_and_unwraps_to_itself() -> None:
    ring = KeyRing({"2026": _key(1)})
    key_id, blob = ring.wrap(b"k" * 16)
    assert key_id == "2026"
    assert b"kkkk" not in blob
    assert ring.unwrap(key_id, blob) == b"k" * 16


def test_wrapping_twice_gives_two_blobs() -> None:
    ring = KeyRing({"2026": _key(1)})
    assert ring.wrap(b"k" * 16) != ring.wrap(b"k" * 16)


def test_after_rotation_the_new_key_wraps_and_the_old_one_still_unwraps() -> None:
    key_id, blob = KeyRing({"old": _key(1)}).wrap(b"k" * 16)
    rotated = KeyRing({"new": _key(2), "old": _key(1)})
    assert rotated.wrap(b"x")[0] == "new"
    assert rotated.unwrap(key_id, blob) == b"k" * 16


def test_a_dropped_master_key_is_named() -> None:
    key_id, blob = KeyRing({"old": _key(1)}).wrap(b"k" * 16)
    with pytest.raises(UnknownMasterKey, match="'old'"):
        KeyRing({"new": _key(2)}).unwrap(key_id, blob)


@pytest.mark.parametrize("place", [0, 12, -1])
def test_a_damaged_blob_does_not_open(place: int) -> None:
    ring = KeyRing({"2026": _key(1)})
    key_id, blob = ring.wrap(b"k" * 16)
    damaged = bytearray(blob)
    damaged[place] ^= 1
    with pytest.raises(WrappedKeyDamaged):
        ring.unwrap(key_id, bytes(damaged))


def test_a_blob_does_not_open_under_another_key_id() -> None:
    ring = KeyRing({"a": _key(1), "b": _key(1)})
    _, blob = ring.wrap(b"k" * 16)
    with pytest.raises(WrappedKeyDamaged):
        ring.unwrap("b", blob)
