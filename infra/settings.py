"""Settings: the only reader of the environment. Read once, validated at boot, passed down.

Every field is documented in `.env.example`; a test holds the two together.
"""

from __future__ import annotations

import base64
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.key_faults import key_fault, passkey_faults, ring_faults
from infra.setting_types import IntList, NamedSecrets, NetworkList, SecretList, StrList

_RINGS = ("payload_keys", "media_master_keys", "account_master_keys", "token_private_keys")

MIB = 1024 * 1024
GIB = 1024 * MIB


class SettingsError(Exception):
    """Every fault of the configuration at once, one line each."""


class Settings(BaseSettings):
    """Where the parts are, which keys to use, and every limit."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    environment: Literal["development", "test", "production"] = "development"
    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "json"

    # --- outside parts -------------------------------------------------------------------
    database_url: str = "postgresql+psycopg://fansworld@localhost:5432/fansworld"
    database_pool_size: int = Field(default=8, ge=1)
    valkey_url: str = "redis://localhost:6379/0"
    postgres_tools_dir: str | None = None
    """Where pg_dump and pg_restore are, for backups; None: on PATH."""
    s3_endpoint: str | None = None
    s3_public_endpoint: str | None = None
    s3_region: str = "us-east-1"
    s3_access_key_id: str | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_bucket_quarantine: str = "fansworld-quarantine"
    s3_bucket_media: str = "fansworld-media"
    s3_bucket_public: str = "fansworld-public"
    s3_read_timeout_seconds: float = 60
    s3_connections_max: int = 32
    s3_read_threads: int = Field(default=4, ge=1)
    """Ranges that one large download fetches at a time."""
    s3_put_threads: int = Field(default=4, ge=1)
    """Small objects that one process writes at a time."""
    temporal_address: str = "localhost:7233"
    temporal_namespace: str = "default"
    temporal_api_key: SecretStr | None = None
    temporal_tls: bool = False
    temporal_ui_url: str | None = None
    task_queue_prefix: str = ""
    """Put before every task queue's name, so that deployments can share a namespace."""
    clamd_address: str = "localhost:3310"
    """`host:port`, or the path of a Unix socket."""
    ffmpeg_path: str = "ffmpeg"
    ffprobe_path: str = "ffprobe"

    # --- keys ----------------------------------------------------------------------------
    payload_keys: NamedSecrets = Field(default_factory=dict)
    """Temporal payload encryption: `id=base64(32 bytes)`, first one encrypts, all decrypt."""
    media_master_keys: NamedSecrets = Field(default_factory=dict)
    """Wrap the key of each media; same form."""
    account_master_keys: NamedSecrets = Field(default_factory=dict)
    """Wrap the TOTP secrets of accounts; same form."""
    token_private_keys: NamedSecrets = Field(default_factory=dict)
    """Ed25519 private keys (their 32 raw bytes), same form: the first one signs access tokens,
    all verify and are published as a JWK Set."""
    url_signing_key: SecretStr | None = None
    """base64 of 32 bytes; signs playlist and key URLs, and the links in mails."""
    cdn_signing_key: SecretStr | None = None
    """base64 of 32 bytes, shared with the CDN: signs its URLs and the calls of its purge
    hook. Needed where either CDN URL is set."""

    # --- API -----------------------------------------------------------------------------
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    api_drain_seconds: float = Field(default=0, ge=0)
    """How long a process that is told to stop goes on serving while it says that it is not ready,
    so that nobody sends to it any more when it stops listening."""
    api_public_url: str = "http://localhost:8000"
    api_body_bytes_max: int = MIB
    cors_origins: StrList = ()
    trusted_proxies: NetworkList = ()
    """Addresses or networks whose `X-Forwarded-For` is believed."""
    country_header: str | None = None
    """Set by the CDN in front: ISO 3166-1 alpha-2 of the client's country."""
    idempotency_ttl_seconds: int = Field(default=24 * 3600, ge=60)
    idempotency_lock_seconds: int = Field(default=60, ge=1)
    """A request with a key has four fifths of it; a process that dies holds the key so long."""
    rate_limit_api_per_minute: int = Field(default=100, ge=1)
    """Requests of one account, or of one address that is not signed in."""
    rate_limit_uploads_per_minute: int = Field(default=10, ge=1)
    rate_limit_auth_per_15_minutes: int = Field(default=5, ge=1)
    """Tries to sign in, of one address and of one account each."""

    # --- signing in ----------------------------------------------------------------------
    access_token_ttl_seconds: int = Field(default=600, ge=30)
    refresh_token_ttl_seconds: int = Field(default=30 * 24 * 3600, ge=600)
    """Of a session that is not used; each refresh begins it anew."""
    refresh_grace_seconds: int = Field(default=10, ge=0)
    """A refresh token that is used again within this time is a client's retry, no theft."""
    step_up_ttl_seconds: int = Field(default=600, ge=30)
    """How long a proof of identity counts for what needs a fresh one."""
    password_hash_memory_kib: int = Field(default=19 * 1024, ge=19 * 1024)
    password_hash_rounds: int = Field(default=2, ge=2)
    password_hash_threads: int = Field(default=2, ge=1)
    """Passwords that one process hashes at a time."""
    email_link_ttl_seconds: int = Field(default=24 * 3600, ge=300)
    reset_link_ttl_seconds: int = Field(default=3600, ge=300)
    unverified_account_days: int = Field(default=7, ge=1)
    """An account whose e-mail address is not verified by then is removed."""
    webauthn_rp_id: str = "localhost"
    """Domain that passkeys belong to."""
    webauthn_origins: StrList = ()
    """Origins that passkeys may be used from, such as `https://app.example` or, of an Android
    app, `android:apk-key-hash:…`; empty: `app_url`."""

    # --- mail ----------------------------------------------------------------------------
    app_url: str = "http://localhost:3000"
    """Where people use the platform; links in mails lead there."""
    smtp_host: str = "localhost"
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: str = "fansworld <no-reply@localhost>"

    # --- upload --------------------------------------------------------------------------
    upload_image_bytes_max: int = 50 * MIB
    upload_audio_bytes_max: int = 500 * MIB
    upload_video_bytes_max: int = 10 * GIB
    upload_avatar_bytes_max: int = 10 * MIB
    upload_single_put_bytes_max: int = 16 * MIB
    upload_part_bytes_min: int = 16 * MIB
    upload_part_bytes_max: int = 64 * MIB
    upload_link_ttl_seconds: int = 30 * 60
    upload_expiry_seconds: int = 24 * 3600
    upload_open_max: int = 200
    """Unfinished uploads that one account may hold at a time."""
    storage_quota_bytes: int = 500 * GIB
    """Bytes of originals that one account may hold."""
    quarantine_infected_retention_days: int = 30
    quarantine_rejected_retention_days: int = 7

    # --- scan ----------------------------------------------------------------------------
    clamd_timeout_seconds: float = 120
    clamd_stream_bytes_max: int = 2 * GIB - 1
    clamd_frame_bytes: int = 64 * 1024
    clamd_database_age_days_max: int = 7
    """0 switches the check off (the embedded stack has no live signature feed)."""
    scan_over_limit_policy: Literal["block", "reencode_only"] = "reencode_only"
    """Files too large to scan: `block` waits for an operator, `reencode_only` keeps the
    original sealed and publishes re-encoded renditions only."""

    # --- decoders ------------------------------------------------------------------------
    scratch_dir: Path = Path("/tmp/fansworld")
    scratch_free_bytes_min: int = 2 * GIB
    scratch_bytes_max: int | None = None
    """What a worker may keep there in all; for a folder with a limit that its disk does not show.
    None: as much as the disk has."""
    decoder_memory_bytes_max: int = 4 * GIB
    decoder_image_seconds_max: int = 30
    decoder_stall_seconds_max: int = 60
    """A child that reports no progress for this long is ended."""

    # --- images --------------------------------------------------------------------------
    image_pixels_max: int = 100_000_000
    """Over all frames."""
    image_frames_max: int = 1000
    image_widths: IntList = (320, 640, 960, 1440, 2048)
    image_jpeg_quality: int = 80
    image_webp_quality: int = 80
    image_webp_effort: int = 4
    image_avif: bool = False
    image_avif_quality: int = 55
    image_avif_effort: int = 2
    image_avif_width_min: int = 640
    image_thumbnail_side: int = 256
    image_blur_width: int = 64
    watermark_height_bps: int = 350
    """Height of the handle in basis points of the picture's height (350 = 3.5 %)."""
    watermark_corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = (
        "bottom-right"
    )
    watermark_opacity_bps: int = 8000
    watermark_width_min: int = 640
    """Renditions narrower than this carry no watermark."""

    # --- video and audio -----------------------------------------------------------------
    video_duration_seconds_max: int = 4 * 3600
    video_pixels_max: int = 8192 * 8192
    video_streams_max: int = 32
    video_ladder_short_side_max: int = 1080
    video_frame_rate_max: int = 60
    video_preset: str = "veryfast"
    video_segment_seconds: int = 4
    video_gop_seconds: int = 2
    video_chunk_seconds: int = 60
    video_chunk_threshold_seconds: int = 90
    """Longer videos are encoded in chunks of `video_chunk_seconds` on all free workers."""
    video_threads: int = 0
    audio_duration_seconds_max: int = 8 * 3600
    audio_bitrate: int = 128_000
    opus_bitrate: int = 96_000
    loudness_target_lufs: float = -16.0
    loudness_true_peak_dbtp: float = -1.5
    storyboard_tiles_short: int = 50
    storyboard_tiles_long: int = 100
    storyboard_long_seconds: int = 15 * 60
    storyboard_tile_width: int = 160
    waveform_peaks: int = 1000
    teaser_seconds_max: int = 30

    # --- moderation ----------------------------------------------------------------------
    moderation_enabled: bool = True
    moderation_frames_max: int = 120
    moderation_label_score_min: float = 0.45
    moderation_hold_labels: StrList = ()
    """NudeNet labels that hold a media for a person; empty labels only."""
    moderation_pdq_distance_max: int = 31
    moderation_pdq_quality_min: int = 50

    # --- delivery ------------------------------------------------------------------------
    playback_url_ttl_seconds: int = Field(default=600, ge=30, le=600)
    segment_url_ttl_seconds: int = Field(default=3600, ge=60)
    cdn_base_url: str | None = None
    cdn_purge_url: str | None = None
    batch_access_max: int = 100
    access_cache_ttl_seconds: float = Field(default=5, ge=0)
    """How long decisions for lists are remembered; 0: not at all."""

    # --- payouts -------------------------------------------------------------------------
    payout_weekday: int = Field(default=1, ge=0, le=6)
    """Of the weekly payout: 0 is Sunday, as cron counts."""
    payout_hour: int = Field(default=6, ge=0, le=23)
    """UTC."""
    payout_review_first: bool = True
    """Whether staff look at a creator's first payout before it is sent."""
    payout_review_minimums: int = Field(default=50, ge=1)
    """Staff look at a payout of so many times the least one of its currency."""

    # --- payments ------------------------------------------------------------------------
    stripe_secret_key: SecretStr | None = None
    """Without it nothing can be paid; all else works."""
    stripe_publishable_key: str = ""
    """For Stripe's script in browsers; no secret."""
    stripe_api_base: str = ""
    """Empty: Stripe's own address."""
    stripe_webhook_secrets: SecretList = ()
    """Of the endpoint for the platform's own events; several while one is being replaced."""
    stripe_connect_webhook_secrets: SecretList = ()
    """Of the endpoint for events of connected accounts."""
    stripe_timeout_seconds: float = Field(default=30, gt=0, le=80)
    """How long an answer is waited for."""
    stripe_tax_enabled: bool = False
    platform_fee_bps: int = Field(default=2000, ge=0, le=10_000)
    """The platform's share of what a fan pays before tax, unless a creator has another."""
    earnings_hold_days: int = Field(default=7, ge=0, le=365)
    """How long earnings wait before they can be paid out, unless a creator has another."""
    subscription_grace_days: int = Field(default=3, ge=0, le=30)
    """For so long after a renewal that was declined a fan keeps access."""

    # --- refunds and disputes ------------------------------------------------------------
    dispute_evidence_policy: Literal["submit", "wait"] = "submit"
    """What happens to a dispute about which staff decide nothing: `submit` answers it by itself,
    `wait` lets it be lost."""
    dispute_evidence_margin_hours: int = Field(default=24, ge=1, le=240)
    """How long before it is due evidence is submitted by itself."""
    dispute_fee_borne_by: Literal["platform", "creator"] = "platform"
    """Who pays Stripe's fee for a dispute that is lost."""
    access_log_days: int = Field(default=540, ge=120)
    """How long is known what fans opened; a card's holder may dispute for 540 days at most."""

    # --- workers -------------------------------------------------------------------------
    worker_media_slots: int = Field(default=2, ge=1)
    worker_io_slots: int = Field(default=8, ge=1)
    worker_money_slots: int = Field(default=8, ge=1)
    worker_workflow_slots: int = Field(default=50, ge=2)
    """Workflow tasks at a time in one process."""
    worker_workflow_pollers: int = Field(default=8, ge=2)
    """At most so many requests for workflow tasks stay open; how many are used is scaled."""
    worker_activity_pollers: int = Field(default=16, ge=1)
    """The same for activities, for each queue."""
    worker_cached_workflows: int = Field(default=600, ge=0)
    """Open runs that one process keeps in memory; one that is not there is replayed."""
    money_steps_per_second: float | None = Field(default=None, gt=0)
    """At most so many steps of money begin, over all workers; None: as many as there are slots.
    Steps that Stripe turns away (429) are retried anyway."""
    worker_graceful_shutdown_seconds: int = Field(default=30, ge=0)
    """For what the queues `io` and `money` have begun."""
    worker_media_shutdown_seconds: int = Field(default=2, ge=0)
    """For a picture to be finished; what takes longer is handed back then, and goes on elsewhere
    with the segment that is not stored yet."""
    worker_deployment_name: str = Field(default="fansworld", pattern=r"^[A-Za-z0-9_-]+$")
    """Of which builds of the workflows' code are versions; another one for each `task_queue_prefix`
    in a namespace."""
    worker_build_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    """Names the code of this process, and makes runs keep to their build. None: no versions."""
    otel_exporter_otlp_endpoint: str | None = None
    """Base URL of a collector that takes OTLP over HTTP; without it nothing is traced."""
    trace_sample_ratio: float = Field(default=0.1, ge=0, le=1)
    """Of traces that are begun here; a client's own decides for itself."""
    sentry_dsn: SecretStr | None = None
    """Where unexpected errors go; without it nowhere but to the log."""
    release: str | None = None
    """Which build this is, as errors and traces name it."""
    metrics_port: int = 0
    """Prometheus port of the process; 0 switches it off."""
    codec_host: str = "127.0.0.1"
    codec_port: int = Field(default=8081, ge=0, le=65535)
    codec_operators: NamedSecrets = Field(default_factory=dict)
    """Who may read payloads in Temporal's UI: `name=secret`, of 24 characters at least. None:
    whoever reaches it, which it takes in development alone, and on loopback."""
    sweep_interval_seconds: int = 300
    run_patience_seconds: float = Field(default=10, gt=0, le=60)
    """How long a request waits for what a run has to say, before it is answered with 202."""

    @model_validator(mode="after")
    def _keys_fit(self) -> Settings:
        faults: list[str] = []
        for name in _RINGS:
            ring: dict[str, SecretStr] = getattr(self, name)
            faults += [f"{name}: {fault}" for fault in ring_faults(ring)]
            if not ring:
                faults.append(f"{name}: at least one key is needed (id=base64 of 32 bytes)")
        if self.url_signing_key is None:
            faults.append("url_signing_key: missing (base64 of 32 bytes)")
        elif (fault := key_fault(self.url_signing_key)) is not None:
            faults.append(f"url_signing_key: {fault}")
        if self.cdn_signing_key is None:
            if self.cdn_base_url or self.cdn_purge_url:
                faults.append("cdn_signing_key: missing (needed by the CDN URLs)")
        elif (fault := key_fault(self.cdn_signing_key)) is not None:
            faults.append(f"cdn_signing_key: {fault}")
        faults += passkey_faults(self.webauthn_rp_id, self.passkey_origins)
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def passkey_origins(self) -> tuple[str, ...]:
        """As browsers write origins, so without a slash at the end."""
        return self.webauthn_origins or (self.app_url.rstrip("/"),)

    @cached_property
    def url_signing_key_bytes(self) -> bytes:
        assert self.url_signing_key is not None
        return base64.b64decode(self.url_signing_key.get_secret_value())

    @cached_property
    def cdn_signing_key_bytes(self) -> bytes:
        assert self.cdn_signing_key is not None
        return base64.b64decode(self.cdn_signing_key.get_secret_value())

    @property
    def psycopg_url(self) -> str:
        """The database URL as libpq takes it, without SQLAlchemy's driver name."""
        return self.database_url.replace("postgresql+psycopg://", "postgresql://", 1)


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: with every fault, one a line.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in item['loc']).upper() or 'KEYS'}: {item['msg']}"
            for item in error.errors()
        ]
        raise SettingsError(
            "the configuration has faults (see .env.example):\n" + "\n".join(lines)
        ) from None
