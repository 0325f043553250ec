"""Peers run at the priority of our decoders' children, or a busy machine would favour them."""

from __future__ import annotations

from infra.sandbox import Limits

AS_OUR_CHILDREN = ("nice", "-n", str(Limits.nice))
"""Put before a peer's command."""
