"""Transforms between frame and crop: scale, covered part, and where a picture must be shrunk before it is sampled."""

from __future__ import annotations

import math

import numpy as np

from gpen_live.faces.align import Matrix, invert
from gpen_live.frame import Size

Box = tuple[int, int, int, int]
"""Pixels x0, y0, x1, y1; ends excluded."""

_SHRINK = 0.6  # below this scale, bilinear sampling would alias: shrink by area first


def covered(matrix: Matrix, part: tuple[float, float, float, float], frame: Size) -> Box | None:
    """The pixels of the frame that a part of the crop (x0, y0, x1, y1 in its pixels) covers; None where they don't meet."""
    x0, y0, x1, y1 = part
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x0, y1, 1], [x1, y1, 1]], dtype=np.float64)
    points = corners @ invert(matrix).T
    left, top = np.floor(points.min(axis=0))
    right, bottom = np.ceil(points.max(axis=0)) + 1
    left, top = max(int(left), 0), max(int(top), 0)
    right, bottom = min(int(right), frame.width), min(int(bottom), frame.height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def scale_of(matrix: Matrix) -> float:
    """How much a transform enlarges (its linear part's geometric mean)."""
    (a, b, _), (c, d, _) = matrix.tolist()
    return math.sqrt(abs(a * d - b * c))


def shrink_of(matrix: Matrix) -> int:
    """By which whole factor a picture is to be shrunk before `matrix` samples it; 1 where bilinear sampling is enough."""
    scale = scale_of(matrix)
    return int(1 / max(scale, 1e-6) + 0.35) if scale < _SHRINK else 1


def area_first(matrix: Matrix, picture: Size) -> tuple[int, Matrix]:
    """The factor by which a whole picture of that size is shrunk before it is sampled, and the transform that then remains."""
    factor = shrink_of(matrix)
    if factor == 1 or min(picture.width, picture.height) < factor:
        return 1, matrix
    (a, b, x), (c, d, y) = matrix.tolist()
    offset = (factor - 1) / 2
    return factor, np.array([[a * factor, b * factor, (a + b) * offset + x], [c * factor, d * factor, (c + d) * offset + y]])
