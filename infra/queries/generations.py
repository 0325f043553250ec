"""Processing a media again, as a new generation of what is served."""

from __future__ import annotations

from datetime import datetime

from domain.errors import Conflict
from domain.ids import ingest_workflow_id
from domain.media.rejections import RejectionCode
from domain.media.states import MediaState, may_move
from infra.models import Media

_PROCESSED = frozenset(
    {
        MediaState.READY,
        MediaState.REJECTED,
        MediaState.FAILED,
        MediaState.CANCELLED,
    }
)


def begin_generation(media: Media, *, only_renditions: tuple[str, ...], at: datetime) -> None:
    """On a row that is locked. It says then all that the sweep needs to start the run if nobody
    else does; what is published stays until the run replaces it.

    Raises:
        Conflict: `already_processing`, `held_for_review`, `not_processed`, `original_gone` or
            `sealed_original`.
    """
    _require_reprocessable(media)
    state = MediaState(media.state)
    target = MediaState.PLAYABLE if state is MediaState.READY else MediaState.PROCESSING
    assert may_move(state, target)
    media.state = target
    media.generation += 1
    media.workflow_id = ingest_workflow_id(media.id, media.generation)
    media.plan = {"only_renditions": list(only_renditions)} if only_renditions else None
    media.step, media.progress_percent, media.progress_note = None, 0, None
    media.needs_attention = False
    media.rejection_code = media.rejection_detail = None
    media.updated_at = at


def _require_reprocessable(media: Media) -> None:
    state = MediaState(media.state)
    if state.is_running:
        raise Conflict(
            "It is being processed. Cancel that first, or wait.",
            code="already_processing",
            state=media.state,
        )
    if state is MediaState.HELD:
        # A cancelled re-processing goes back to what was served; nothing of this was cleared.
        raise Conflict("It waits for a moderator's decision.", code="held_for_review")
    if state not in _PROCESSED:
        raise Conflict("Its upload is not complete.", code="not_processed", state=media.state)
    if media.original_deleted_at is not None:
        raise Conflict("Its original is not kept any more. Upload it again.", code="original_gone")
    if media.rejection_code and RejectionCode(media.rejection_code).forbids_serving:
        raise Conflict(
            "Its original is sealed and may not be processed again.",
            code="sealed_original",
            rejection_code=media.rejection_code,
        )
