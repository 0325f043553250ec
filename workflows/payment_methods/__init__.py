"""Setting cards up, and removing them."""
