"""How much of the skin's texture is left: the energy of two bands of its lightness.

Wavelengths are fractions of the crop's side, named by their pixels in a crop of 256: the fine band (2 to 4 pixels: pores, fine
hair) should stay, the middle one (6 to 24 pixels: blotches, bumps) is what smoothing is to take away.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.quality.beauty.regions import shrunk
from gpen_live.quality.skin import Mask

Bytes = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float64]

FINE = (2.0, 4.0)
MIDDLE = (6.0, 24.0)
"""Wavelengths in pixels of a crop of 256."""
_SLOPE = 0.25  # octaves over which a band begins and ends
_RIM = 2  # pixels of a crop of 256 at the mask's edge that are not counted: there, the fill shines in
_ROOM = 24  # pixels of a crop of 256 around the mask in which the fill comes to rest
_LUMA = np.array([0.299, 0.587, 0.114])


def energies(picture: Bytes, mask: Mask, side: int) -> tuple[float, float]:
    """The mean squares, in levels squared, of the fine and the middle band of the luma on the mask.

    What lies outside the mask is filled in smoothly first, else the edges of eyes and mouth would ring into the skin.

    Args:
        picture: H x W x 3, RGB, H and W even.
        mask: H x W, the skin.
        side: of the face's crop in pixels of the picture: what the wavelengths are fractions of.

    Returns:
        Fine and middle; NaN without skin.
    """
    inner = shrunk(mask, _RIM * side / 256)
    if not inner.any():
        return math.nan, math.nan
    box = _around(mask, round(_ROOM * side / 256))
    mask, inner = mask[box], inner[box]
    spectrum = np.fft.rfft2(_filled(picture[box] @ _LUMA, mask))
    height, width = mask.shape
    fine, middle = (
        float(np.square(np.fft.irfft2(spectrum * _pass(height, width, side, band), s=mask.shape))[inner].mean())
        for band in (FINE, MIDDLE)
    )
    return fine, middle


def _around(mask: Mask, room: int) -> tuple[slice, slice]:
    """The part of the picture that holds the mask and some room, of even sides."""
    ends = []
    for length, found in zip(mask.shape, (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)), strict=True):
        first, last = max(0, int(found[0]) - room), min(length, int(found[-1]) + 1 + room)
        ends.append(slice(first, last - (last - first) % 2))
    return ends[0], ends[1]


def _filled(plane: Plane, mask: Mask) -> Plane:
    """The plane with everything outside the mask continued from inside, ever more smoothly (pull and push)."""
    weight = mask.astype(np.float64)
    levels = [(plane * weight, weight)]
    while min(levels[-1][0].shape) > 2:
        total, share = levels[-1]
        levels.append((np.asarray(cv2.pyrDown(total), np.float64), np.asarray(cv2.pyrDown(share), np.float64)))
    value = np.full_like(levels[-1][0], plane[mask].mean())
    for total, share in reversed(levels):
        coarser = np.asarray(cv2.resize(value, total.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float64)
        value = total + (1 - np.clip(share, 0, 1)) * coarser
    return value


@lru_cache(maxsize=32)
def _pass(height: int, width: int, side: int, band: tuple[float, float]) -> Plane:
    """The gain of each frequency of `rfft2`: 1 within the band, 0 outside, half a cosine over _SLOPE octaves."""
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    octave = np.log2(np.maximum(np.hypot(y, x) * side / 256, 1e-9))
    low, high = (math.log2(1 / wavelength) for wavelength in reversed(band))

    def rises(edge: float) -> Plane:
        return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip((octave - edge) / _SLOPE + 0.5, 0, 1)))

    return np.asarray(rises(low) * (1 - rises(high)))
