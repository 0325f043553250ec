"""S3 and what speaks it: uploads, originals, renditions, signed URLs.

connection   one client, its time-outs, and the map from its faults to our errors
buckets      what has to exist before the first upload
addresses    URLs for viewers: signed for a while, or lasting
signing      URLs that carry their own permission (SigV4 in the query)
transfers    reads that survive a broken connection, downloads by ranges
storage      `Storage`, the only class other layers hold
"""

from infra.storage.addresses import signed_at
from infra.storage.connection import NoSuchUpload, storage_faults
from infra.storage.signing import SignedRequest
from infra.storage.storage import StaleMultipart, Storage
from infra.storage.transfers import ArrivedPart, OnBytes, StoredObject, TransferCancelled
from infra.storage.writing import IMMUTABLE, PRIVATE_IMMUTABLE, PutItem

__all__ = [
    "IMMUTABLE",
    "PRIVATE_IMMUTABLE",
    "ArrivedPart",
    "NoSuchUpload",
    "OnBytes",
    "PutItem",
    "SignedRequest",
    "StaleMultipart",
    "Storage",
    "StoredObject",
    "TransferCancelled",
    "signed_at",
    "storage_faults",
]
