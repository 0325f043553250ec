"""Creators as others meet them, and on their way to become one."""
