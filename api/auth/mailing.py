"""Starting the run that sends a mail whose row is already committed."""

from __future__ import annotations

from api.parts import Parts
from api.starting import begun
from workflows.mail.start import start_mail


async def begin_mail(parts: Parts, mail_id: str) -> bool:
    """Start sending; False where the sweep will have to."""
    start = start_mail(parts.temporal, mail_id, queue_prefix=parts.settings.task_queue_prefix)
    return await begun(start, what="mail", mail_id=mail_id)
