"""Our own signing against botocore's, byte for byte. Needs no server."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from infra.storage.signing import QuerySigner, answer_headers

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ENDPOINTS = (
    ("http://127.0.0.1:8333", "us-east-1", None),
    ("https://s3.example.com", "eu-central-1", None),
    ("https://s3.example.com:443", "eu-central-1", None),
    ("http://[::1]:8333/base", "us-east-1", "a/session+token=="),
    (None, "us-east-1", None),
    (None, "eu-west-3", "a/session+token=="),
)
KEYS = ("m/0191/1/v720/00001.m4s", "a b/ü+&=?#%/~-._!*'().txt", "k//double/../dots")


@functools.cache
def client_and_signer(
    endpoint: str | None, region: str, token: str | None
) -> tuple[S3Client, QuerySigner]:
    session = boto3.session.Session(
        aws_access_key_id="AKIA/EXAMPLE+1",
        aws_secret_access_key="secret/with+odd=chars",
        aws_session_token=token,
        region_name=region,
    )
    client = session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            signature_version="s3v4", s3={"addressing_style": "path" if endpoint else "auto"}
        ),
    )
    keys = session.get_credentials()
    assert isinstance(keys, Credentials)
    return client, QuerySigner(client, keys, region=region)


def moment_of(url: str) -> datetime:
    """When botocore signed, to the second; it takes no clock from outside."""
    stamp = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize(("endpoint", "region", "token"), ENDPOINTS)
@pytest.mark.parametrize("key", KEYS)
def test_a_signed_get_is_botocores(
    endpoint: str | None, region: str, token: str | None, key: str
) -> None:
    client, signer = client_and_signer(endpoint, region, token)
    theirs = client.generate_presigned_url(
        "get_object", Params={"Bucket": "media-bucket", "Key": key}, ExpiresIn=600
    )
    ours = signer.sign("GET", "media-bucket", key, ttl_seconds=600, now=moment_of(theirs))
    assert ours == theirs


@pytest.mark.parametrize(("endpoint", "region", "token"), ENDPOINTS)
@pytest.mark.parametrize(
    ("method", "operation", "extra", "query", "headers"),
    [
        (
            "GET",
            "get_object",
            {"ResponseContentType": "image/jpeg", "ResponseContentDisposition": 'a; b="c d"'},
            {"response-content-type": "image/jpeg", "response-content-disposition": 'a; b="c d"'},
            {},
        ),
        (
            "PUT",
            "upload_part",
            {"PartNumber": 12, "UploadId": "aZ/9_-+=", "ContentLength": 5},
            {"uploadId": "aZ/9_-+=", "partNumber": "12"},
            {"content-length": "5"},
        ),
        (
            "PUT",
            "put_object",
            {"ContentLength": 77, "ContentType": "image/png", "ChecksumSHA256": "uU0nuZNN="},
            {},
            {
                "content-length": "77",
                "content-type": "image/png",
                "x-amz-checksum-sha256": "uU0nuZNN=",
            },
        ),
    ],
)
def test_signed_queries_and_headers_are_botocores(
    endpoint: str | None,
    region: str,
    token: str | None,
    method: str,
    operation: str,
    extra: dict[str, Any],
    query: dict[str, str],
    headers: dict[str, str],
) -> None:
    client, signer = client_and_signer(endpoint, region, token)
    presign: Callable[..., str] = client.generate_presigned_url
    theirs = presign(operation, Params={"Bucket": "media-bucket", "Key": "a/b c", **extra})
    at = moment_of(theirs)
    forms = [
        signer.sign(
            method, "media-bucket", "a/b c", ttl_seconds=3600, now=at, query=order, headers=headers
        )
        for order in (query, dict(reversed(query.items())))
    ]
    # botocore puts an operation's parameters in the order of its own model.
    assert theirs in forms


def test_a_new_day_gets_a_new_key() -> None:
    """The signing key is cached; one of yesterday would be refused."""
    _, signer = client_and_signer("http://127.0.0.1:8333", "us-east-1", None)
    _, fresh = client_and_signer("http://127.0.0.1:8333", "us-east-1", None)
    before, after = datetime(2026, 1, 1, 23, 59, 59), datetime(2026, 1, 2)
    signer.sign("GET", "b-one", "k", ttl_seconds=9, now=before)
    url = signer.sign("GET", "b-one", "k", ttl_seconds=9, now=after)
    assert url == fresh.sign("GET", "b-one", "k", ttl_seconds=9, now=after)


def test_a_download_name_survives_quotes_and_other_alphabets() -> None:
    disposition = answer_headers(content_type=None, download_name='fö"o\r\n%.png')
    assert disposition == {
        "response-content-disposition": (
            "attachment; filename=\"f__o___.png\"; filename*=UTF-8''f%C3%B6%22o%0D%0A%25.png"
        )
    }
