"""Alignment: the similarity transform that takes five landmarks onto the template that a network was trained with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""Five landmarks, 5 x 2 (x, y): left eye, right eye, nose, left and right mouth corner, as seen in the picture."""

Matrix = npt.NDArray[np.float64]
"""An affine transform, 2 x 3, pixel centres at integer coordinates (OpenCV's convention)."""

GPEN_TEMPLATE: Points = np.array(
    [
        [0.394611, 0.474383],
        [0.604356, 0.473223],
        [0.500150, 0.593670],
        [0.413984, 0.716461],
        [0.587678, 0.715501],
    ]
)
"""GPEN's template as fractions of the crop side (facexlib's FFHQ template is another one)."""


def similarity(source: npt.ArrayLike, target: npt.ArrayLike) -> Matrix:
    """The least-squares similarity transform (rotation, uniform scale, translation; no mirroring) from `source` to `target`.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991, in its closed form
    for the plane.

    Args:
        source, target: N x 2 points, N >= 2.

    Raises:
        ValueError: the points are not finite, or all source points coincide.
    """
    src = np.asarray(source, dtype=np.float64)
    dst = np.asarray(target, dtype=np.float64)
    if not (np.isfinite(src).all() and np.isfinite(dst).all()):
        raise ValueError("landmarks are not finite")
    src_mean, dst_mean = src.mean(axis=0), dst.mean(axis=0)
    s, d = src - src_mean, dst - dst_mean
    spread = float((s * s).sum())
    if spread < 1e-12:
        raise ValueError("landmarks coincide")
    a = float((s * d).sum()) / spread
    b = float((s[:, 0] * d[:, 1] - s[:, 1] * d[:, 0]).sum()) / spread
    (x, y), (u, v) = src_mean.tolist(), dst_mean.tolist()
    return np.array([[a, -b, u - (a * x - b * y)], [b, a, v - (b * x + a * y)]])


def invert(matrix: Matrix) -> Matrix:
    """The inverse of an affine transform. Raises ZeroDivisionError for one that has none.

    Written out: for six numbers NumPy's calls cost more than the arithmetic, and this is done several times a frame.
    """
    (a, b, x), (c, d, y) = matrix.tolist()
    scale = 1.0 / (a * d - b * c)
    p, q, r, s = d * scale, -b * scale, -c * scale, a * scale
    return np.array([[p, q, -(p * x + q * y)], [r, s, -(r * x + s * y)]])


def to_template(landmarks: npt.ArrayLike, size: int, template: Points = GPEN_TEMPLATE) -> Matrix:
    """The transform from frame pixels to the pixels of a `size` x `size` crop on `template`.

    Template fractions f are at pixel f * size, as in GPEN's published alignment.
    """
    return similarity(landmarks, template * size)
