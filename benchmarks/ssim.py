"""How much one picture looks like another."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

_WINDOW, _SIGMA = (11, 11), 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(picture: Image.Image, reference: Image.Image) -> float:
    """Mean structural similarity of the luma, 1.0 for the same picture.

    Wang et al. 2004: windows of 11 by 11 under a Gaussian of 1.5.
    """
    if picture.size != reference.size:
        raise ValueError(f"sizes differ: {picture.size} and {reference.size}")
    a, b = (np.asarray(one.convert("L"), dtype=np.float64) for one in (picture, reference))
    mean_a, mean_b = _mean(a), _mean(b)
    var_a = _mean(a * a) - mean_a**2
    var_b = _mean(b * b) - mean_b**2
    covariance = _mean(a * b) - mean_a * mean_b
    likeness = ((2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)) / (
        (mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)
    )
    return float(likeness.mean())


def _mean(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(cv2.GaussianBlur(values, _WINDOW, _SIGMA), dtype=np.float64)
