"""Publishing posts when their time has come."""
