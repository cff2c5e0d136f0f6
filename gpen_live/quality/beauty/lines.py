"""Straight lines beside a face, and by how much a look bends them: door frames and shelves, drawn where the background is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.quality.skin import Mask

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_WIDTH, _CONTRAST = 1.4, 70.0  # a line's deviation in pixels, and how much darker it is in levels
_REACH = 5  # pixels to each side in which a line is looked for
_SPACING = 0.08  # of the crop's side between two lines
_CLEAR = 0.8  # a piece of line counts where so much of its window was background


@dataclass(frozen=True, slots=True)
class Bent:
    """By how many pixels lines are bent at most: anywhere, and `beyond` a quarter of the face's width from the face.

    NaN where no line could be seen there.
    """

    anywhere: float
    beyond: float


def drawn(picture: Bytes, background: Mask, side: int) -> tuple[Bytes, list[float]]:
    """The picture with upright lines behind the person, and their x.

    Args:
        picture: H x W x 3, RGB. background: H x W, where lines can be seen. side: of the face's crop in its pixels.
    """
    width = picture.shape[1]
    places = np.arange(_REACH + 2.3, width - _REACH - 2, _SPACING * side).tolist()
    columns = np.arange(width)
    dark = sum(np.exp(-np.square((columns - x) / _WIDTH) / 2) for x in places) * _CONTRAST
    soft = cv2.GaussianBlur(background.astype(np.float32), (0, 0), 1.0)[..., None]
    return np.asarray(np.rint(np.clip(picture - dark[None, :, None] * soft, 0, 255)), np.uint8), places


def bent(before: Bytes, after: Bytes, places: list[float], background: Mask, face: tuple[float, float]) -> Bent:
    """By how much the lines of `drawn` have moved, row by row.

    Args:
        before, after: the picture with lines, and what the look made of it.
        background: as given to `drawn`.
        face: x of the face's left and right edge at its widest.
    """
    quarter = (face[1] - face[0]) / 4
    anywhere, beyond = [], []
    for x in places:
        left = round(x) - _REACH
        window = slice(left, left + 2 * _REACH + 1)
        clear = background[:, window].mean(axis=1) >= _CLEAR
        if not clear.any():
            continue
        moved = np.abs(_centre(after[clear, window]) - _centre(before[clear, window]))
        moved = moved[~np.isnan(moved)]
        # Five rows together, so that the picture's own grain is not taken for a bend.
        if len(moved) >= 5:
            moved = np.convolve(moved, np.ones(5) / 5, mode="valid")
        anywhere += moved.tolist()
        if min(abs(x - face[0]), abs(x - face[1])) > quarter and not face[0] < x < face[1]:
            beyond += moved.tolist()
    return Bent(max(anywhere, default=float("nan")), max(beyond, default=float("nan")))


def _centre(windows: Bytes) -> Floats:
    """The place of a dark line in each row, from the window's left edge; NaN where there is none."""
    luma = windows.astype(np.float64).mean(axis=2)
    depth = np.maximum(np.median(luma, axis=1, keepdims=True) - luma - 4, 0)
    total = depth.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (depth * np.arange(luma.shape[1])).sum(axis=1) / total
    return np.where(total > _CONTRAST / 2, centre, np.nan)
