"""What creators sell: their tiers, bundles and promo codes, and what those cost a fan."""
