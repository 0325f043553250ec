"""Subscriptions: how they stand, what charges and people do to them, and who reads of them.

Every function runs inside the caller's transaction. Locks: the charge, the creator's money, then
the subscription. Who writes a row of `subscriptions` writes its event with it (`rows.note`).
"""
