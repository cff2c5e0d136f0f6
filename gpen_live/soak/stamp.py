"""A number drawn into a picture: it survives scaling, conversion and what is done elsewhere in the picture."""

from __future__ import annotations

from typing import Final

import numpy as np

from gpen_live.frame import Array, Image, Size

NUMBERS: Final = 1 << 32
SMALLEST: Final = Size(256, 144)
"""Cells are four pixels wide then."""

_ACROSS, _DOWN = 64, 36  # cells that a frame would hold; these are in its lower left corner, where no overlay lies
_COLUMNS, _ROWS = 20, 2
_BITS = np.arange(_COLUMNS * _ROWS)


def write(image: Image, number: int) -> None:
    """Draws `number` (0 to NUMBERS - 1) with its check sum into `image` (H x W x 3, uint8, at least SMALLEST), black on white."""
    bits = ((number << 8 | _check(number)) >> _BITS & 1).astype(np.uint8).reshape(_ROWS, _COLUMNS) * 255
    height, width = image.shape[:2]
    across, down = _edges(width, _ACROSS, 0, _COLUMNS), _edges(height, _DOWN, _DOWN - _ROWS, _ROWS)
    cells = np.repeat(np.repeat(bits, np.diff(down), axis=0), np.diff(across), axis=1)
    image[down[0] : down[-1], across[0] : across[-1]] = cells[:, :, None]


def read(brightness: Array) -> int | None:
    """The number in a picture of any size, H x W, 0 to 255; None when there is none, or it was damaged."""
    height, width = brightness.shape
    across, down = _edges(width, _ACROSS, 0, _COLUMNS), _edges(height, _DOWN, _DOWN - _ROWS, _ROWS)
    middle = np.ix_((down[:-1] + down[1:]) // 2, (across[:-1] + across[1:]) // 2)
    bits = (brightness[middle] > 127).reshape(-1).astype(object)
    value = int((bits << _BITS.astype(object)).sum())
    number = value >> 8
    return number if value & 0xFF == _check(number) else None


def _edges(pixels: int, cells: int, first: int, count: int) -> Array:
    """Where the cells `first` and on begin, and where the last one ends."""
    edges: Array = np.rint(np.arange(first, first + count + 1) * pixels / cells).astype(int)
    return edges


def _check(number: int) -> int:
    """A byte that changes with every bit of the number, and is not 0 for 0: an all black corner is no number."""
    return (sum(number.to_bytes(4, "little")) * 31 + 0xA5) & 0xFF
