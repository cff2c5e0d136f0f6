"""The measures. Pictures are H x W x 3 RGB, float32 in [0, 1], or bytes where said so; differences are in levels of 0..255."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpen_live.quality.skin import Mask

Picture = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

MOTION = (1, 2)
"""Pixels by which a moving scene goes up and to the left from frame to frame."""
_BORDER = 16  # left out of what moves: degradations mirror there


@dataclass(frozen=True, slots=True)
class Metric:
    """One column.

    Args:
        key: its name in the report.
        title: its name in tables.
        digits: after the point.
        slow: measured on some of the faces only.
        means: one sentence.
    """

    key: str
    title: str
    digits: int
    slow: bool
    means: str


METRICS: tuple[Metric, ...] = (
    Metric("psnr", "PSNR", 2, False, "Peak signal-to-noise ratio to the truth in dB, at most 60; higher is better."),
    Metric("ssim", "SSIM", 3, True, "Structural similarity to the truth (basicsr); 1 is equal."),
    Metric("niqe", "NIQE", 2, True, "Naturalness, without a truth (basicsr); lower is better, but it takes noise for detail."),
    Metric("feature", "features", 2, True, "Mean difference of VGG-19's relu1_2, relu2_2 and relu3_1, summed; not LPIPS."),
    Metric("identity", "identity", 3, False, "Cosine similarity of face embeddings with the truth's; 1 is equal."),
    Metric("ciede2000", "skin ΔE", 2, False, "Mean CIEDE2000 colour error on the skin."),
    Metric("flicker_still", "flicker still", 2, False, "Mean change from frame to frame of a still, noisy scene."),
    Metric("flicker_moving", "flicker moving", 2, False, "The same while the scene moves, the motion taken back."),
    Metric("psnr_moving", "PSNR moving", 2, False, "PSNR of the moving scene's last frame: falls where a memory lags."),
    Metric("changed_by", "changed by", 2, False, "Mean difference to the input."),
)
"""Every column, in the order of the tables."""


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio in dB; at most 60, as in training's validation."""
    return float(-10 * np.log10(max(float(np.mean(np.square(a - b, dtype=np.float64))), 1e-6)))


def change(a: Picture, b: Picture) -> float:
    """Mean absolute difference in levels."""
    return 255 * float(np.abs(a - b).mean(dtype=np.float64))


def change_in_motion(before: Picture, after: Picture) -> float:
    """Mean absolute difference in levels where both frames show the same, which moved by MOTION; without the border."""
    up, left = MOTION
    height, width = before.shape[:2]
    inner = (slice(_BORDER, height - up - _BORDER), slice(_BORDER, width - left - _BORDER))
    return change(before[up:, left:][inner], after[: height - up, : width - left][inner])


def ssim(a: Bytes, b: Bytes) -> float:
    """Structural similarity, mean over the channels, by basicsr."""
    from gpen_live.facedata import basicsr_compat

    basicsr_compat.prepare()
    from basicsr.metrics.psnr_ssim import calculate_ssim

    return float(calculate_ssim(a, b, crop_border=0))


def niqe(a: Bytes) -> float:
    """Naturalness (Mittal et al. 2013) of the luma by basicsr; NaN for a picture too small (under 192) or too plain for it."""
    from gpen_live.facedata import basicsr_compat

    basicsr_compat.prepare()
    from basicsr.metrics.niqe import calculate_niqe

    if min(a.shape[:2]) < 192:  # one block of 96 pixels has no covariance
        return float("nan")
    with np.errstate(all="ignore"):
        return float(calculate_niqe(a[..., ::-1], crop_border=0))


def colour_error(a: Bytes, truth: Bytes, mask: Mask) -> float:
    """Mean CIEDE2000 (Sharma et al. 2005) over the mask; NaN where the mask is empty."""
    if not mask.any():
        return float("nan")
    from skimage.color import deltaE_ciede2000, rgb2lab

    return float(deltaE_ciede2000(rgb2lab(a[mask]), rgb2lab(truth[mask])).mean())
