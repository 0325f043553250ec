"""Every activity there is, by the queue that serves it. A new slice adds one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.accounts import AccountActivities
from activities.auditing import AuditActivities
from activities.charges import ChargeActivities, ChargeSweepActivities
from activities.disputes import DisputeActivities
from activities.mail import SendActivities
from activities.media import MediaActivities
from activities.parts import WorkerParts
from activities.payment_methods import CardActivities
from activities.payouts import (
    BatchActivities,
    ConnectActivities,
    ReturnActivities,
    SendingActivities,
)
from activities.posts import PostActivities
from activities.reconcile import ReconcileActivities
from activities.refunds import RefundActivities
from activities.stripe_events import EventActivities
from activities.subscriptions import subscription_activities
from workflows.queues import Queue

Activity = Callable[..., Any]


def activities_on_queues(parts: WorkerParts) -> dict[Queue, list[Activity]]:
    slices = (
        AuditActivities(parts.engine),
        AccountActivities(parts),
        ChargeActivities(parts.settings, parts.engine, parts.gateway),
        ChargeSweepActivities(parts.settings, parts.engine, parts.gateway, parts.temporal),
        CardActivities(parts.engine, parts.gateway),
        MediaActivities(parts),
        BatchActivities(parts.settings, parts.engine, parts.temporal),
        ConnectActivities(parts.engine, parts.gateway),
        ReturnActivities(parts.engine, parts.gateway),
        SendingActivities(parts.settings, parts.engine, parts.gateway),
        PostActivities(parts.settings, parts.engine, parts.temporal),
        EventActivities(parts.settings, parts.engine, parts.gateway, parts.temporal),
        subscription_activities(parts),
        SendActivities(parts.settings, parts.engine),
        RefundActivities(parts.settings, parts.engine, parts.gateway, parts.temporal),
        DisputeActivities(parts.settings, parts.engine, parts.gateway),
        ReconcileActivities(parts.settings, parts.engine, parts.gateway, parts.temporal),
    )
    served: dict[Queue, list[Activity]] = {
        queue: [] for queue in Queue if queue is not Queue.WORKFLOWS
    }
    for each in slices:
        for queue, activities in each.on_queues().items():
            served[queue] += activities
    return served
