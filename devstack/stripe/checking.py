"""A request's parameters against the types that the `stripe` package gives for them.

The package's parameter classes are made from Stripe's own specification. Form values are
strings, so that each is read as its parameter's type says; a name that the type does not know
is refused as Stripe refuses it.
"""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ForwardRef, Literal, NotRequired, Union, get_args, get_origin

from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import is_typeddict

from devstack.stripe.errors import Refused, malformed

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_NOT_PARAMETERS = frozenset(RequestOptions.__annotations__)
"""The client's options, which the package mixes with the parameters; they are headers."""


@dataclass(frozen=True)
class _Field:
    kind: Any
    required: bool


def checked(params: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, decoded from a form, in the types of `params`.

    Raises:
        Refused: 400 `parameter_unknown`, `parameter_missing` or an invalid value, with `param`.
    """
    return _mapping(params, values, path="")


@cache
def _fields(params: Any) -> dict[str, _Field]:
    module = vars(sys.modules[params.__module__])
    scope = {**vars(typing), **module, "UntypedStripeObject": UntypedStripeObject}
    takes_options = set(params.__annotations__) >= _NOT_PARAMETERS
    fields = {}
    for name, annotation in params.__annotations__.items():
        if takes_options and name in _NOT_PARAMETERS:
            continue
        kind = _resolved(annotation, scope)
        optional = get_origin(kind) is NotRequired
        fields[name] = _Field(get_args(kind)[0] if optional else kind, required=not optional)
    return {name: _Field(_deep(f.kind, scope), f.required) for name, f in fields.items()}


def _resolved(annotation: Any, scope: dict[str, Any]) -> Any:
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return eval(annotation, scope)  # The package's own annotations, never a request's text.
    return annotation


def _deep(annotation: Any, scope: dict[str, Any]) -> Any:
    """The type with every forward reference in it resolved."""
    kind = _resolved(annotation, scope)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal or not parts:
        return kind
    inner = tuple(_deep(part, scope) for part in parts)
    if origin in (Union, types.UnionType):
        return Union[inner]  # noqa: UP007  # Made at run time, of as many as there are.
    if origin is list:
        return types.GenericAlias(list, (inner[0],))
    return types.GenericAlias(dict, (str, inner[-1]))


def _mapping(params: Any, values: Any, *, path: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise malformed("Invalid object", param=path)
    fields = _fields(params)
    for name in values:
        if name not in fields:
            param = _join(path, name)
            raise malformed(
                f"Received unknown parameter: {param}", code="parameter_unknown", param=param
            )
    for name, field in fields.items():
        if field.required and name not in values:
            param = _join(path, name)
            raise malformed(
                f"Missing required param: {param}.", code="parameter_missing", param=param
            )
    return {
        name: _read(fields[name].kind, value, path=_join(path, name))
        for name, value in values.items()
    }


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _read(kind: Any, value: Any, *, path: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), value, path=path)
    if origin is Literal:
        if value in get_args(kind):
            return value
        choices = ", ".join(str(choice) for choice in get_args(kind))
        raise malformed(f"Invalid {path}: must be one of {choices}", param=path)
    if origin is list:
        return [
            _read(get_args(kind)[0], item, path=f"{path}[{position}]")
            for position, item in enumerate(_items(value, path))
        ]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise malformed("Invalid object", param=path)
        inner = get_args(kind)[1]
        return {name: _read(inner, item, path=_join(path, name)) for name, item in value.items()}
    if is_typeddict(kind):
        return _mapping(kind, value, path=path)
    return _leaf(kind, value, path=path)


def _items(value: Any, path: str) -> list[Any]:
    if not isinstance(value, Mapping) or not all(name.isdigit() for name in value):
        raise malformed("Invalid array", param=path)
    return [value[name] for name in sorted(value, key=int)]


def _one_of(kinds: tuple[Any, ...], value: Any, *, path: str) -> Any:
    """The first type that fits; mappings before leaves, and text only where all of it is free.

    The package writes `Literal[…] | str` for values that newer versions may add to; Stripe
    itself takes those that it knows.
    """
    named = [kind for kind in kinds if get_origin(kind) is Literal and get_args(kind) != ("",)]
    fault: Refused | None = None
    for kind in sorted((kind for kind in kinds if not (named and kind is str)), key=_looseness):
        try:
            return _read(kind, value, path=path)
        except Refused as error:
            # What names a parameter within says more than that the whole does not fit.
            if fault is None or error.error.get("param") != path:
                fault = error
    assert fault is not None
    raise fault


def _looseness(kind: Any) -> int:
    return 2 if kind is str else 1 if kind in (int, float, bool) else 0


def _leaf(kind: Any, value: Any, *, path: str) -> Any:
    if not isinstance(value, str):
        raise malformed("Invalid string" if kind is str else "Invalid value", param=path)
    if kind is bool:
        if value not in ("true", "false"):
            raise malformed(f"Invalid boolean: {value}", param=path)
        return value == "true"
    if kind is int:
        if not _INTEGER.fullmatch(value):
            raise malformed(
                f"Invalid integer: {value}", code="parameter_invalid_integer", param=path
            )
        return int(value)
    if kind is float:
        if not _NUMBER.fullmatch(value):
            raise malformed(f"Invalid decimal: {value}", param=path)
        return float(value)
    return value
