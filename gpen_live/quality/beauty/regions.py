"""Where what lies in a face, by the 189 points that were set by hand on the Face Research Lab London Set (WebMorph's template).

Each region keeps a little clear of its border, since points are a pixel or two off, and of what the points only guess: a hairline
under hair. Hair and background are told from skin and from each other by colour as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.quality.skin import Mask

Bytes = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

REGIONS = ("eyes", "brows", "lips", "hair", "background")
"""Where nothing may change that is meant for skin."""

_EYES = ((18, 19, 20, 21, 22, 30, 29, 28), (23, 24, 25, 26, 27, 33, 32, 31))
_BROWS = ((71, 72, 73, 74, 75, 76, 84, 83), (77, 78, 79, 80, 81, 82, 86, 85))
_LIPS = (*range(87, 94), *range(108, 103, -1))
_NOSTRILS = ((61, 62, 63, 64, 65, 179, 180, 55), (66, 67, 68, 69, 70, 182, 181, 55))
_JAW = (109, 185, 110, 186, *range(111, 112), *range(125, 134), 114, 188, 113, 187, 112)
_HAIRLINE = tuple(range(144, 133, -1))
_FACE = (*_JAW, *_HAIRLINE)
_EARS = ((109, *range(115, 120), 111, 186, 110, 185), (112, *range(120, 125), 114, 188, 113, 187))
_HEAD = tuple(range(145, 158))
_CHIN = 129
_UNLIKE_SKIN = 14.0  # CIELAB distance from the skin's median beyond which a pixel between hairline and outline is hair
_LIKE_GROUND = np.array([30.0, 7.0, 7.0], np.float32)  # and by how much background may differ from the picture's corner


def regions(picture: Bytes, points: Points, side: int) -> dict[str, Mask]:
    """The regions of a photo and its skin, by name.

    Args:
        picture: H x W x 3, RGB.
        points: 189 x 2 (x, y) in its pixels.
        side: of the face's crop in pixels of the picture.

    Returns:
        H x W masks: REGIONS and "skin".
    """
    shape, unit = picture.shape[:2], side / 256

    def drawn(*outlines: Sequence[int]) -> Mask:
        return _polygons(shape, points, outlines)

    eyes, brows, lips = drawn(*_EYES), drawn(*_BROWS), drawn(_LIPS)
    face = drawn(_FACE)
    around = grown(eyes, 5 * unit) | grown(brows, 4 * unit) | grown(lips, 3 * unit) | grown(drawn(*_NOSTRILS), 1 * unit)
    lab = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), unit).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    candidates = shrunk(face, 5 * unit) & ~around
    away = np.linalg.norm(lab - np.median(lab[candidates], axis=0), axis=2)
    rows = np.arange(shape[0])[:, None] * np.ones(shape[1], int)
    above_chin = rows < points[_CHIN, 1]
    head = drawn(_HEAD)
    hair = shrunk(head, 4 * unit) & ~grown(face, 3 * unit) & ~grown(drawn(*_EARS), 3 * unit) & (rows < points[111, 1])
    corner = lab[: round(8 * unit), : round(8 * unit)].reshape(-1, 3)
    ground = (np.abs(lab - np.median(corner, axis=0)) < _LIKE_GROUND).all(axis=2)
    beside = ~grown(head | face | drawn(*_EARS), 6 * unit) & above_chin
    return {
        "eyes": shrunk(eyes, unit),
        "brows": shrunk(brows, 2 * unit),
        "lips": shrunk(lips, 2 * unit),
        "hair": shrunk(hair & (away > _UNLIKE_SKIN) & ~ground, 2 * unit),
        "background": shrunk(beside & ground, 2 * unit),
        "skin": shrunk(candidates & (away < 2 * _UNLIKE_SKIN), unit),
    }


def strength(before: Bytes, after: Bytes, mask: Mask) -> tuple[float, float]:
    """By how many levels a region has changed: the mean, and what 99 of 100 pixels keep within; 0 for an empty region.

    A pixel counts by its channel that changed most.
    """
    if not mask.any():
        return 0.0, 0.0
    change = np.abs(after[mask].astype(np.int16) - before[mask]).max(axis=1)
    return float(change.mean()), float(np.percentile(change, 99))


def _polygons(shape: tuple[int, ...], points: Points, outlines: Sequence[Sequence[int]]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.rint(points[list(outline)] * 16).astype(np.int32)], (1,), shift=4)
    return mask > 0


def grown(mask: Mask, pixels: float) -> Mask:
    """The mask and all within `pixels` of it."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= pixels)


def shrunk(mask: Mask, pixels: float) -> Mask:
    """What of the mask is more than `pixels` from its edge."""
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) > pixels)
