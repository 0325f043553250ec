"""Events of Stripe's: telling their owners, and finding those that never came."""
