"""Temporal: the client, the encrypting payload codec, and how runs are started.

Payloads are encrypted with AES-256-GCM under a key of the ring `PAYLOAD_KEYS`; the key's id
travels in the payload's metadata, so that keys can be rotated: put a new one first, drop
the old one when no run that used it is kept any longer.

Two things stay readable, since operators need them and nobody is named in them: what is given
as `OperatorText`, and the metadata of a run with its current details. Temporal keeps failures'
messages apart from payloads; they stay readable too, their details do not.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import Priority
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.runtime import Runtime

from domain.operators import OperatorText
from infra.settings import Settings
from infra.tracing import CarryTrace

ENCODING = b"binary/encrypted"
_NONCE_BYTES = 12
_FOR_OPERATORS = "for-operators"
"""Metadata of a payload that is not to be encrypted."""
_RUN_METADATA = b"temporal.api.sdk.v1.WorkflowMetadata"
"""What the UI asks a worker for, to show the current details."""


class UnknownPayloadKey(Exception):
    """A payload was encrypted with a key that `PAYLOAD_KEYS` does not hold."""


class MarkingConverter(PydanticPayloadConverter):
    """Pydantic's conversion; marks what is meant for operators."""

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        payloads = super().to_payloads(values)
        for value, payload in zip(values, payloads, strict=True):
            if isinstance(value, OperatorText):
                payload.metadata[_FOR_OPERATORS] = b"1"
        return payloads


class EncryptingCodec(PayloadCodec):
    """Encrypts every payload that is not for operators. What is not encrypted (an older run,
    an operator's update sent from the command line) is passed through on the way in."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._ciphers = {
            key_id: AESGCM(base64.b64decode(secret.get_secret_value()))
            for key_id, secret in keys.items()
        }
        self._current = next(iter(self._ciphers))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            payload if _is_for_operators(payload) else self._encrypt(payload)
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            self._decrypt(payload) if payload.metadata.get("encoding") == ENCODING else payload
            for payload in payloads
        ]

    def _encrypt(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), None)
        return Payload(
            metadata={"encoding": ENCODING, "encryption-key-id": self._current.encode()},
            data=nonce + sealed,
        )

    def _decrypt(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get("encryption-key-id", b"").decode()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownPayloadKey(f"no key {key_id!r} in PAYLOAD_KEYS")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        return Payload.FromString(cipher.decrypt(nonce, sealed, None))


def _is_for_operators(payload: Payload) -> bool:
    return (
        _FOR_OPERATORS in payload.metadata or payload.metadata.get("messageType") == _RUN_METADATA
    )


def data_converter(settings: Settings) -> DataConverter:
    """Pydantic's conversion under encryption."""
    return DataConverter(
        payload_converter_class=MarkingConverter,
        payload_codec=EncryptingCodec(settings.payload_keys),
    )


async def connect(
    settings: Settings, *, runtime: Runtime | None = None, lazy: bool = False
) -> Client:
    """One client an event loop. `lazy` puts off the connection until the first call."""
    api_key = settings.temporal_api_key
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=data_converter(settings),
        api_key=api_key.get_secret_value() if api_key else None,
        tls=settings.temporal_tls,
        interceptors=[CarryTrace()],
        runtime=runtime,
        lazy=lazy,
    )


async def ensure_schedule(
    client: Client,
    *,
    schedule_id: str,
    workflow: str,
    workflow_id: str,
    task_queue: str,
    every: timedelta,
    note: str,
    priority: Priority,
) -> None:
    """Create a schedule, or bring an existing one to these values.

    A tick is dropped while the last one still runs; the execution time-out is below the
    interval, so that a stuck run can't drop ticks for ever.
    """
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            workflow,
            id=workflow_id,
            task_queue=task_queue,
            execution_timeout=every * 0.9,
            static_summary=OperatorText(note),
            priority=priority,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=10)
        ),
    )
    await _keep_schedule(client, schedule_id, schedule)


async def ensure_weekly(
    client: Client,
    *,
    schedule_id: str,
    workflow: str,
    order: object,
    workflow_id: str,
    task_queue: str,
    weekday: int,
    hour: int,
    note: str,
    priority: Priority,
) -> None:
    """Create a schedule that starts a run once a week, or bring an existing one to these values.

    One that was paused stays paused, and so does one whose last run failed: whoever has looked
    resumes it. A tick that was missed, because the server was away, is made up for within a day.

    Args:
        weekday: 0 is Sunday.
        hour: UTC.
    """
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            workflow,
            order,
            id=workflow_id,
            task_queue=task_queue,
            execution_timeout=timedelta(days=6),
            static_summary=OperatorText(note),
            priority=priority,
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    day_of_week=[ScheduleRange(weekday)], hour=[ScheduleRange(hour)]
                )
            ]
        ),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP,
            catchup_window=timedelta(days=1),
            pause_on_failure=True,
        ),
    )
    await _keep_schedule(client, schedule_id, schedule)


async def _keep_schedule(client: Client, schedule_id: str, schedule: Schedule) -> None:
    try:
        await client.create_schedule(schedule_id, schedule)
    except ScheduleAlreadyRunningError:

        def bring_up_to_date(found: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule.state = found.description.schedule.state
            return ScheduleUpdate(schedule=schedule)

        await client.get_schedule_handle(schedule_id).update(bring_up_to_date)
