"""Sending mails under faults, by real workers."""
