"""What creators earned, as the ledger says: nothing here is counted in another way."""
