"""Entries of the audit log that workflows of every slice ask for: what operators decided."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.declarations import declare


@dataclass(frozen=True)
class AuditInput:
    action: str
    subject_type: str
    subject_id: str
    actor_name: str
    detail: dict[str, str] = field(default_factory=dict)


@declare
def record_audit(entry: AuditInput) -> None:
    """Write one entry to the audit log; the same entry of the same run is written once."""
    raise NotImplementedError
