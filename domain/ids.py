"""Ids of rows and of workflow runs. Run ids come from here and from nowhere else."""

from __future__ import annotations


def uuid7_from(*, unix_ms: int, entropy: bytes) -> str:
    """A version 7 UUID (RFC 9562 §5.7) from milliseconds and 10 bytes of entropy."""
    value = (unix_ms & ((1 << 48) - 1)) << 80 | int.from_bytes(entropy[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def ingest_workflow_id(media_id: str, generation: int = 1) -> str:
    """Generation 1 is the upload's own run; each re-processing has the next one."""
    return f"ingest:{media_id}" if generation == 1 else f"ingest:{media_id}:{generation}"


def delete_workflow_id(media_id: str) -> str:
    return f"delete-media:{media_id}"


def mail_workflow_id(mail_id: str) -> str:
    return f"mail:{mail_id}"


def publish_workflow_id(post_id: str) -> str:
    return f"publish-post:{post_id}"


def sweep_workflow_id(kind: str) -> str:
    return f"sweep:{kind}"
