"""The HTTP front: routes, schemas, authentication, problem details."""

from __future__ import annotations

API_PREFIX = "/api/v1"
"""Stands in each router's own prefix, so that a route knows its whole template."""
