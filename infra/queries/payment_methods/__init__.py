"""Who fans are to Stripe, and their cards."""

from infra.queries.payment_methods.cards import (
    card_query,
    country_of,
    customer_of,
    default_card,
    own_card,
)

__all__ = ["card_query", "country_of", "customer_of", "default_card", "own_card"]
