from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from infra.settings import Settings
from infra.stripe import StripeGateway
from tests.integration.stripe.canned import CannedStripe

MakeGateway = Callable[[CannedStripe], StripeGateway]


@pytest.fixture
def make_gateway(settings: Settings, engine: Engine) -> MakeGateway:
    keyed = settings.model_copy(update={"stripe_secret_key": SecretStr("sk_test_canned")})
    return lambda canned: StripeGateway(keyed, engine, http_client=canned)
