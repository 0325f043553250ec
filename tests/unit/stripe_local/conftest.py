"""A local Stripe for each test, and the real client of the `stripe` package on it."""

from __future__ import annotations

import pytest
import stripe

from devstack.stripe import LocalStripe
from devstack.stripe.inprocess import client_of

NOW = 1_790_000_000


@pytest.fixture
def local() -> LocalStripe:
    return LocalStripe(now=NOW, seed="tests")


@pytest.fixture
def client(local: LocalStripe) -> stripe.StripeClient:
    return client_of(local)
