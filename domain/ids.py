"""Ids of rows and of workflow runs. Run ids come from here and from nowhere else."""

from __future__ import annotations

import uuid

_DERIVED = uuid.UUID("6f2d6b1e-90a1-5c0e-9a3c-8f0f2f5d7a11")
"""Namespace of derived ids (RFC 9562 §5.5)."""


def derived_id(*parts: str) -> str:
    """A version 5 UUID of these parts in this order, so that whoever repeats a step makes the
    same row as whoever did it first."""
    return str(uuid.uuid5(_DERIVED, "\x1f".join(parts)))


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


def subscription_workflow_id(subscription_id: str) -> str:
    return f"sub:{subscription_id}"


def unlock_workflow_id(fan_id: str, item_id: str) -> str:
    """Of the fan and the item, not of the purchase: two devices meet in one run."""
    return f"unlock:{fan_id}:{item_id}"


def card_setup_workflow_id(setup_id: str) -> str:
    return f"card-setup:{setup_id}"


def card_removal_workflow_id(payment_method_id: str) -> str:
    return f"card-removal:{payment_method_id}"


def tip_workflow_id(tip_id: str) -> str:
    return f"tip:{tip_id}"


def gift_workflow_id(gift_id: str) -> str:
    return f"gift:{gift_id}"


def payout_workflow_id(payout_id: str) -> str:
    return f"payout:{payout_id}"


PAYOUT_BATCH = "payout-batch"
"""Of the schedule of batches; a run adds its time to it. Of two runs on one day, both mean the
same payouts."""


def refund_workflow_id(refund_id: str) -> str:
    return f"refund:{refund_id}"


def dispute_workflow_id(stripe_dispute_id: str) -> str:
    """Of Stripe's id: a dispute begins there, not here."""
    return f"dispute:{stripe_dispute_id}"


def connect_workflow_id(creator_id: str) -> str:
    return f"connect:{creator_id}"
