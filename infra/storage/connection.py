"""One S3 client for the process, and what its faults mean to us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.loaders import Loader, create_loader
from botocore.session import get_session

from domain.errors import (
    FansworldError,
    Invalid,
    NotFound,
    PreconditionFailed,
    Unavailable,
)
from infra.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

CONNECT_TIMEOUT_SECONDS = 5
ATTEMPTS_MAX = 4

_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchBucket"})
_BAD_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "MalformedXML"})
_BAD_DIGEST = frozenset(
    {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
)
_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"})


class NoSuchUpload(NotFound):
    """The multipart upload is unknown: never begun, aborted, expired, or already complete."""

    code = "no_such_upload"


def make_session(settings: Settings) -> boto3.session.Session:
    """Keys from the settings, or, where there are none, from boto3's own chain (roles)."""
    secret = settings.s3_secret_access_key
    base = get_session()
    base.register_component("data_loader", _service_descriptions())
    return boto3.session.Session(
        botocore_session=base,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        region_name=settings.s3_region,
    )


@cache
def _service_descriptions() -> Loader:
    """botocore's description of S3, read once for the process: that takes five times as long as
    the client made from it, and every session would read it anew."""
    return create_loader()


def make_client(
    session: boto3.session.Session, settings: Settings, *, endpoint: str | None
) -> S3Client:
    """A thread-safe client. Custom endpoints get path-style addresses: they seldom have
    a DNS name for each bucket.
    """
    return session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=settings.s3_read_timeout_seconds,
            max_pool_connections=settings.s3_connections_max,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
            tcp_keepalive=True,
        ),
    )


@contextmanager
def storage_faults(bucket: str, key: str | None = None) -> Iterator[None]:
    """Turn faults of the client into errors of `domain.errors`.

    Raises:
        NotFound: no such object, bucket or (as `NoSuchUpload`) multipart upload.
        PreconditionFailed: an ETag did not match.
        Invalid: `invalid_part`, `part_too_small` or `checksum_mismatch`: the bytes or the
            list of parts are at fault, so trying again won't help.
        Unavailable: the network, a 5xx, throttling, or keys that the store refuses (a wrong
            configuration heals without us, so the step may be tried again).
    """
    try:
        yield
    except ClientError as error:
        raise _meaning(error, bucket, key) from error
    except ParamValidationError:
        raise  # A mistake of ours, which trying again would only hide.
    except (BotoCoreError, ValueError, KeyError) as error:
        # The last two: an answer that is cut off inside its headers looks whole to the HTTP
        # parser, and shows itself only where a date or a length is read from it.
        raise Unavailable(
            f"Storage did not answer: {type(error).__name__}.",
            code="storage_unavailable",
            bucket=bucket,
            key=key,
        ) from error


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _meaning(error: ClientError, bucket: str, key: str | None) -> FansworldError:
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    facts = {"bucket": bucket, "key": key, "storage_code": code}
    if code == "NoSuchUpload":
        return NoSuchUpload("The multipart upload is not open.", **facts)
    if code in _MISSING or status == 404:
        return NotFound("Storage holds no such object.", **facts)
    if code == "PreconditionFailed" or status == 412:
        return PreconditionFailed("The stored object has changed.", **facts)
    if code in _BAD_PARTS:
        return Invalid("A part is missing or differs from its ETag.", code="invalid_part", **facts)
    if code == "EntityTooSmall":
        return Invalid(
            "A part before the last is too small or missing.", code="part_too_small", **facts
        )
    if code in _BAD_DIGEST:
        return Invalid("The bytes differ from their hash.", code="checksum_mismatch", **facts)
    if code in _DENIED:
        return Unavailable("Storage refused our keys.", code="storage_denied", **facts)
    return Unavailable(
        f"Storage answered {code or status}.", code="storage_unavailable", status=status, **facts
    )
