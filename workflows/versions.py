"""What becomes of open runs when new code is deployed, by family of workflow."""

from __future__ import annotations

from temporalio.common import VersioningBehavior

SHORT_LIVED = VersioningBehavior.PINNED
"""A run ends on the build that it began with, which stays up until its runs are over. For what is
over within hours: its code may change in any way."""

LONG_LIVED = VersioningBehavior.AUTO_UPGRADE
"""A run goes over to the new build with its next step. For what lives for days and years: nobody
keeps a build up for so long. Its code changes under `workflow.patched`, and the histories under
`tests/workflows` show that it still replays. Whatever continues as new is of this kind."""
