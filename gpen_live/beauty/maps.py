"""Square maps of a crop: what the modules do to them all the time, with types."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.beauty.constants import LUMA

Floats = npt.NDArray[np.float32]

LUMA_OF_BGR = np.array(LUMA, np.float32)


def resized(one: Floats, width: int, height: int | None = None) -> Floats:
    """A map (h x w, or h x w x k) at another size, square if no height is given: by area where it shrinks, else bilinear."""
    size = (width, width if height is None else height)
    one = np.ascontiguousarray(one)
    shrinks = size[0] < one.shape[1]
    if shrinks and (one.shape[1], one.shape[0]) == (2 * size[0], 2 * size[1]):
        shrinks = False  # at half the size the two are one, and bilinear takes a third of the time
    return np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.float32)


def remapped(one: Floats, pixels: Floats) -> Floats:
    """A map (h x w x k, k at most 4) at pixels (m x n x 2, x and y), bilinear; beyond its border as at it."""
    nothing = np.empty(0, np.float32)  # both coordinates are in `pixels`
    return np.asarray(cv2.remap(one, pixels, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def luma(picture: Floats) -> Floats:
    """Of h x w x 3, BGR: h x w."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2GRAY), np.float32)


def times(maps: Any, one: Any) -> Floats:
    """Maps (h x w x k) times one (h x w); NumPy's broadcasting takes eight times as long."""
    return np.asarray(cv2.multiply(maps, cv2.merge([one] * maps.shape[2])), np.float32)


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
