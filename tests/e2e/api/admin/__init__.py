"""What staff do over HTTP."""
