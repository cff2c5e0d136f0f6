"""What the host tells the kernels about each face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gpen_live.engine.paths.geometry import area_first
from gpen_live.faces.align import Matrix, invert
from gpen_live.frame import Size

NUMBERS = 20
WEIGHT, RECALLED, KEPT, FADE, LEVELS = 14, 15, 16, 17, 18
"""How many numbers there are a face, and the places of some; see `gpen_live.engine.paths.cuda.kernels`."""


def face_numbers(matrix: Matrix, size: int, height: int, width: int, strength: float, fade: float) -> npt.NDArray[np.float32]:
    """The numbers of a face with the frame-to-crop transform `matrix`.

    Args:
        size: of the crop in pixels. height, width: of the frame.
        strength: of what the network changed, 0..1. fade: of all that changes, 0..1.
    """
    numbers = np.zeros(NUMBERS, np.float32)
    factor, forth = area_first(matrix, Size(width, height))
    numbers[0:6] = invert(forth).ravel()
    numbers[6] = factor
    factor, back = area_first(invert(matrix), Size(size, size))
    numbers[7:13] = invert(back).ravel()
    numbers[13] = factor
    weigh(numbers, strength, fade)
    return numbers


def weigh(numbers: npt.NDArray[np.float32], strength: float, fade: float) -> None:
    """Sets the weights among the numbers of a face, or of the whole frame; see `face_numbers`."""
    numbers[WEIGHT] = 127.5 * strength * fade
    numbers[FADE] = fade
    numbers[LEVELS] = 127.5 * strength
