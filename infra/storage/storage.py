"""`Storage`: every call on S3 that the platform makes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from domain.errors import NotFound, Unavailable
from infra.settings import Settings
from infra.storage.addresses import ViewerAddresses
from infra.storage.buckets import ensure_buckets
from infra.storage.connection import NoSuchUpload, make_client, make_session, storage_faults
from infra.storage.signing import QuerySigner, SignedRequest, answer_headers
from infra.storage.transfers import (
    READ_BYTES,
    ArrivedPart,
    Cancelled,
    OnBytes,
    StoredObject,
    bare_etag,
    download,
    read_range,
)
from infra.storage.writing import PRIVATE_IMMUTABLE, PutItem, Writer

DELETE_BATCH = 1000
"""S3's own limit for one call."""
LIST_PAGE = 1000
"""S3's own limit for one answer; some stores answer with more if nobody asks for less."""


@dataclass(frozen=True)
class StaleMultipart:
    key: str
    multipart_id: str
    started_at: datetime


class Storage:
    """Sync and thread-safe; the API calls what goes over the network in a thread.

    Signing is pure computation and may be called anywhere. Multipart uploads and single PUTs
    always go to the quarantine bucket, which nothing serves. All methods raise the errors
    named at `storage_faults`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.quarantine = settings.s3_bucket_quarantine
        self.media = settings.s3_bucket_media
        self.public = settings.s3_bucket_public
        session = make_session(settings)
        keys = session.get_credentials()
        if keys is None:
            raise Unavailable("No keys for storage are configured.", code="storage_denied")
        self._client = make_client(session, settings, endpoint=settings.s3_endpoint)
        public_endpoint = settings.s3_public_endpoint or settings.s3_endpoint
        self._signer = QuerySigner(
            make_client(session, settings, endpoint=public_endpoint),
            keys,
            region=settings.s3_region,
        )
        self._addresses = ViewerAddresses(self._signer, settings)
        self._writer = Writer(self._client, threads=settings.s3_put_threads)

    def close(self) -> None:
        """End threads and connections. Nothing may be in flight."""
        self._writer.close()
        self._client.close()

    def ensure_buckets(self) -> None:
        """See `infra.storage.buckets.ensure_buckets`."""
        ensure_buckets(self._client, self._settings)

    def check(self) -> None:
        """For readiness: all three buckets answer to our keys."""
        for bucket in (self.quarantine, self.media, self.public):
            with storage_faults(bucket):
                self._client.head_bucket(Bucket=bucket)

    # --- uploads by clients --------------------------------------------------------------

    def create_multipart(self, key: str, content_type: str) -> str:
        """Open a multipart upload in quarantine; returns S3's upload id."""
        with storage_faults(self.quarantine, key):
            return self._client.create_multipart_upload(
                Bucket=self.quarantine, Key=key, ContentType=content_type
            )["UploadId"]

    def presign_put(
        self, key: str, *, content_type: str, size_bytes: int, sha256: str | None = None
    ) -> SignedRequest:
        """One PUT of exactly `size_bytes`. Type, length and (hex) SHA-256 are signed, so the
        store itself refuses a body of another length or hash.
        """
        headers = {"content-length": str(size_bytes), "content-type": content_type}
        if sha256 is not None:
            headers["x-amz-checksum-sha256"] = _base64_of_hex(sha256)
        return self._presign_upload(key, query=None, headers=headers)

    def presign_part(
        self, key: str, multipart_id: str, number: int, *, size_bytes: int | None = None
    ) -> SignedRequest:
        """One PUT of part `number` (from 1); its length is signed where it is given."""
        headers = {} if size_bytes is None else {"content-length": str(size_bytes)}
        query = {"partNumber": str(number), "uploadId": multipart_id}
        return self._presign_upload(key, query=query, headers=headers)

    def presign_parts(
        self, key: str, multipart_id: str, sizes: Mapping[int, int | None]
    ) -> dict[int, SignedRequest]:
        """Part number → request, for the numbers of `sizes` (number → bytes, None: any)."""
        return {
            number: self.presign_part(key, multipart_id, number, size_bytes=size)
            for number, size in sizes.items()
        }

    def _presign_upload(
        self, key: str, *, query: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> SignedRequest:
        url = self._signer.sign(
            "PUT",
            self.quarantine,
            key,
            ttl_seconds=self._settings.upload_link_ttl_seconds,
            now=datetime.now(UTC),
            query=query,
            headers=headers,
        )
        return SignedRequest("PUT", url, headers)

    def list_parts(self, key: str, multipart_id: str) -> tuple[ArrivedPart, ...]:
        """What has arrived, by number. Raises `NoSuchUpload` when it is not open."""
        with storage_faults(self.quarantine, key):
            pages = self._client.get_paginator("list_parts").paginate(
                Bucket=self.quarantine,
                Key=key,
                UploadId=multipart_id,
                PaginationConfig={"PageSize": LIST_PAGE},
            )
            parts = [
                ArrivedPart(part["PartNumber"], part["Size"], bare_etag(part["ETag"]))
                for page in pages
                for part in page.get("Parts", [])
            ]
        return tuple(sorted(parts, key=lambda part: part.number))

    def complete_multipart(
        self, key: str, multipart_id: str, parts: Iterable[ArrivedPart]
    ) -> StoredObject:
        """Join the parts. Repeating it after success is safe and answers the same.

        S3 may answer 200 and put an error in the body; botocore reads such a body as a 500
        and tries again (a test holds it to that). When that, or a lost answer, leaves us
        with `NoSuchUpload`, the object itself tells whether it is already complete.

        Raises:
            Invalid: `invalid_part` (missing, or another ETag) or `part_too_small`.
            NoSuchUpload: not open, and no object is there either.
        """
        listed = [
            {"PartNumber": part.number, "ETag": f'"{bare_etag(part.etag)}"'}
            for part in sorted(parts, key=lambda part: part.number)
        ]
        try:
            with storage_faults(self.quarantine, key):
                self._client.complete_multipart_upload(
                    Bucket=self.quarantine,
                    Key=key,
                    UploadId=multipart_id,
                    MultipartUpload={"Parts": listed},  # type: ignore[typeddict-item]
                )
        except NoSuchUpload:
            already = self.head(self.quarantine, key)
            if already is None:
                raise
            return already
        stored = self.head(self.quarantine, key)
        if stored is None:
            raise Unavailable(
                "Storage joined the parts but does not show the object.",
                code="storage_unavailable",
                key=key,
            )
        return stored

    def abort_multipart(self, key: str, multipart_id: str) -> None:
        """Drop an open upload and its parts; silent where there is none any more."""
        try:
            with storage_faults(self.quarantine, key):
                self._client.abort_multipart_upload(
                    Bucket=self.quarantine, Key=key, UploadId=multipart_id
                )
        except NoSuchUpload:
            return

    def list_stale_multiparts(self, *, before: datetime) -> tuple[StaleMultipart, ...]:
        """Uploads in quarantine that were opened before `before` (aware) and are still open."""
        with storage_faults(self.quarantine):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.quarantine
            )
            return tuple(
                StaleMultipart(each["Key"], each["UploadId"], each["Initiated"])
                for page in pages
                for each in page.get("Uploads", [])
                if each["Initiated"] < before
            )

    # --- reading -------------------------------------------------------------------------

    def head(self, bucket: str, key: str) -> StoredObject | None:
        try:
            with storage_faults(bucket, key):
                found = self._client.head_object(Bucket=bucket, Key=key)
                return StoredObject(
                    bucket,
                    key,
                    found["ContentLength"],
                    bare_etag(found["ETag"]),
                    found.get("ContentType"),
                )
        except NotFound:
            return None

    def get(self, bucket: str, key: str) -> StoredObject:
        """Like `head`, but absence is an error.

        Raises:
            NotFound: no such object.
        """
        found = self.head(bucket, key)
        if found is None:
            raise NotFound("Storage holds no such object.", bucket=bucket, key=key)
        return found

    def read_blocks(
        self, bucket: str, key: str, *, block_bytes: int = READ_BYTES
    ) -> Iterator[bytes]:
        """The object from its first byte to its last; survives broken connections."""
        source = self.get(bucket, key)
        return read_range(self._client, source, start=0, stop=source.bytes, block_bytes=block_bytes)

    def read(self, bucket: str, key: str) -> bytes:
        """A small object in memory."""
        return b"".join(self.read_blocks(bucket, key))

    def download(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        on_bytes: OnBytes | None = None,
        cancel: Cancelled | None = None,
    ) -> StoredObject:
        """Write the object to `path`; see `infra.storage.transfers.download`."""
        source = self.get(bucket, key)
        download(
            self._client,
            source,
            path,
            threads=self._settings.s3_read_threads,
            on_bytes=on_bytes,
            cancel=cancel,
        )
        return source

    def list_prefix(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        with storage_faults(bucket, prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix
            )
            for page in pages:
                for each in page.get("Contents", []):
                    yield StoredObject(bucket, each["Key"], each["Size"], bare_etag(each["ETag"]))

    # --- writing -------------------------------------------------------------------------

    def put_bytes(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        content_type: str,
        cache_control: str | None = PRIVATE_IMMUTABLE,
    ) -> StoredObject:
        return self._writer.put(bucket, PutItem(key, body, content_type, cache_control))

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        content_type: str,
        cache_control: str | None = PRIVATE_IMMUTABLE,
    ) -> StoredObject:
        """One PUT, so at most 5 GiB (S3's limit); nothing that we make comes near it."""
        return self._writer.put(bucket, PutItem(key, path, content_type, cache_control))

    def put_large_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        content_type: str,
        cache_control: str | None = PRIVATE_IMMUTABLE,
    ) -> None:
        """Of any size: in parts where it is large, so its ETag is another than that of one PUT."""
        headers = {"ContentType": content_type}
        if cache_control is not None:
            headers["CacheControl"] = cache_control
        with storage_faults(bucket, key):
            self._client.upload_file(str(path), bucket, key, ExtraArgs=headers)

    def put_many(
        self,
        bucket: str,
        items: Iterable[PutItem],
        *,
        on_stored: Callable[[StoredObject], None] | None = None,
    ) -> tuple[StoredObject, ...]:
        """Write small objects side by side; see `infra.storage.writing.Writer.put_many`."""
        return self._writer.put_many(bucket, items, on_stored=on_stored)

    def copy(
        self, *, source_bucket: str, source_key: str, target_bucket: str, target_key: str
    ) -> None:
        """A copy inside storage, in parts where it is large; the bytes don't come by us."""
        with storage_faults(source_bucket, source_key):
            self._client.copy(
                {"Bucket": source_bucket, "Key": source_key}, target_bucket, target_key
            )

    def delete(self, bucket: str, key: str) -> None:
        """Silent where there is nothing."""
        with storage_faults(bucket, key):
            self._client.delete_object(Bucket=bucket, Key=key)

    def delete_prefix(self, bucket: str, prefix: str) -> int:
        """Delete all below `prefix` (must end with `/`, so `m/1` can't take `m/10` along).

        Returns how many objects were deleted.

        Raises:
            Unavailable: `delete_incomplete`, when the store kept some.
        """
        if not prefix.endswith("/") or prefix == "/":
            raise ValueError(f"not a prefix to delete by: {prefix!r}")
        keys = [each.key for each in self.list_prefix(bucket, prefix)]
        for start in range(0, len(keys), DELETE_BATCH):
            batch = keys[start : start + DELETE_BATCH]
            with storage_faults(bucket, prefix):
                answer = self._client.delete_objects(
                    Bucket=bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            if kept := answer.get("Errors"):
                raise Unavailable(
                    "Storage did not delete every object.",
                    code="delete_incomplete",
                    key=kept[0].get("Key"),
                    kept=len(kept),
                )
        return len(keys)

    # --- addresses for viewers -----------------------------------------------------------

    def presign_get(
        self,
        bucket: str,
        key: str,
        *,
        ttl_seconds: int,
        content_type: str | None = None,
        download_name: str | None = None,
    ) -> str:
        """See `infra.storage.addresses.ViewerAddresses.signed`."""
        overrides = answer_headers(content_type=content_type, download_name=download_name)
        return self._addresses.signed(bucket, key, ttl_seconds=ttl_seconds, overrides=overrides)

    def public_url(self, key: str) -> str:
        """The lasting address of an object in the public bucket."""
        return self._addresses.lasting(self.public, key)


def _base64_of_hex(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()
