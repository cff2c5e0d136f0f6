"""Whom the look serves worse: what it does to a skin's lightness and hue, and how much it helps, by group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.quality.groups import SMALLEST
from gpen_live.quality.skin import Mask

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]

_COLOURED = 2.0  # CIELAB chroma below which a skin has no hue to speak of


@dataclass(frozen=True, slots=True)
class Tone:
    """The mean colour of a skin: CIELAB lightness, and the angle of its hue in degrees (NaN for grey)."""

    lightness: float
    hue: float


@dataclass(frozen=True, slots=True)
class Served:
    """One group.

    Args:
        group: its name. faces: how many were measured.
        lightness, hue: mean change, and `most_lightness`, `most_hue` that of the face which changes most.
        gain: mean gain, and `share` of the mean over all faces; NaN without a gain.
    """

    group: str
    faces: int
    lightness: float
    hue: float
    most_lightness: float
    most_hue: float
    gain: float
    share: float

    @property
    def counts(self) -> bool:
        """It has enough faces to be called the worst."""
        return self.faces >= SMALLEST


def tone_of(picture: Bytes, skin: Mask) -> Tone:
    """The tone of a picture's skin (H x W x 3, RGB; H x W)."""
    if not skin.any():
        return Tone(math.nan, math.nan)
    lightness, red, yellow = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[skin].mean(axis=0).tolist()
    coloured = math.hypot(red, yellow) >= _COLOURED
    return Tone(lightness, math.degrees(math.atan2(yellow, red)) if coloured else math.nan)


def shift(before: Tone, after: Tone) -> tuple[float, float]:
    """By how much lightness and hue have changed; the hue's sign is towards yellow, -180 to 180 degrees."""
    return after.lightness - before.lightness, (after.hue - before.hue + 180) % 360 - 180


def by_group(labels: Sequence[str], lightness: Values, hue: Values, gain: Values) -> list[Served]:
    """How each group fares, in the order in which the labels first name them.

    Args:
        labels: one for each face. lightness, hue: by how much each face's changed. gain: of each face; NaN where not measured.
    """
    overall = _mean(gain)
    rows = []
    for label in dict.fromkeys(labels):
        mine = np.array([each == label for each in labels]) & ~np.isnan(lightness)
        if not mine.any():
            continue
        helped = _mean(gain[mine])
        rows.append(
            Served(
                group=label,
                faces=int(mine.sum()),
                lightness=_mean(lightness[mine]),
                hue=_mean(hue[mine]),
                most_lightness=_most(lightness[mine]),
                most_hue=_most(hue[mine]),
                gain=helped,
                share=helped / overall if overall > 0 else math.nan,
            )
        )
    return rows


def _mean(values: Values) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _most(values: Values) -> float:
    known = values[~np.isnan(values)]
    return float(known[np.abs(known).argmax()]) if len(known) else math.nan
