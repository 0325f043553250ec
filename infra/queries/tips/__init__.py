"""Tips: begun by the API, brought to an end by their runs."""
