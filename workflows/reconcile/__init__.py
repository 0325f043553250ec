"""Holding the ledger against Stripe's books."""
