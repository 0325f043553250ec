"""Parts of the API that need nothing but themselves."""
