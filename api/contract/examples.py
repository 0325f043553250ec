"""Examples of request bodies, made from what the schemas say of their fields."""

from __future__ import annotations

from typing import Any

from api.schemas import EXAMPLE_ID

Json = dict[str, Any]
_BY_FORMAT = {
    "uuid": EXAMPLE_ID,
    "email": "ada@example.com",
    "date-time": "2030-01-31T18:00:00Z",
    "password": "a long sentence that only you know",
}


class NoExample(ValueError):
    """A field says neither what it may hold nor gives an example."""


def example_of(schema: Json, schemas: Json, *, where: str = "body") -> Any:
    """What a client might send: the schema's own example, else one made of its fields'.

    Of fields that may be left out those with an example are in it.

    Raises:
        NoExample: a field needs one of its own.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example_of(schemas[name], schemas, where=name)
    if schema.get("examples"):
        return schema["examples"][0]
    for choice in ("const", "enum"):
        if choice in schema:
            return schema[choice] if choice == "const" else schema[choice][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            [first, *_] = [each for each in schema[several] if each.get("type") != "null"]
            return example_of(first, schemas, where=where)
    return _by_type(schema, schemas, where=where)


def _by_type(schema: Json, schemas: Json, *, where: str) -> Any:
    match schema.get("type"):
        case "object":
            return _object(schema, schemas, where=where)
        case "array":
            return [example_of(schema["items"], schemas, where=where)]
        case "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return schema.get("default", True)
        case "string" if schema.get("format") in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
    raise NoExample(f"{where} has no example")


def _object(schema: Json, schemas: Json, *, where: str) -> Json:
    required = schema.get("required", [])
    found = {}
    for name, field in schema.get("properties", {}).items():
        if name in required or field.get("examples"):
            found[name] = example_of(field, schemas, where=f"{where}.{name}")
    return found
