"""Messages between creators and fans."""
