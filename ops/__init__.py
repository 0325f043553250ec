"""What operators run beside the platform: tools over its database and its runs."""
