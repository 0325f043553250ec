"""Who asks: tokens, sessions, and the ways of signing in."""
