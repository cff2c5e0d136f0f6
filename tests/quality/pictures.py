"""Pictures for the tests: scikit-image's astronaut, aligned."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from skimage.data import astronaut

from gpen_live.quality.photos import MARGIN, aligned

Bytes = npt.NDArray[np.uint8]
Picture = npt.NDArray[np.float32]

EYES_NOSE_MOUTH = [[205.0, 110.5], [246.5, 109.0], [226.0, 135.0], [209.0, 151.0], [247.0, 150.0]]  # by eye


@cache
def canvas(size: int = 256) -> Bytes:
    """The astronaut's face with its margin, RGB."""
    return aligned(np.asarray(astronaut(), np.uint8), EYES_NOSE_MOUTH, size)


def portrait(size: int = 256) -> Bytes:
    """The crop alone."""
    return np.ascontiguousarray(canvas(size)[MARGIN:-MARGIN, MARGIN:-MARGIN])
