"""What the host tells the kernels about each face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gpen_live.engine.paths.canvas import area_first
from gpen_live.faces.align import Matrix, invert
from gpen_live.frame import Size

NUMBERS = 18
WEIGHT, RECALLED, KEPT = 14, 15, 16
"""How many numbers there are a face, and the places of some; see `gpen_live.engine.paths.cuda.kernels`."""


def face_numbers(matrix: Matrix, size: int, height: int, width: int, weight: float) -> npt.NDArray[np.float32]:
    """The numbers of a face with the frame-to-crop transform `matrix`.

    Args:
        size: of the crop in pixels. height, width: of the frame.
        weight: of what the network changed, 0..1.
    """
    numbers = np.zeros(NUMBERS, np.float32)
    factor, forth = area_first(matrix, Size(width, height))
    numbers[0:6] = invert(forth).ravel()
    numbers[6] = factor
    factor, back = area_first(invert(matrix), Size(size, size))
    numbers[7:13] = invert(back).ravel()
    numbers[13] = factor
    numbers[WEIGHT] = 127.5 * weight
    return numbers
