"""A world of fans, creators and cards: the real workflows and activities, and a local Stripe."""
