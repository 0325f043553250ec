"""Looking at pictures: NudeNet's labels and PDQ hashes against a block list.

Only our own small re-encoded JPEGs come here, never an upload: the decoder behind `cv2` has
no sandbox. The model is loaded on first use, once for each process, with one thread: several
jobs share the cores already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.errors import MediaRejected
from domain.media.moderation import (
    PDQ_BITS,
    BlockMatch,
    Label,
    ModerationPolicy,
    Outcome,
    PdqHash,
    Verdict,
    decide,
)
from domain.media.rejections import RejectionCode
from infra.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

Jpeg = Path | bytes

MODEL_SIDE = 320
MODEL_LABELS = (
    "FEMALE_GENITALIA_COVERED",
    "FACE_FEMALE",
    "BUTTOCKS_EXPOSED",
    "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED",
    "MALE_BREAST_EXPOSED",
    "ANUS_EXPOSED",
    "FEET_EXPOSED",
    "BELLY_COVERED",
    "FEET_COVERED",
    "ARMPITS_COVERED",
    "ARMPITS_EXPOSED",
    "FACE_MALE",
    "BELLY_EXPOSED",
    "MALE_GENITALIA_EXPOSED",
    "ANUS_COVERED",
    "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)
"""The model's classes in the order of its output; a test holds them to the package's own."""
_BOX_ROWS = 4
"""The model's output: four rows that place a box, then one row of scores for each class."""


class BlockList:
    """Hashes that may not be published, laid out to be compared all at once."""

    def __init__(self, hashes_hex: Iterable[str]) -> None:
        """Each is 64 hex digits.

        Raises:
            ValueError: an entry is not; a block list with holes would be worse than none.
        """
        self._hashes_hex = tuple(hashes_hex)
        raw = b"".join(_hash_bytes(entry) for entry in self._hashes_hex)
        self._words = np.frombuffer(raw, dtype=np.uint64).reshape(-1, PDQ_BITS // 64)

    def __len__(self) -> int:
        return len(self._hashes_hex)

    def nearest(self, found: PdqHash) -> BlockMatch | None:
        """The entry with the smallest distance to any orientation; None of an empty list."""
        if not self._hashes_hex:
            return None
        best: BlockMatch | None = None
        for form in sorted({found.hash_hex, *found.variants}):
            words = np.frombuffer(_hash_bytes(form), dtype=np.uint64)
            distances = np.bitwise_count(self._words ^ words).sum(axis=1, dtype=np.uint16)
            at = int(distances.argmin())
            if best is None or distances[at] < best.distance:
                best = BlockMatch(self._hashes_hex[at], int(distances[at]))
        return best


@dataclass(frozen=True)
class Judged:
    """The verdict on a media, and the hash of its picture (of a video: its first frame that
    has enough structure to be told by).
    """

    verdict: Verdict
    pdq: PdqHash | None
    frames_seen: int


class Judge:
    """Thread-safe; threads take turns only to load the model."""

    def __init__(self, settings: Settings) -> None:
        self._is_labelling = settings.moderation_enabled
        self._frames_max = settings.moderation_frames_max
        self._policy = ModerationPolicy(
            score_min=settings.moderation_label_score_min,
            hold_labels=frozenset(settings.moderation_hold_labels),
            pdq_distance_max=settings.moderation_pdq_distance_max,
            pdq_quality_min=settings.moderation_pdq_quality_min,
        )
        self._model: Any = None
        self._model_lock = threading.Lock()

    def judge(
        self,
        frames: Sequence[Jpeg],
        blocked: BlockList,
        *,
        on_frame: Callable[[int], None] | None = None,
    ) -> Judged:
        """Judge one picture, or the frames of a video in order.

        Of many frames, `moderation_frames_max` are looked at, evenly spread. All hashes are
        compared before any label is looked for, and a match ends the work at once. With
        moderation switched off the block list still holds; only labels are left out.
        `on_frame` hears how many frames are done.

        Raises:
            MediaRejected: a frame of ours can't be decoded.
        """
        chosen = _spread(frames, self._frames_max)
        first: PdqHash | None = None
        for seen, frame in enumerate(chosen, start=1):
            found = self.pdq(frame)
            if found.quality >= self._policy.pdq_quality_min:
                first = first or found
                match = blocked.nearest(found)
                verdict = decide((), (match,) if match else (), self._policy)
                if verdict.outcome is Outcome.BLOCK:
                    return Judged(verdict, found, seen)
            if on_frame is not None:
                on_frame(0)
        labels: list[Label] = []
        for seen, frame in enumerate(chosen, start=1):
            if not self._is_labelling:
                break
            labels.extend(self.labels(frame))
            if on_frame is not None:
                on_frame(seen)
        return Judged(decide(labels, (), self._policy), first, len(chosen))

    def labels(self, jpeg: Jpeg) -> tuple[Label, ...]:
        """Every class the model sees in the picture, each once with its best score.

        Boxes are of no interest here, so overlapping ones need not be thinned out.
        """
        picture = _decoded(jpeg)
        scores = self._scores(picture)
        best = scores.max(axis=1)
        return tuple(
            Label(name, float(score))
            for name, score in zip(MODEL_LABELS, best, strict=True)
            if score > 0
        )

    def pdq(self, jpeg: Jpeg) -> PdqHash:
        """The picture's hash, quality, and hashes of its seven other orientations."""
        import pdqhash

        vectors, quality = pdqhash.compute_dihedral(
            np.ascontiguousarray(_decoded(jpeg)[:, :, ::-1])
        )
        forms = [np.packbits(vector.astype(np.uint8)).tobytes().hex() for vector in vectors]
        return PdqHash(forms[0], int(quality), tuple(forms[1:]))

    def _scores(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classes × places; a place counts for its best class alone, as in NudeNet itself.

        The model gets red, green, blue, the order that its architecture is trained in.
        NudeNet's own reader swaps twice and so feeds it blue first; on the colour frames
        tried, ours finds as much or a little more, in half the time.
        """
        import cv2

        height, width = picture.shape[:2]
        side = max(height, width)
        square = cv2.copyMakeBorder(picture, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT)
        blob = cv2.dnn.blobFromImage(square, 1 / 255, (MODEL_SIDE, MODEL_SIDE), swapRB=True)
        model = self._loaded()
        output = model.run(None, {model.get_inputs()[0].name: blob})[0][0]
        scores: NDArray[np.float32] = output[_BOX_ROWS:]
        return np.where(scores == scores.max(axis=0), scores, np.float32(0))

    def _loaded(self) -> Any:
        with self._model_lock:
            if self._model is None:
                import nudenet
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                self._model = onnxruntime.InferenceSession(
                    str(Path(nudenet.__file__).with_name("320n.onnx")),
                    options,
                    providers=["CPUExecutionProvider"],
                )
            return self._model


def _decoded(jpeg: Jpeg) -> NDArray[np.uint8]:
    """Pixels in cv2's order (blue, green, red)."""
    import cv2

    raw = jpeg if isinstance(jpeg, bytes) else jpeg.read_bytes()
    picture = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR) if raw else None
    if picture is None:
        raise MediaRejected(RejectionCode.CORRUPT_MEDIA, "A sample frame can't be decoded.")
    return picture.astype(np.uint8, copy=False)


def _hash_bytes(entry: str) -> bytes:
    raw = bytes.fromhex(entry)
    if len(raw) * 8 != PDQ_BITS:
        raise ValueError(f"not a PDQ hash of {PDQ_BITS} bits: {entry!r}")
    return raw


def _spread(frames: Sequence[Jpeg], frames_max: int) -> list[Jpeg]:
    """At most `frames_max` of them, evenly over the whole, first and last included."""
    if len(frames) <= frames_max:
        return list(frames)
    if frames_max == 1:
        return [frames[len(frames) // 2]]
    last = len(frames) - 1
    return [frames[round(at * last / (frames_max - 1))] for at in range(frames_max)]
