from __future__ import annotations

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from temporalio.client import Client

from activities.reconcile import ReconcileActivities
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.refunds import fan, following, refunding, sales

__all__ = ["fan", "following", "refunding", "sales"]


@pytest.fixture
def reconciling(
    settings: Settings, engine: Engine, gateway: StripeGateway, temporal_client: Client
) -> ReconcileActivities:
    selling = settings.model_copy(update={"stripe_secret_key": SecretStr("sk_test_local")})
    return ReconcileActivities(selling, engine, gateway, temporal_client)
