"""Pictures that carry their number where every format keeps it: in blocks of black and white, at the top and at the bottom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from gpen_live.frame import Image, Size

BITS = 12
BLOCK = 32
_SQUARE = 96


@dataclass(frozen=True)
class Seen:
    """What came back: the number in the picture, whether all of the picture is of that frame, how far it is from what was sent.

    `difference` is the mean over all values, of 255; -1 where the picture is not whole.
    """

    number: int
    whole: bool
    difference: float


def picture(number: int, size: Size) -> Image:
    """The picture with this number: soft colours, a square that moves, the number's bits above and their opposites below.

    `size` is at least 384 x 192.
    """
    out = _background(size).copy()
    left = number * 37 % (size.width - _SQUARE)
    top = size.height // 2 - _SQUARE // 2
    out[top : top + _SQUARE, left : left + _SQUARE] = (40, 200, 220)
    return stamped(out, number)


def stamped(image: Image, number: int) -> Image:
    """`image` itself, with the number written into it."""
    for bit in range(BITS):
        white = 255 * (number >> bit & 1)
        image[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = white
        image[-BLOCK:, bit * BLOCK : (bit + 1) * BLOCK] = 255 - white
    return image


def number_of(image: Image) -> int | None:
    """The number in a picture; None where above and below are of different frames."""
    top, bottom = _read(image[:BLOCK]), _read(image[-BLOCK:]) ^ (2**BITS - 1)
    return top if top == bottom else None


def look(image: Image) -> Seen:
    """Reads a picture's number, and compares it with the one that was sent under that number."""
    number = number_of(image)
    if number is None:
        return Seen(_read(image[:BLOCK]), False, -1.0)
    return Seen(number, True, float(cv2.absdiff(image, picture(number, Size.of(image))).mean()))


def _read(strip: Image) -> int:
    quarter = BLOCK // 4
    inner = strip[quarter:-quarter]
    means = (inner[:, bit * BLOCK + quarter : (bit + 1) * BLOCK - quarter].mean() for bit in range(BITS))
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 127)


@lru_cache(maxsize=4)
def _background(size: Size) -> Image:
    x = np.linspace(60, 190, size.width, dtype=np.float32)[None, :]
    y = np.linspace(50, 180, size.height, dtype=np.float32)[:, None]
    planes = (x + 0 * y, y + 0 * x, (x + y) / 2)
    return np.asarray(np.stack(planes, axis=-1), dtype=np.uint8)
