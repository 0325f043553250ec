"""The modules of all resources. Importing them registers their routes and jobs."""

from devstack.stripe import (
    balance,
    charges,
    customers,
    disputes,
    events,
    payment_intents,
    payment_methods,
    refunds,
    webhooks,
)

ALL = (
    balance,
    charges,
    customers,
    disputes,
    events,
    payment_intents,
    payment_methods,
    refunds,
    webhooks,
)
