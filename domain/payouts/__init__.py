"""Paying creators out: how a payout goes, who may have one, how much of it, and who looks first."""
