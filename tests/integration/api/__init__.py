"""What the API asks the database, and the commands beside it."""
