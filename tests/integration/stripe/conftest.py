from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from devstack.stripe import LocalStripe
from devstack.stripe.inprocess import InProcessClient
from infra.ids import new_id
from infra.settings import Settings
from infra.stripe import StripeGateway
from tests.integration.stripe.canned import NOW, CannedStripe

MakeGateway = Callable[[CannedStripe], StripeGateway]


@pytest.fixture
def make_gateway(settings: Settings, engine: Engine) -> MakeGateway:
    keyed = settings.model_copy(update={"stripe_secret_key": SecretStr("sk_test_canned")})
    return lambda canned: StripeGateway(keyed, engine, http_client=canned)


@pytest.fixture
def local() -> LocalStripe:
    return LocalStripe(now=int(NOW.timestamp()), seed=new_id())


@pytest.fixture
def keyed(settings: Settings) -> Settings:
    return settings.model_copy(update={"stripe_secret_key": SecretStr("sk_test_local")})


@pytest.fixture
def gateway(local: LocalStripe, keyed: Settings, engine: Engine) -> StripeGateway:
    return StripeGateway(keyed, engine, http_client=InProcessClient(local))


@pytest.fixture
def fan(gateway: StripeGateway) -> str:
    fan_id = new_id()
    return gateway.create_customer(key=f"customer:{fan_id}", op_id=fan_id, at=NOW).id
