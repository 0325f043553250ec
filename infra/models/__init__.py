"""Tables, one module a slice. Import from here so that every table is known to Alembic."""

from infra.models.accounts import Creator, Entitlement, User
from infra.models.audit import AuditEntry
from infra.models.base import Base
from infra.models.media import BlockedHash, EncodedChunk, Media, Rendition, Upload

__all__ = [
    "AuditEntry",
    "Base",
    "BlockedHash",
    "Creator",
    "EncodedChunk",
    "Entitlement",
    "Media",
    "Rendition",
    "Upload",
    "User",
]
