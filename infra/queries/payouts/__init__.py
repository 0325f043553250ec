"""The only writer of payouts and of the accounts they go to. Each function runs inside the
caller's transaction.

Locks are taken in one order: the row of the creator's money, then the payout.
"""
