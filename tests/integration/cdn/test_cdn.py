"""The purge hook, against servers that take, refuse, redirect or never answer."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from domain.errors import StepBlocked, Unavailable
from infra.cdn import PATHS_PER_CALL, Cdn, cdn_token, cdn_url, purge_signature
from infra.settings import Settings
from tests.harness.purge_hook import PurgeHook

KEY = b"k" * 32


@pytest.fixture
def plain_settings() -> Settings:
    """Enough for a CDN: no other part is asked."""
    return Settings.model_construct(
        cdn_base_url="https://cdn.example.com/media",
        cdn_purge_url=None,
        cdn_signing_key=SecretStr(base64.b64encode(KEY).decode()),
    )


def cdn_with(settings: Settings, hook: PurgeHook) -> Cdn:
    return Cdn(settings.model_copy(update={"cdn_purge_url": hook.address}))


def test_a_purge_names_every_path_once_and_is_signed(plain_settings: Settings) -> None:
    with PurgeHook().running() as hook:
        count = cdn_with(plain_settings, hook).purge(["m/1/2/a.webp", "m/1/2/ü/", "m/1/2/a.webp"])
    ((headers, body),) = hook.calls
    assert count == 2
    assert json.loads(body) == {"paths": ["/media/m/1/2/%C3%BC/", "/media/m/1/2/a.webp"]}
    timestamp = int(headers["X-Fansworld-Timestamp"])
    assert abs(timestamp - datetime.now(UTC).timestamp()) < 60
    assert headers["X-Fansworld-Signature"] == purge_signature(body, timestamp, signing_key=KEY)
    assert purge_signature(body, timestamp + 1, signing_key=KEY) not in headers.values()


def test_many_paths_go_in_several_calls(plain_settings: Settings) -> None:
    keys = [f"m/{at}" for at in range(PATHS_PER_CALL * 2 + 1)]
    with PurgeHook().running() as hook:
        assert cdn_with(plain_settings, hook).purge(keys) == len(keys)
    named = [path for _, body in hook.calls for path in json.loads(body)["paths"]]
    assert len(hook.calls) == 3
    assert sorted(named) == sorted(f"/media/{key}" for key in keys)


def test_without_a_hook_nothing_is_purged(plain_settings: Settings) -> None:
    assert Cdn(plain_settings).purge(["m/1"]) == 0


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_hook_in_trouble_may_be_tried_again(plain_settings: Settings, status: int) -> None:
    with PurgeHook(status).running() as hook, pytest.raises(Unavailable) as failure:
        cdn_with(plain_settings, hook).purge(["m/1"])
    assert failure.value.code == "cdn_unavailable"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404])
def test_a_hook_that_refuses_needs_an_operator(plain_settings: Settings, status: int) -> None:
    with PurgeHook(status).running() as hook, pytest.raises(StepBlocked) as failure:
        cdn_with(plain_settings, hook).purge(["m/1"])
    assert failure.value.code == "cdn_purge_refused"
    assert failure.value.facts["status"] == status
    assert len(hook.calls) == 1


def test_a_hook_that_is_not_there_is_unavailable(plain_settings: Settings) -> None:
    gone = plain_settings.model_copy(update={"cdn_purge_url": "http://127.0.0.1:9/purge"})
    with pytest.raises(Unavailable):
        Cdn(gone).purge(["m/1"])


def test_a_token_holds_for_one_path_and_one_time() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    url = cdn_url("https://cdn.example.com", "m/1/a b.webp", signing_key=KEY, expires_at=at)
    token = cdn_token("/m/1/a%20b.webp", 1777593600, signing_key=KEY)
    assert url == f"https://cdn.example.com/m/1/a%20b.webp?expires=1777593600&token={token}"
    others = {
        cdn_token("/m/1/other.webp", 1777593600, signing_key=KEY),
        cdn_token("/m/1/a%20b.webp", 1777593601, signing_key=KEY),
        cdn_token("/m/1/a%20b.webp", 1777593600, signing_key=b"l" * 32),
    }
    assert token not in others
    assert len(others) == 3
