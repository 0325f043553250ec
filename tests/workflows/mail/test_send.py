"""Orchestration of sending."""

from __future__ import annotations

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from tests.workflows.mail.runs import Scripted, sending, waiting
from tests.workflows.media.scripted import broken
from workflows.attention import OperatorChoice
from workflows.attributes import NEEDS_ATTENTION
from workflows.mail.messages import MailEnd
from workflows.mail.send import SEND_STEP, SendMail


async def test_two_starts_send_once(workflow_client: Client) -> None:
    scripted = Scripted()
    async with sending(workflow_client, scripted) as handle:
        assert await handle.result() == MailEnd("sent")
    assert scripted.tries == 1


async def test_a_mail_server_that_comes_back_is_tried_again(workflow_client: Client) -> None:
    away = ApplicationError("away", "mail_server_unavailable", type="Unavailable")
    scripted = Scripted(fails=[away, away])
    async with sending(workflow_client, scripted) as handle:
        assert await handle.result() == MailEnd("sent")
    assert scripted.tries == 3


async def test_a_refused_mail_ends_well(workflow_client: Client) -> None:
    scripted = Scripted(end=MailEnd("refused", "550 5.1.1"))
    async with sending(workflow_client, scripted) as handle:
        assert await handle.result() == MailEnd("refused", "550 5.1.1")
    assert scripted.tries == 1


async def test_a_spent_budget_waits_for_an_operator_who_tries_again(
    workflow_client: Client,
) -> None:
    scripted = Scripted(fails=[broken()])
    async with sending(workflow_client, scripted) as handle:
        await waiting(handle)
        assert (await handle.describe()).typed_search_attributes[NEEDS_ATTENTION] is True
        await handle.execute_update(SendMail.retry_step, OperatorChoice(SEND_STEP, "ada", "up"))
        assert await handle.result() == MailEnd("sent")
    assert [(entry.action, entry.subject_type) for entry in scripted.audits] == [
        ("mail.step_retried", "mail")
    ]


async def test_an_operator_gives_a_mail_up_so_that_no_sweep_sends_it(
    workflow_client: Client,
) -> None:
    scripted = Scripted(fails=[broken()])
    async with sending(workflow_client, scripted) as handle:
        await waiting(handle)
        await handle.execute_update(SendMail.skip_step, OperatorChoice(SEND_STEP, "ada"))
        assert await handle.result() == MailEnd("skipped")
    assert [order.reason for order in scripted.given_up] == ["skipped"]
    assert [entry.action for entry in scripted.audits] == ["mail.step_skipped"]


async def test_a_cancelled_run_gives_its_mail_up(workflow_client: Client) -> None:
    scripted = Scripted(fails=[broken()])
    async with sending(workflow_client, scripted) as handle:
        await waiting(handle)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert [order.reason for order in scripted.given_up] == ["cancelled"]
