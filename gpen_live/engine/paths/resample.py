"""A picture at another size by filters as wide as it shrinks, as PyTorch's `interpolate` with antialias: NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def bilinear(planes: Floats, height: int, width: int) -> Floats:
    """`planes` (C x H x W) at height x width, for shrinking."""
    return _resampled(planes, height, width, _triangle, 1.0)


def bicubic(planes: Floats, height: int, width: int) -> Floats:
    """`planes` (C x H x W) at height x width, for enlarging; may leave the range of its values."""
    return _resampled(planes, height, width, _cubic, 2.0)


def _resampled(planes: Floats, height: int, width: int, weight: Callable[[float], float], reach: float) -> Floats:
    rows, columns = _weights(planes.shape[1], height, weight, reach), _weights(planes.shape[2], width, weight, reach)
    return np.asarray(rows @ planes @ columns.T, np.float32)


def _triangle(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _cubic(x: float) -> float:
    """Keys's with a = -0.5."""
    x = abs(x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 if x < 2.0 else 0.0


@lru_cache(8)
def _weights(old: int, new: int, weight: Callable[[float], float], reach: float) -> Floats:
    """How much each of `old` pixels gives to each of `new` ones: new x old."""
    scale = old / new
    wide = max(scale, 1.0)
    made = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * scale
        first, last = max(0, int(centre - reach * wide + 0.5)), min(old, int(centre + reach * wide + 0.5))
        for j in range(first, last):
            made[i, j] = weight((j + 0.5 - centre) / wide)
    return np.asarray(made / made.sum(axis=1, keepdims=True), np.float32)
