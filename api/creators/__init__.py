"""Creators: their profiles, who follows them, how one becomes one, and what they set."""
