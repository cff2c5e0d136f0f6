"""Square maps of a crop: what the modules do to them all the time, with types."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.beauty.constants import LUMA

Floats = npt.NDArray[np.float32]

LUMA_OF_BGR = np.array(LUMA, np.float32)


def resized(one: Floats, side: int) -> Floats:
    """A map (n x n, or n x n x k) at another side: by area where it shrinks, else bilinear."""
    method = cv2.INTER_AREA if side < one.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(one), (side, side), interpolation=method), np.float32)


def luma(picture: Floats) -> Floats:
    """Of h x w x 3, BGR: h x w."""
    return np.asarray(picture @ LUMA_OF_BGR, np.float32)


def blurred(maps: Floats, sigma: float) -> Floats:
    """A Gaussian blur of deviation `sigma` pixels, nearly: two box filters."""
    side = max(1, 2 * round((math.sqrt(6 * sigma * sigma + 1) - 1) / 2) + 1)
    once = cv2.blur(maps, (side, side), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.blur(once, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)


def step(value: Floats, least: float, most: float) -> Floats:
    """0 up to `least`, 1 from `most` on, smooth between."""
    t = np.clip((value - np.float32(least)) * np.float32(1 / (most - least)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def step_of(value: float, least: float, most: float) -> float:
    """The same of one number."""
    t = min(max((value - least) / (most - least), 0.0), 1.0)
    return t * t * (3 - 2 * t)
