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
_STEPS = 7  # of the search for a strength


def gpupixel(picture: Bytes, strength: float) -> Bytes:
    """A picture (H x W x 3, RGB) smoothed by `skin_smoothing` = `strength`, 0..1; sharpening and whitening off."""
    colour = picture.astype(np.float32) / 255
    mean = _mean(colour)
    variance = np.minimum(np.square((colour - mean) * _DELTA), 1).mean(axis=2)
    red = np.clip((np.minimum(colour[..., 0], mean[..., 0] - 0.1) - 0.2) * 4, 0, 1)
    share = np.clip((1 - variance / (variance + _THETA)) * red * strength, 0, 1)[..., None]
    return np.asarray(np.rint((colour + share * (mean - colour)) * 255), np.uint8)


def set_to(share: float, left: Callable[[float], float]) -> float:
    """The strength, 0..1, at which `left(strength)`, falling, is `share`; 1 where it never falls so far."""
    if left(1.0) >= share:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) > share else (low, middle)
    return (low + high) / 2


def _mean(colour: Floats) -> Floats:
    kernel = np.zeros(2 * _TAPS[-1] + 1, np.float32)
    kernel[np.array(_TAPS) + _TAPS[-1]] = _WEIGHTS
    return np.asarray(cv2.sepFilter2D(colour, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)
