"""What creators earned, and what is told of it each year."""
