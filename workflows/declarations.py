"""How workflows name side effects without importing them.

A stub declares an activity: its name, its one input, its one output, its promise. The
implementation in `activities/` is bound to the stub with `implements`, which refuses, when
the module is imported, a binding whose signature has drifted from the stub's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, get_type_hints

from temporalio import activity

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class SignatureDrift(TypeError):
    """An implementation takes or returns something else than its declaration promises."""


def declare(stub: Callable[P, R]) -> Callable[P, R]:
    """Turn a documented stub into an activity that workflows can call by reference."""
    if not stub.__doc__:
        raise TypeError(f"the declaration {stub.__qualname__} needs a docstring")
    return activity.defn(name=stub.__name__)(stub)


def implements(stub: Callable[..., Any]) -> Callable[[F], F]:
    """Bind a method of an activity class to its stub.

    Raises:
        SignatureDrift: at import, when inputs or output differ.
    """

    def bind(implementation: F) -> F:
        promised, given = _shape(stub), _shape(implementation)
        if promised != given:
            raise SignatureDrift(
                f"{implementation.__qualname__} is {given}, "
                f"but {stub.__qualname__} promises {promised}"
            )
        return activity.defn(name=stub.__name__)(implementation)

    return bind


def _shape(function: Callable[..., Any]) -> tuple[tuple[Any, ...], Any]:
    hints = get_type_hints(function)
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    return tuple(hints[name] for name in names), hints.get("return")
