"""What creators sell, as it is written, listed, quoted and redeemed."""
