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
    """Accept `name=value,name=value` where the environment holds a mapping."""
    if isinstance(value, str):
        return dict(part.strip().split("=", 1) for part in value.split(",") if "=" in part)
    return value


def _check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        ip_network(network, strict=False)
    return networks


StrList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]
SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_list)]
IntList = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split_list)]
NetworkList = Annotated[StrList, AfterValidator(_check_networks)]
NamedSecrets = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_split_named)]
