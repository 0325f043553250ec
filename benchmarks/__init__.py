"""Ratios of two things run in turn on the same machine. See `python -m benchmarks --help`."""
