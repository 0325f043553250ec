"""Cards that fans pay with."""
