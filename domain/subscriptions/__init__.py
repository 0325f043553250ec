"""Subscriptions: their states, periods and prices, and what happens when a card declines."""
