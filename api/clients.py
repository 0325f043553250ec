"""Where a request comes from, as far as what stands in between can be believed."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

from infra.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_ip(request: HTTPConnection, settings: Settings) -> str:
    """The address of the client, in its canonical form; empty where the server knows none.

    `X-Forwarded-For` is read from the right, and only as long as each hop is one of
    `TRUSTED_PROXIES`: the first address that isn't is the client's. What a client wrote into
    the header itself stands further left and is never reached.
    """
    peer = _address(request.client.host) if request.client is not None else None
    if peer is None:
        return ""
    trusted = _networks(settings.trusted_proxies)
    if trusted and _is_in(peer, trusted):
        peer = _first_untrusted(peer, request.headers.getlist("x-forwarded-for"), trusted)
    return str(peer)


def _first_untrusted(peer: Address, headers: list[str], trusted: tuple[Network, ...]) -> Address:
    for hop in reversed(",".join(headers).split(",")):
        address = _address(hop.strip())
        if address is None:
            return peer  # Not what a proxy writes: the last hop that is known has to do.
        peer = address
        if not _is_in(peer, trusted):
            return peer
    return peer


def _address(text: str) -> Address | None:
    """An IPv4 address in IPv6 form is the same client."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


@lru_cache(maxsize=8)
def _networks(proxies: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(proxy, strict=False) for proxy in proxies)
