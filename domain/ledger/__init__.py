"""Rules of the ledger: its accounts, what each event posts, and the lots of what was earned."""
