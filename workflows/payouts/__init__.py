"""Paying creators out, and the accounts at Stripe that they are paid to."""
