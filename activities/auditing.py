"""Entries of the audit log that workflows of every slice ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine
from temporalio import activity

from infra.db import transaction
from infra.models import AuditEntry
from infra.queries import audit
from workflows import auditing
from workflows.auditing import AuditInput
from workflows.declarations import implements
from workflows.queues import Queue


class AuditActivities:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @implements(auditing.record_audit)
    def record_audit(self, entry: AuditInput) -> None:
        info = activity.info()
        with transaction(self._engine) as session:
            audit.record(
                session,
                AuditEntry(
                    actor_name=entry.actor_name,
                    action=entry.action,
                    subject_type=entry.subject_type,
                    subject_id=entry.subject_id,
                    detail=dict(entry.detail),
                ),
                once=f"{info.workflow_run_id}:{info.activity_id}",
            )

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.IO: [self.record_audit]}
