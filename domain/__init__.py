"""Pure rules: no clock, no I/O, nothing outside the standard library."""
