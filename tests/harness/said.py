"""What the OpenAPI document says of answers, to hold every answer of a test against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from api.contract.document import operations_of

_PARAMETER = re.compile(r"\\\{\w+\\\}")


@dataclass(frozen=True)
class _Operation:
    method: str
    path: re.Pattern[str]
    name: str
    statuses: frozenset[str]


class Said:
    """Which statuses each operation may answer with. `default`, which says all, does not count."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._operations = [
            _Operation(
                method.upper(),
                re.compile(_PARAMETER.sub("[^/]+", re.escape(path))),
                operation["operationId"],
                frozenset(operation["responses"]) - {"default"},
            )
            for path, method, operation in operations_of(document)
        ]

    def check(self, answer: httpx.Response) -> None:
        """As a hook of a client. What is no operation is not asked about."""
        request = answer.request
        fitting = [
            operation
            for operation in self._operations
            if operation.method == request.method and operation.path.fullmatch(request.url.path)
        ]
        if fitting:
            # `/media/{id}` fits what `/media/me` does, too; routes decide which of them it is.
            said = frozenset[str]().union(*(operation.statuses for operation in fitting))
            names = " or ".join(operation.name for operation in fitting)
            status = str(answer.status_code)
            assert status in said, f"{status} of {names} is not in the document"
