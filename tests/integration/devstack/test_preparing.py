"""The stack prepares what it has started under the settings that its user gives."""

from __future__ import annotations

from devstack.stack import Stack, settings_from
from infra.storage.connection import make_client, make_session

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
    settings = settings_from(stack_environment)
    client = make_client(make_session(settings), settings, endpoint=settings.s3_endpoint)
    rules = client.get_bucket_cors(Bucket="site-quarantine")["CORSRules"]
    client.close()
    assert [rule["AllowedOrigins"] for rule in rules] == [[SITE]]
