"""Messages: sent, listed, deleted. What of them is shown goes through the access module."""
