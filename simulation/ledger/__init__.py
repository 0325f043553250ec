"""A world of postings alone: every event that a ledger hears of, in any order, twice, cut short."""
