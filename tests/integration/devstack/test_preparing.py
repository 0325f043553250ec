"""The stack prepares what it has started under the settings that its user gives."""

from __future__ import annotations

import httpx2 as httpx

from devstack.stack import Stack

SITE = "http://localhost:5173"


def test_a_site_that_is_named_may_put_files_into_the_buckets(
    stack: Stack, stack_environment: dict[str, str]
) -> None:
    given = {
        "CORS_ORIGINS": SITE,
        "DATABASE_URL": stack_environment["DATABASE_URL"],
        **{
            f"S3_BUCKET_{name.upper()}": f"site-{name}"
            for name in ("quarantine", "media", "public")
        },
    }
    Stack(stack.run_dir, environ=given).migrate()
    asked = {"origin": SITE, "access-control-request-method": "PUT"}
    answer = httpx.options(f"{stack.environment['S3_ENDPOINT']}/site-quarantine/a", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SITE
