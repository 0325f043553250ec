"""What workflows of all money slices say and hear about a charge."""
