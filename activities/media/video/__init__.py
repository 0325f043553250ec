"""Video and sound: plan, chunks, one sound track, stills, judgement, joining.

plan      how one generation is encoded, fixed once it is probed
probing   makes the plan; encoding  one pass over one chunk; sound  the audio track
stills    poster, storyboard, teaser; frames  samples of the encode, and their judgement
join      chunks become renditions
"""

from __future__ import annotations

from activities.media.video.encoding import EncodeActivities
from activities.media.video.frames import JudgeActivities
from activities.media.video.probing import PlanActivities
from activities.media.video.sound import SoundActivities
from activities.media.video.stills import StillsActivities

__all__ = [
    "EncodeActivities",
    "JudgeActivities",
    "PlanActivities",
    "SoundActivities",
    "StillsActivities",
]
