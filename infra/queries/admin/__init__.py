"""What staff see of accounts and of the audit log, and what they do to accounts."""
