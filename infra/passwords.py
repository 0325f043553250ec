"""Passwords: how hard they are to guess, and their argon2id hashes (RFC 9106).

Hashing is made to be slow, so it runs in threads of its own and never on the event loop. The
threads are few, and so are those who may wait for one: past that, who signs in is told to come
back, instead of everybody waiting for minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from prometheus_client import Histogram
from zxcvbn import zxcvbn

from domain.auth import check_password_form, normal_password
from domain.errors import Invalid, Unavailable
from infra.settings import Settings

GUESSES_MIN = 10**9
"""At the least cost of one hash, about a year of one core."""
ESTIMATED_CHARACTERS = 24
"""Longer passwords are estimated in pieces: the time grows with more than the square, and one of
72 signs that could stand for letters takes most of a second."""
WAITING_PER_THREAD_MAX = 32
"""About a second of waiting."""
_PLATFORM_WORDS = ("fansworld",)
_RETRY_LATER = "Too many people are signing in right now. Try again in a moment."

Result = TypeVar("Result")

hash_seconds = Histogram(
    "fansworld_password_seconds",
    "Time in a password thread: `hash` a new one, `verify` one, `estimate` how hard it is.",
    ["work"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)


@dataclass(frozen=True, slots=True)
class Verified:
    matches: bool
    is_outdated: bool
    """It matches, and was made with less effort than is asked for now: hash it again."""


class Passwords:
    """Checks, hashes and verifies. Every method raises `Unavailable` (`busy`) when full."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.password_hash_rounds,
            memory_cost=settings.password_hash_memory_kib,
            parallelism=1,
        )
        # Verified where there is no account, so that it takes as long as where there is one.
        self._nobodys_hash = self._hasher.hash("of nobody")
        threads = settings.password_hash_threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._places_free = threads * (1 + WAITING_PER_THREAD_MAX)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash_new(self, password: str, *, own_words: Sequence[str]) -> str:
        """The hash of a password that somebody chose, in PHC form.

        Raises:
            Invalid: `password_too_short`, `password_too_long`, `password_personal` or
                `password_common`.
        """
        normal = normal_password(password)
        check_password_form(normal, own_words=own_words)
        guesses = await self._run("estimate", lambda: _guesses(normal, own_words))
        if guesses < GUESSES_MIN:
            raise Invalid(
                "This password is among the first that would be guessed. "
                "Several words that don't belong together make a good one.",
                code="password_common",
            )
        return await self._run("hash", lambda: self._hasher.hash(normal))

    async def rehash(self, password: str) -> str:
        """The hash of a password that was verified just now, with today's effort."""
        return await self._run("hash", lambda: self._hasher.hash(normal_password(password)))

    async def verify(self, stored: str | None, password: str) -> Verified:
        """Is this the password? Takes as long where nothing is stored, and says no."""
        matches = await self._run(
            "verify", lambda: self._matches(stored or self._nobodys_hash, password)
        )
        if not matches or stored is None:
            return Verified(False, False)
        return Verified(True, self._hasher.check_needs_rehash(stored))

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, normal_password(password))
        except VerifyMismatchError:
            return False

    async def _run(self, work: str, call: Callable[[], Result]) -> Result:
        if self._places_free <= 0:
            raise Unavailable(_RETRY_LATER, code="busy")
        self._places_free -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, hash_seconds.labels(work).time()(call)
            )
        finally:
            self._places_free += 1


def _guesses(password: str, own_words: Sequence[str]) -> int:
    """At least how many, by zxcvbn (USENIX Security 2016): lists of leaked passwords, words and
    names, keyboard walks, dates, repeats and sequences, and what people do to them.

    A password is at least as hard to guess as any piece of it. Not as all of them together:
    they may be the same.
    """
    hardest = 0
    for start in range(0, len(password), ESTIMATED_CHARACTERS):
        piece = password[start : start + ESTIMATED_CHARACTERS]
        estimate = zxcvbn(piece, user_inputs=[*own_words, *_PLATFORM_WORDS])
        hardest = max(hardest, int(estimate["guesses"]))
        if hardest >= GUESSES_MIN:
            break
    return hardest
