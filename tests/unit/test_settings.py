from __future__ import annotations

import base64
import re
import shlex
from pathlib import Path

import pytest

from infra.settings import Settings, SettingsError, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
LINE = re.compile(r"(?P<off># )?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)")
KEY = base64.b64encode(bytes(32)).decode()
KEYS = {
    "PAYLOAD_KEYS": f"k1={KEY}",
    "MEDIA_MASTER_KEYS": f"k2={KEY},k1={KEY}",
    "ACCOUNT_MASTER_KEYS": f"a={KEY}",
    "TOKEN_PRIVATE_KEYS": f"a={KEY}",
    "URL_SIGNING_KEY": KEY,
}


def documented() -> dict[str, tuple[bool, str]]:
    """Name → whether the line is switched off, and its value."""
    found: dict[str, tuple[bool, str]] = {}
    for text in EXAMPLE.read_text().splitlines():
        if match := LINE.fullmatch(text):
            assert match["name"] not in found, f"{match['name']} stands there twice"
            found[match["name"]] = (match["off"] is not None, match["value"])
    return found


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The process's environment, with the keys and no other setting."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert documented().keys() == {name.upper() for name in Settings.model_fields}


def test_every_setting_is_explained() -> None:
    """By a sentence above it, or above the lines that it follows at once."""
    explained = False
    for text in EXAMPLE.read_text().splitlines():
        match = LINE.fullmatch(text)
        if not text or text.startswith("# ---"):
            explained = False
        elif match is None:
            explained = True
        elif match["name"] not in PLAIN:
            assert explained, f"nothing explains {match['name']}"


PLAIN = {"TEMPORAL_ADDRESS", "API_HOST", "API_PORT", "MODERATION_ENABLED"}
"""First of their paragraph, and plain from their names."""


def test_the_values_shown_are_the_defaults(environment: pytest.MonkeyPatch) -> None:
    defaults = load_settings()
    shown = {name: value for name, (off, value) in documented().items() if off and value}
    for name, value in shown.items():
        (as_a_shell_reads_it,) = shlex.split(value)
        environment.setenv(name, as_a_shell_reads_it)
    assert load_settings() == defaults


def test_an_empty_value_shown_stands_for_an_absent_or_empty_one() -> None:
    for name, (off, value) in documented().items():
        default = Settings.model_fields[name.lower()].get_default(call_default_factory=True)
        if off and not value:
            assert not default, f"{name} has the default {default!r}"


def test_only_the_keys_have_to_be_set() -> None:
    assert {name for name, (off, _) in documented().items() if not off} == KEYS.keys()


def test_the_example_holds_no_secret() -> None:
    secrets = [name for name in documented() if re.search(r"(^|_)(KEYS?|SECRET)(_|$)", name)]
    assert secrets
    assert {documented()[name][1] for name in secrets} == {""}


def test_lists_and_key_rings_are_read_from_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CORS_ORIGINS", "https://a.example, https://b.example")
    environment.setenv("IMAGE_WIDTHS", "100,200")
    settings = load_settings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.image_widths == (100, 200)
    assert list(settings.media_master_keys) == ["k2", "k1"], "the first one is the current one"


def test_an_empty_variable_counts_as_absent(environment: pytest.MonkeyPatch) -> None:
    """As compose files and copied examples have them."""
    for name in ("S3_ENDPOINT", "CDN_SIGNING_KEY", "API_PORT"):
        environment.setenv(name, "")
    settings = load_settings()
    assert settings.s3_endpoint is None
    assert settings.cdn_signing_key is None
    assert settings.api_port == 8000


def test_all_faults_are_listed_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_PORT", "70000")
    environment.setenv("LOG_FORMAT", "xml")
    environment.setenv("DATABASE_POOL_SIZE", "none")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    for name in ("API_PORT", "LOG_FORMAT", "DATABASE_POOL_SIZE"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("PAYLOAD_KEYS", "", "payload_keys: at least one key is needed"),
        ("MEDIA_MASTER_KEYS", "k1=c2hvcnQ=", "decodes to 5 bytes, 32 are needed"),
        ("PAYLOAD_KEYS", "c2VjcmV0", "PAYLOAD_KEYS: Value error, entry 1 is not written as"),
        ("CODEC_OPERATORS", "ada=one, ada=two", "entry 2 has the name ada, which another one has"),
        ("URL_SIGNING_KEY", "not base64!", "url_signing_key: is not base64"),
        ("URL_SIGNING_KEY", None, "url_signing_key: missing"),
        ("CDN_BASE_URL", "https://cdn.example", "cdn_signing_key: missing"),
    ],
)
def test_a_bad_key_is_named(
    environment: pytest.MonkeyPatch, name: str, value: str | None, fault: str
) -> None:
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    with pytest.raises(SettingsError, match=re.escape(fault)):
        load_settings()


@pytest.mark.parametrize(
    ("rp_id", "app_url", "origins"),
    [
        ("fansworld.example", "https://fansworld.example", ""),
        ("fansworld.example", "https://app.fansworld.example/", ""),
        ("fansworld.example", "http://localhost", "https://fansworld.example"),
        (
            "fansworld.example",
            "http://localhost",
            "https://fansworld.example,android:apk-key-hash:x",
        ),
        ("localhost", "http://localhost:3000", ""),
    ],
)
def test_passkeys_can_be_used_where_people_are(
    environment: pytest.MonkeyPatch, rp_id: str, app_url: str, origins: str
) -> None:
    environment.setenv("WEBAUTHN_RP_ID", rp_id)
    environment.setenv("APP_URL", app_url)
    environment.setenv("WEBAUTHN_ORIGINS", origins)
    assert not any(origin.endswith("/") for origin in load_settings().passkey_origins)


@pytest.mark.parametrize(
    ("rp_id", "origins"),
    [
        ("localhost", "https://fansworld.example"),
        ("fansworld.example", "https://evilfansworld.example"),
        ("app.fansworld.example", "https://fansworld.example"),
        ("fansworld.example", "https://fansworld.example/app"),
        ("fansworld.example", "https://fansworld.example,http://127.0.0.1:3000"),
    ],
)
def test_passkeys_that_no_browser_would_use_are_told_at_boot(
    environment: pytest.MonkeyPatch, rp_id: str, origins: str
) -> None:
    environment.setenv("WEBAUTHN_RP_ID", rp_id)
    environment.setenv("WEBAUTHN_ORIGINS", origins)
    with pytest.raises(SettingsError, match=f"passkeys of '{rp_id}' can't be used at"):
        load_settings()


def test_trusted_proxies_are_addresses_or_networks(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1")
    assert load_settings().trusted_proxies == ("10.0.0.0/8", "2001:db8::1")
    environment.setenv("TRUSTED_PROXIES", "loadbalancer.internal")
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        load_settings()


def test_secrets_are_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("S3_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in repr(load_settings())
    assert KEY not in repr(load_settings())
