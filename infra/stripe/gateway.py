"""StripeGateway: everything that the platform asks Stripe.

Orders, which change something, take three keywords that questions don't:

    key     `{subject kind}:{subject id}:{step}:{generation}`, such as `tip:42:charge:1`: one key,
            one order, for ever (`domain/stripe_calls.py` says how it is repeated)
    op_id   id of the row that it is for; goes into `metadata.op_id`, by which an object is found
            again whose answer was lost, and by which its events find their owner
    at      now, by whoever gives the order; no method reads a clock

An order that is repeated has to be the same in every parameter. All methods block; they are for
activities, and for threads of the API.

Errors are those of `failures.py`: Unavailable (nothing was done), OutcomeUnknown (perhaps it
was), both to be tried again with the same order; StepBlocked for a person; NotFound of questions
about one object. A card that is declined is no error.
"""

from __future__ import annotations

import stripe
from sqlalchemy import Engine

from infra.settings import Settings
from infra.stripe.books import Books
from infra.stripe.calls import StripeCalls
from infra.stripe.cards import Cards
from infra.stripe.connect import Connect
from infra.stripe.payments import Payments
from infra.stripe.tax import Tax


class StripeGateway(Cards, Payments, Connect, Books, Tax):
    """One for each process; safe to use from several threads.

    Args:
        engine: for the journal of orders, which has transactions of its own.
        http_client: instead of the package's own, which waits `STRIPE_TIMEOUT_SECONDS`.
    """

    def __init__(
        self, settings: Settings, engine: Engine, *, http_client: stripe.HTTPClient | None = None
    ) -> None:
        self._calls = StripeCalls(settings, engine, http_client=http_client)

    def close(self) -> None:
        self._calls.close()
