"""What is asked for, as numbers that move: a face's own values, each of which fades to what is wished for."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from gpen_live.beauty.constants import FADE_S
from gpen_live.faces.smooth import LONGEST_S
from gpen_live.look import CONTROLS, Beauty

Vector = npt.NDArray[np.float32]

_NUMBERS = tuple(one.name for one in CONTROLS if one.number)

DIALS: Final = (
    *_NUMBERS,
    "keep_moles",
    *(f"lips_color_{channel}" for channel in "bgr"),
    *(f"blush_color_{channel}" for channel in "bgr"),
)
"""The order of the numbers in a vector of dials: the controls', `keep_moles` as 0 or 1, the colours' channels in linear light."""

AT: Final = {name: index for index, name in enumerate(DIALS)}
"""Where each number lies in a vector of dials."""

_BY_GROUP = {
    group: np.array([AT[one.name] for one in CONTROLS if one.number and one.group == group])
    for group in ("skin", "face", "shape", "makeup")
}
_AMOUNTS = np.array([AT[name] for name in _NUMBERS if name != "lips_gloss"])
_COLOURS = np.array([index for index, name in enumerate(DIALS) if "_color_" in name])


def wished(beauty: Beauty) -> Vector:
    """The dials for a look, `amount` taken into account."""
    scaled = beauty.scaled
    numbers = [getattr(scaled, name) for name in _NUMBERS]
    colours = (*linear_bgr(scaled.lips_color), *linear_bgr(scaled.blush_color))
    return np.array([*numbers, float(scaled.keep_moles), *colours], np.float32)


def linear_bgr(colour: str) -> tuple[float, float, float]:
    """A colour, `#rrggbb` of sRGB, as blue, green and red in linear light, 0 to 1."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _linear(blue), _linear(green), _linear(red)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


class Values:
    """One face's dials over time, and how far the mesh fits it.

    What comes into view fades in by itself (`FaceCrop.fade`), so the first values are as wished for, and those after a pause or
    another scene; later ones move over FADE_S.
    """

    def __init__(self) -> None:
        self._dials: Vector | None = None
        self._found = self._frontal = 1.0
        self._at = 0.0

    @property
    def nothing(self) -> bool:
        """No control is above nothing any more."""
        return self._dials is None or not self._dials[_AMOUNTS].any()

    def __call__(self, wish: Vector, at: float, found: float, frontal: float) -> Vector:
        """The dials of a frame.

        Args:
            wish: see `wished`. at: the frame's media time in seconds.
            found: whether a face is there for the mesh to lie on, 0..1: nothing is drawn without.
            frontal: how far the face looks this way, 0..1: what is drawn by the mesh's outlines fades in profile.
        """
        if self._dials is None or not 0 <= at - self._at <= LONGEST_S:
            self._dials, self._found, self._frontal = wish.copy(), found, frontal
        else:
            step = (at - self._at) / FADE_S
            self._dials = self._dials + np.clip(wish - self._dials, -step, step)
            self._found += min(max(found - self._found, -step), step)
            self._frontal += min(max(frontal - self._frontal, -step), step)
        self._at = at
        shown = self._dials.copy()
        shown[_AMOUNTS] *= self._found
        for group in ("face", "shape", "makeup"):
            shown[_BY_GROUP[group]] *= self._frontal
        return shown
