"""The rival: the skin smoothing of GPUPixel 1.3, by the formula that its shaders publish, written anew for measuring.

After `beauty_face_unit_filter.cc`, `box_mono_blur_filter.cc` and `box_difference_filter.cc` of github.com/pixpark/gpupixel: the
picture is mixed with its local mean, the more the smaller the local variance and the more red there is. Radii are in pixels of
the picture, whatever the face's size; there is no mask.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_TAPS = (-14, -6, 0, 6, 14)  # radius 4 read in pairs, at 4 pixels' spacing
_WEIGHTS = (2 / 9, 2 / 9, 1 / 9, 2 / 9, 2 / 9)
_DELTA, _THETA = 7.07, 0.1
_TRIED = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_STEPS = 5  # of the search between two of them


def gpupixel(picture: Bytes, strength: float) -> Bytes:
    """A picture (H x W x 3, RGB) smoothed by `skin_smoothing` = `strength`; sharpening and whitening off.

    Its slider ends at 1, where it takes a quarter of the middle band; more makes the formula itself do more.
    """
    colour = picture.astype(np.float32) / 255
    mean = _mean(colour)
    variance = np.minimum(np.square((colour - mean) * _DELTA), 1).mean(axis=2)
    red = np.clip((np.minimum(colour[..., 0], mean[..., 0] - 0.1) - 0.2) * 4, 0, 1)
    share = np.clip((1 - variance / (variance + _THETA)) * red * strength, 0, 1)[..., None]
    return np.asarray(np.rint((colour + share * (mean - colour)) * 255), np.uint8)


def set_to(share: float, left: Callable[[float], float]) -> float:
    """The least strength at which `left(strength)` has fallen to `share`; where it never does, that at which it is least."""
    lefts: dict[float, float] = {}
    low = 0.0
    for high in _TRIED:
        lefts[high] = left(high)
        if lefts[high] <= share:
            break
        low = high
    else:
        return min(lefts, key=lambda strength: lefts[strength])
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) > share else (low, middle)
    return high


def _mean(colour: Floats) -> Floats:
    kernel = np.zeros(2 * _TAPS[-1] + 1, np.float32)
    kernel[np.array(_TAPS) + _TAPS[-1]] = _WEIGHTS
    return np.asarray(cv2.sepFilter2D(colour, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)
