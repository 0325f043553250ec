"""Subscriptions over HTTP: beginning, changing and ending them, and who subscribes to one."""
