"""Posts over HTTP: writing, timing, reading, and what people do with them."""
