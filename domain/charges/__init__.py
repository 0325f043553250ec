"""Charges: tries to take money, what becomes of them, and why cards decline."""
