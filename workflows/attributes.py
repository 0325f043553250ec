"""Search attributes by which operators find runs. They are not encrypted: ids only."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

JOB_KIND = SearchAttributeKey.for_keyword("JobKind")
JOB_STEP = SearchAttributeKey.for_keyword("JobStep")
CREATOR_ID = SearchAttributeKey.for_keyword("CreatorId")
MEDIA_ID = SearchAttributeKey.for_keyword("MediaId")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")

ALL = (JOB_KIND, JOB_STEP, CREATOR_ID, MEDIA_ID, NEEDS_ATTENTION)
