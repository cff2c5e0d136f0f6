"""The dense mesh of a face: 478 points in the aligned crop, what they are, and how they go on over time.

Points are fractions of the crop's side, x to the right and y down, 0 at its left and upper edges, so that nothing depends on
its size: f is at pixel f * side - 0.5. Depth (z) has the same unit, is smaller towards the camera, and 0 about at the face's
centre. "Left" is left in the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gpen_live.faces.smooth import LONGEST_S
from gpen_live.nets.face_mesh import BASE_POINTS, EYE_EDGE, POINTS, SIDE
from gpen_live.nets.face_mesh import LEFT_EYE as _LEFT_EYE
from gpen_live.nets.face_mesh import LIPS as _LIPS
from gpen_live.nets.face_mesh import RIGHT_EYE as _RIGHT_EYE

Floats = npt.NDArray[np.float32]

WINDOW: Final = (0.06, 0.095, 0.88)
"""What the mesh's network sees of the aligned crop, in its sides: left, top, side. Lower than the middle: a chin that is cut off
is not found."""


def window(side: int) -> tuple[int, int, int, int]:
    """The same in pixels of a crop of `side` pixels: left, top, side, and the side of boxes in it.

    The picture is reduced to the means of these boxes, then to the network's size between their centres (bilinear). They go up
    evenly, and in a row there are at least as many as the network's picture has pixels, but not twice as many.
    """
    left, top, width = (each * side for each in WINDOW)
    box = max(1, int(width / SIDE))
    return round(left), round(top), round(width / box) * box, box


@dataclass(frozen=True)
class Mesh:
    """A face's points and how sure it is that they are a face's.

    Args:
        points: 478 x 3, fractions of the crop's side. score: 0..1.
    """

    points: Floats
    score: float


Indices = tuple[int, ...]

FACE_OVAL: Final[Indices] = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The face's outline, closed, from the middle of the forehead over the right side; on the forehead it lies below the hairline."""

JAW: Final[Indices] = tuple(reversed(FACE_OVAL[8:29]))
"""From the left ear over the chin (its eleventh point) to the right ear."""

LIPS_OUTER: Final[Indices] = (*_LIPS[:11], *reversed(_LIPS[11:20]))
LIPS_INNER: Final[Indices] = (*_LIPS[20:31], *reversed(_LIPS[31:40]))
"""The lips' edges, each closed: from the left corner over the lower lip to the right corner (its eleventh point) and back."""

LEFT_EYE: Final[Indices] = (*_LEFT_EYE[:9], *reversed(_LEFT_EYE[9:EYE_EDGE]))
RIGHT_EYE: Final[Indices] = (*_RIGHT_EYE[:9], *reversed(_RIGHT_EYE[9:EYE_EDGE]))
"""An eye's edge, closed: from the outer corner over the lower lid to the inner corner (its ninth point)."""

LEFT_UNDER_EYE: Final[Indices] = _LEFT_EYE[32:41]
RIGHT_UNDER_EYE: Final[Indices] = _RIGHT_EYE[32:41]
"""The fold below the eye, from the outer to the inner corner."""

LEFT_IRIS: Final[Indices] = (469, 470, 471, 472)
RIGHT_IRIS: Final[Indices] = (474, 475, 476, 477)
"""Four points of an iris' edge, around it."""
LEFT_PUPIL: Final = 468
RIGHT_PUPIL: Final = 473

LEFT_BROW: Final[Indices] = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
RIGHT_BROW: Final[Indices] = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
"""A brow, closed: its upper edge from the outer to the inner end, then its lower edge back."""

NOSE_BASE: Final[Indices] = (64, 98, 97, 2, 326, 327, 294)
"""The lower edge, from wing to wing."""

NOSE_TIP: Final = 1
CHIN: Final = 152
FOREHEAD: Final = 10
MOUTH_CORNERS: Final = (61, 291)
CHEEKS: Final = (50, 280)
"""Left and right, where blush lies."""

_ABOUT: Final = np.load(Path(__file__).with_name("mesh.npz"), allow_pickle=False)

CANONICAL: Final[Floats] = _ABOUT["points"]
"""478 x 3: the mean of many frontal faces with closed mouths in their crops, symmetric about x = 0.5 (training/face_mesh.py)."""
CANONICAL.setflags(write=False)

MIRROR: Final[npt.NDArray[np.int16]] = _ABOUT["mirror"]
"""478: the point on the face's other side."""

TRIANGLES: Final[npt.NDArray[np.int16]] = _ABOUT["triangles"]
"""T x 3: a surface over all but the irises' points, eyes and mouth closed; their normals look at the camera."""

EARS: Final = (234, 454)
"""The outline's points before the ears, left and right."""

HIDDEN, SEEN = 0.08, 0.18
"""Shares of the outline's width on the nose's narrower side, between which the far side is a guess and is seen."""


def frontality(points: Floats) -> float:
    """How much is seen of a face's far side: 1 up to about 40 degrees from the front, falling to 0 at about 60.

    It goes by how far between both sides of the outline the nose's tip lies; the far side's points are guessed where it is at the
    edge.

    Args:
        points: 478 x 3.
    """
    left, right, nose = (points[index, :2].astype(np.float64) for index in (*EARS, NOSE_TIP))
    across = right - left
    share = float((nose - left) @ across) / max(float(across @ across), 1e-12)
    return min(max((min(share, 1 - share) - HIDDEN) / (SEEN - HIDDEN), 0.0), 1.0)


def normals(points: Floats) -> Floats:
    """The surface's unit normals at its points, 468 x 3, towards the camera where a face looks into it (z is negative).

    Args:
        points: 478 x 3.
    """
    a, b, c = points[TRIANGLES.T]
    faces = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    sums = np.stack([np.bincount(TRIANGLES.ravel(), faces[:, axis], BASE_POINTS) for axis in range(3)], axis=1)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-12), np.float32)


def _gain(cutoff: Any, step: float) -> Any:
    """Gain of a first-order low-pass with a cut-off in Hz for a step of `step` seconds."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * step))


def _numbered(*parts: Indices) -> npt.NDArray[np.intp]:
    out = np.zeros(POINTS, np.intp)
    for number, part in enumerate(parts, 1):
        out[list(part)] = number
    out.setflags(write=False)
    return out


PART_OF: Final = _numbered(
    _LIPS,
    _LEFT_EYE[: 2 * EYE_EDGE],
    _RIGHT_EYE[: 2 * EYE_EDGE],
    (LEFT_PUPIL, *LEFT_IRIS),
    (RIGHT_PUPIL, *RIGHT_IRIS),
)
"""478: which part of a face a point moves with: 1 lips, 2 and 3 lids, 4 and 5 irises, 0 all else."""
_COUNTS: Final = np.bincount(PART_OF)

MIN_CUTOFF: Final = 1.0
BETA: Final = 160.0
SPEED_CUTOFF: Final = 5.0
"""Of the filter, see `MeshFilter`."""


class MeshFilter:
    """A One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) over a mesh: still faces are still, fast ones keep up.

    The cut-off goes by the mean speed (RMS) of the points that move together (`PART_OF`), so that a blink or a glance on a still
    face is quick and parts keep their shape.

    Args:
        min_cutoff: cut-off of a still face in Hz. beta: its gain in Hz per (crop side / s).
        speed_cutoff: of the speed's estimate, in Hz.
    """

    def __init__(self, *, min_cutoff: float = MIN_CUTOFF, beta: float = BETA, speed_cutoff: float = SPEED_CUTOFF) -> None:
        self._min_cutoff, self._beta, self._speed_cutoff = min_cutoff, beta, speed_cutoff
        self._value: Floats | None = None
        self._measured: Floats = np.zeros((POINTS, 3), np.float32)
        self._velocity: Floats = np.zeros((POINTS, 3), np.float32)
        self._at = 0.0

    def __call__(self, points: Floats, at: float) -> Floats:
        """The smoothed points (478 x 3) for a measurement at `at` seconds, media time."""
        step = at - self._at
        if self._value is None or not 0 < step <= LONGEST_S:
            self._value = self._measured = np.array(points, np.float32)
            self._velocity = np.zeros_like(self._value)
            self._at = at
            return self._value
        velocity = (points - self._measured) / np.float32(step)
        self._velocity = self._velocity + _gain(self._speed_cutoff, step) * (velocity - self._velocity)
        speeds = np.sqrt(np.bincount(PART_OF, (self._velocity[:, :2] ** 2).sum(axis=1)) / _COUNTS)
        cutoffs = np.asarray(self._min_cutoff + self._beta * speeds, np.float32)[PART_OF]
        self._value = self._value + _gain(cutoffs[:, None], step) * (points - self._value)
        self._measured, self._at = np.array(points, np.float32), at
        return self._value
