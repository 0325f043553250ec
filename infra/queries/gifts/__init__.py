"""Gifts: begun by the API, paid by their runs, and given with the payment."""
