"""How an environment variable's text becomes a list, a network or a ring of keys."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode


def _split_list(value: object) -> object:
    """Accept `a,b,c` where the environment holds a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _split_named(value: object) -> object:
    """Accept `name=value,name=value` where the environment holds a mapping.

    Raises:
        ValueError: an entry has no name, or the name of another one. Values are secrets, so it is
            told by its place.
    """
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for place, part in enumerate(filter(None, map(str.strip, value.split(","))), start=1):
        name, equals, secret = part.partition("=")
        if not (name and equals):
            raise ValueError(f"entry {place} is not written as name=value")
        if name in found:
            raise ValueError(f"entry {place} has the name {name}, which another one has")
        found[name] = secret
    return found


def _check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        ip_network(network, strict=False)
    return networks


StrList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]
SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_list)]
IntList = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split_list)]
NetworkList = Annotated[StrList, AfterValidator(_check_networks)]
NamedSecrets = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_split_named)]
