"""What is done to square maps as matrices: a map m becomes a @ m @ a.T, the same on every device."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from gpen_live.beauty.maps import Floats, blurred


@cache
def resizing(before: int, after: int) -> Floats:
    """After x before: as `gpen_live.beauty.maps.resized`, by area where it shrinks, else bilinear."""
    scale, at = before / after, np.arange(before)
    if after < before:
        first = np.arange(after)[:, None] * scale
        cover = np.minimum(first + scale, at + 1) - np.maximum(first, at)
        return np.asarray(np.clip(cover, 0, 1) / scale, np.float32)
    place = np.clip((np.arange(after) + 0.5) * scale - 0.5, 0, before - 1)
    return np.asarray(np.clip(1 - np.abs(place[:, None] - at), 0, 1), np.float32)


@cache
def blurring(side: int, sigma: float) -> Floats:
    """Side x side: as `gpen_live.beauty.maps.blurred`."""
    return np.asarray(blurred(np.eye(side, dtype=np.float32)[None], sigma)[0], np.float32)


@cache
def boxing(side: int, width: int) -> Floats:
    """Side x side: as OpenCV's `blur`, the mean of `width` neighbours."""
    return np.asarray(cv2.blur(np.eye(side, dtype=np.float32)[None], (width, 1))[0], np.float32)
