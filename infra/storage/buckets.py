"""What has to exist in storage before the first upload."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from botocore.exceptions import ClientError

from domain.errors import Conflict
from infra.settings import Settings
from infra.storage.connection import error_code, storage_faults

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import LifecycleRuleTypeDef

DAY_SECONDS = 86_400
WORK_PREFIX = "work/"
WORK_DAYS = 2
"""Scratch of a run that died; a live run removes its own."""
CORS_MAX_AGE_SECONDS = 3600

log = structlog.get_logger(__name__)


def ensure_buckets(client: S3Client, settings: Settings) -> None:
    """Create what is missing and set CORS, lifecycle and the public bucket's policy.

    Safe to repeat and to run from several processes at once. A store that does not know one
    of these features keeps working without it: the log says which, and the sweep removes
    abandoned uploads and scratch in any case.

    Raises:
        Conflict: a bucket's name belongs to somebody else.
        Unavailable: storage did not answer.
    """
    quarantine = settings.s3_bucket_quarantine
    media = settings.s3_bucket_media
    public = settings.s3_bucket_public
    for bucket in (quarantine, media, public):
        _create(client, bucket, region=settings.s3_region)
        if settings.cors_origins:
            _set_cors(client, bucket, origins=settings.cors_origins)
        _set_lifecycle(client, bucket, settings)
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": f"arn:aws:s3:::{public}/*",
                }
            ],
        }
    )
    _tolerate(public, "policy", lambda: client.put_bucket_policy(Bucket=public, Policy=policy))


def _create(client: S3Client, bucket: str, *, region: str) -> None:
    with storage_faults(bucket):
        try:
            if region == "us-east-1":
                client.create_bucket(Bucket=bucket)
            else:
                client.create_bucket(
                    Bucket=bucket,
                    CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
                )
        except ClientError as error:
            code = error_code(error)
            if code == "BucketAlreadyOwnedByYou":
                return
            if code in ("BucketAlreadyExists", "AccessDenied"):
                # Some stores answer so for our own bucket too, and production keys may well
                # be forbidden to create any: what counts is whether we can reach it.
                _must_be_ours(client, bucket)
                return
            raise


def _must_be_ours(client: S3Client, bucket: str) -> None:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        raise Conflict(
            f"Bucket {bucket} is not ours or does not exist.",
            code="bucket_not_ours",
            bucket=bucket,
            storage_code=error_code(error),
        ) from error


def _set_cors(client: S3Client, bucket: str, *, origins: tuple[str, ...]) -> None:
    """Browsers put parts and read segments; multipart clients need to see each ETag."""
    _tolerate(
        bucket,
        "cors",
        lambda: client.put_bucket_cors(
            Bucket=bucket,
            CORSConfiguration={
                "CORSRules": [
                    {
                        "AllowedOrigins": list(origins),
                        "AllowedMethods": ["GET", "HEAD", "PUT"],
                        "AllowedHeaders": ["*"],
                        "ExposeHeaders": ["ETag", "Content-Length", "Content-Range"],
                        "MaxAgeSeconds": CORS_MAX_AGE_SECONDS,
                    }
                ]
            },
        ),
    )


def _set_lifecycle(client: S3Client, bucket: str, settings: Settings) -> None:
    """A net below the sweep, so a day later than it: the store removes what no one came for."""
    days = -(-settings.upload_expiry_seconds // DAY_SECONDS) + 1
    rules: list[LifecycleRuleTypeDef] = [
        {
            "ID": "abort-stale-multipart",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
        }
    ]
    if bucket == settings.s3_bucket_media:
        rules.append(
            {
                "ID": "expire-scratch",
                "Status": "Enabled",
                "Filter": {"Prefix": WORK_PREFIX},
                "Expiration": {"Days": WORK_DAYS},
            }
        )
    _tolerate(
        bucket,
        "lifecycle",
        lambda: client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        ),
    )


def _tolerate(bucket: str, feature: str, call: Callable[[], object]) -> None:
    with storage_faults(bucket):
        try:
            call()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 and error_code(error) != "NotImplemented":
                raise
            log.warning(
                "storage_feature_missing", bucket=bucket, feature=feature, why=error_code(error)
            )
