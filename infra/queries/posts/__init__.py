"""Posts: their lists, their comments, and what is written to them."""
