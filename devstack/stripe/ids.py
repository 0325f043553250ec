"""Ids of Stripe's look, drawn from a seed and a count, so that a run can be repeated."""

from __future__ import annotations

import hashlib
import string

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LENGTHS = {"cus": 14, "acct": 16, "req": 14, "fingerprint": 16, "secret": 25}
_DEFAULT_LENGTH = 24


def token(seed: str, name: str, length: int) -> str:
    """`length` letters and digits that follow from `seed` and `name` alone."""
    number = int.from_bytes(hashlib.sha512(f"{seed}:{name}".encode()).digest(), "big")
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(letters)


def object_id(seed: str, prefix: str, count: int) -> str:
    """`pi_3…`: the `count`-th id of this seed."""
    length = _LENGTHS.get(prefix, _DEFAULT_LENGTH)
    body = token(seed, f"{prefix}:{count}", length)
    if length == _DEFAULT_LENGTH:
        body = ("3" if prefix in {"pi", "ch", "py"} else "1") + body[1:]
    return f"{prefix}_{body}"
