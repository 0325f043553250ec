"""One of Stripe's JSON objects, read field by field and strictly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from domain.errors import StepBlocked

Json = dict[str, Any]
T = TypeVar("T")


class Fields:
    """One of Stripe's objects, field by field."""

    def __init__(self, data: object, where: str = "answer") -> None:
        if not isinstance(data, dict):
            raise _unreadable(where, "an object", data)
        self._data: Json = data
        self.where = where

    def text(self, name: str) -> str:
        return self._need(name, str)

    def text_or_none(self, name: str) -> str | None:
        return self._may(name, str)

    def number(self, name: str) -> int:
        return self._need(name, int)

    def number_or_none(self, name: str) -> int | None:
        return self._may(name, int)

    def flag(self, name: str) -> bool:
        return self._need(name, bool)

    def moment(self, name: str) -> datetime:
        """Stripe's times are whole seconds since 1970."""
        return datetime.fromtimestamp(self.number(name), UTC)

    def moment_or_none(self, name: str) -> datetime | None:
        return self.moment(name) if self._data.get(name) is not None else None

    def currency(self, name: str = "currency") -> str:
        return self.text(name).upper()

    def id_of(self, name: str) -> str:
        found = self.id_or_none(name)
        if found is None:
            raise _unreadable(f"{self.where}.{name}", "an id", None)
        return found

    def id_or_none(self, name: str) -> str | None:
        """Of a field that holds an id, or the whole object where it was expanded."""
        value = self._data.get(name)
        if isinstance(value, dict):
            return self.inside(name).text("id")
        return self._may(name, str)

    def inside(self, name: str) -> Fields:
        return Fields(self._data.get(name), f"{self.where}.{name}")

    def inside_or_none(self, name: str) -> Fields | None:
        return self.inside(name) if self._data.get(name) is not None else None

    def expanded(self, name: str) -> Fields | None:
        """None where it is not expanded, or not there."""
        return self.inside(name) if isinstance(self._data.get(name), dict) else None

    def items(self, name: str) -> list[object]:
        return self._need(name, list)

    def metadata(self) -> dict[str, str]:
        held = self._data.get("metadata")
        if held is None:
            return {}
        return {str(name): str(value) for name, value in Fields(held, "metadata").whole.items()}

    @property
    def whole(self) -> Json:
        return self._data

    def _need(self, name: str, kind: type[T]) -> T:
        value = self._may(name, kind)
        if value is None:
            raise _unreadable(f"{self.where}.{name}", kind.__name__, None)
        return value

    def _may(self, name: str, kind: type[T]) -> T | None:
        value = self._data.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _unreadable(f"{self.where}.{name}", kind.__name__, value)
        return value


def _unreadable(where: str, wanted: str, value: object) -> StepBlocked:
    """Names the type of what came and not the value, which may be a person's."""
    return StepBlocked(
        f"Stripe's answer has no {wanted} at {where}.",
        code="stripe_answer_unreadable",
        field=where,
        came=type(value).__name__,
    )
