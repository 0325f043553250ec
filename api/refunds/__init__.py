"""Refunds: of one's own sales, of one's own payments, and by staff."""
