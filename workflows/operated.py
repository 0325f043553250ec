"""What every run offers to operators while one of its steps waits for them."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.attention import Attention, BlockedStep, OperatorChoice
    from workflows.auditing import AuditInput, record_audit
    from workflows.performing import perform
    from workflows.queues import Queue


class Operated:
    """Base of a workflow whose steps run under `self.attention`.

    Says to the audit log who decided what, as `{subject_type}.step_retried` or `step_skipped`.
    """

    def __init__(self, subject_type: str, subject_id: str) -> None:
        self.attention = Attention(self.show_attention)
        self._subject_type, self._subject_id = subject_type, subject_id

    async def show_attention(self, blocked: BlockedStep | None) -> None:
        """Project a step that waits, or None once nothing waits any more, to where users look.

        A workflow whose waiting concerns nobody but operators leaves this as it is: they look
        at the run.
        """

    @workflow.update
    async def retry_step(self, choice: OperatorChoice) -> str:
        """Run a waiting step again with a fresh budget."""
        self.attention.decide(choice, skip=False)
        await self._audit("step_retried", choice)
        return OperatorText(f"{choice.step}: tried again")

    @retry_step.validator
    def _check_retry(self, choice: OperatorChoice) -> None:
        self.attention.check(choice, skip=False)

    @workflow.update
    async def skip_step(self, choice: OperatorChoice) -> str:
        """Go on without a waiting step, where that is safe."""
        self.attention.decide(choice, skip=True)
        await self._audit("step_skipped", choice)
        return OperatorText(f"{choice.step}: skipped")

    @skip_step.validator
    def _check_skip(self, choice: OperatorChoice) -> None:
        self.attention.check(choice, skip=True)

    @workflow.query
    def blocked_steps(self) -> list[BlockedStep]:
        """As `waiting_steps`, with the reason and the cause of each."""
        return self.attention.blocked

    @workflow.query
    def waiting_steps(self) -> list[str]:
        """Steps that wait for an operator."""
        return list(self.attention.blocked_steps)

    async def _audit(self, act: str, choice: OperatorChoice) -> None:
        entry = AuditInput(
            action=f"{self._subject_type}.{act}",
            subject_type=self._subject_type,
            subject_id=self._subject_id,
            actor_name=choice.operator,
            detail={"step": choice.step, "note": choice.note},
        )
        await perform(record_audit, entry, queue=Queue.IO, policy=policies.RECORD)
