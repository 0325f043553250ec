"""What happens to accounts by itself."""
