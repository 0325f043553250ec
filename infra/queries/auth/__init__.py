"""Rows of signing in: accounts, sessions, factors, and the mails that carry proofs.

Every function runs inside the caller's transaction and commits nothing.
"""
