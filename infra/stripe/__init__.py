"""Stripe, behind types of our own: the only place that imports its package.

    gateway.py    what may be asked of it: one method for each question and each order
    objects.py    what it answers, as frozen dataclasses
    calls.py      how an order is sent so that it counts once, with `journal.py`
    failures.py   what its errors mean for whoever asked
    parsing.py    its JSON, read strictly with `fields.py`
    webhooks.py   what it sends by itself

An operator whose business Stripe does not serve puts another processor behind the same methods
(docs/payments.md).
"""

from infra.stripe.gateway import StripeGateway

__all__ = ["StripeGateway"]
