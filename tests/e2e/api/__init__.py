"""The API over HTTP on real parts."""
