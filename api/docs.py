"""`/docs`: the OpenAPI document as a page.

One file of our own and not Swagger UI: that loads its script from another host, which neither
works offline nor under the headers that this API answers with.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

_PAGE = Path(__file__).with_name("docs.html").read_text(encoding="utf-8")


def _hash_of(tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", _PAGE, re.DOTALL)
    assert found is not None, f"docs.html has one <{tag}>"
    digest = hashlib.sha256(found.group(1).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


_POLICY = (
    f"default-src 'none'; script-src {_hash_of('script')}; style-src {_hash_of('style')}; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def docs() -> Response:
    return HTMLResponse(
        _PAGE,
        headers={"content-security-policy": _POLICY, "cache-control": "no-cache"},
    )
