"""A face of known parts: drawn by code, with the 189 points that its regions need; and the astronaut with room around her."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from skimage.data import astronaut

from gpen_live.quality.beauty.measure import MARGIN
from gpen_live.quality.photos import Face, aligned
from tests.quality.pictures import EYES_NOSE_MOUTH

Bytes = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

SIDE = 128
_AROUND = MARGIN * SIDE // 256
CENTRE = (_AROUND + SIDE / 2, _AROUND + SIDE / 2)


def _arc(x: float, y: float, across: float, down: float, start: float, end: float, count: int) -> Points:
    """Points on an ellipse; degrees, clockwise from the right."""
    angle = np.radians(np.linspace(start, end, count))
    return np.stack([x + across * np.cos(angle), y + down * np.sin(angle)], axis=1)


@cache
def points() -> Points:
    """189 points in the canvas of `drawn`, as WebMorph's template orders them; unused ones lie in the middle."""
    f = np.full((189, 2), 0.5)
    for first, lower, x in ((18, 28, 0.395), (23, 31, 0.605)):
        f[first : first + 5] = _arc(x, 0.474, 0.035, 0.016, 180, 360, 5)
        f[lower : lower + 3] = _arc(x, 0.474, 0.035, 0.016, 150, 30, 3)
    for upper, lower, x in ((71, 83, 0.39), (77, 85, 0.61)):
        f[upper : upper + 6] = _arc(x, 0.42, 0.05, 0.018, 180, 360, 6)
        f[lower : lower + 2] = _arc(x, 0.42, 0.05, 0.006, 120, 60, 2)
    f[[0, 1]] = (0.395, 0.474), (0.605, 0.474)
    f[87:94] = _arc(0.5, 0.716, 0.087, 0.03, 180, 360, 7)
    f[104:109] = _arc(0.5, 0.716, 0.087, 0.035, 150, 30, 5)
    for first, more, x in ((61, (179, 180), 0.48), (66, (182, 181), 0.52)):
        f[first : first + 5] = _arc(x, 0.61, 0.012, 0.008, 180, 330, 5)
        f[list(more)] = _arc(x, 0.61, 0.012, 0.008, 60, 120, 2)
    f[55] = (0.5, 0.615)
    f[109:112] = (0.26, 0.47), (0.262, 0.52), (0.27, 0.58)
    f[[185, 186]] = (0.26, 0.49), (0.265, 0.55)
    f[112:115] = (0.74, 0.47), (0.738, 0.52), (0.73, 0.58)
    f[[187, 188]] = (0.74, 0.49), (0.735, 0.55)
    f[115:120] = _arc(0.26, 0.525, 0.03, 0.06, 280, 80, 5)
    f[120:125] = _arc(0.74, 0.525, 0.03, 0.06, 260, 460, 5)
    f[125:134] = _arc(0.5, 0.52, 0.235, 0.33, 170, 10, 9)
    f[134:145] = _arc(0.5, 0.46, 0.235, 0.2, 190, 350, 11)
    f[145:158] = _arc(0.5, 0.48, 0.3, 0.34, 125, 415, 13)
    return f * SIDE - 0.5 + _AROUND


def drawn(skin: tuple[int, int, int] = (205, 160, 135)) -> Bytes:
    """The face before a pale wall, RGB, with pores and blotches on its skin."""
    chance = np.random.default_rng(3)
    side = SIDE + 2 * _AROUND
    image = np.full((side, side, 3), 215, np.float32)

    def fill(indices: list[int], colour: tuple[int, int, int]) -> None:
        mask = np.zeros((side, side), np.uint8)
        cv2.fillPoly(mask, [np.rint(points()[indices] * 16).astype(np.int32)], (1,), shift=4)
        image[mask > 0] = colour

    fill([*range(145, 158)], (50, 40, 36))
    fill([109, 185, 110, 186, 111, *range(125, 134), 114, 188, 113, 187, 112, *range(144, 133, -1)], skin)
    face = (image == np.array(skin, np.float32)).all(axis=2)
    fine = chance.standard_normal((side, side)).astype(np.float32)
    coarse = cv2.GaussianBlur(chance.standard_normal((side, side)).astype(np.float32), (0, 0), 3 * SIDE / 256)
    image[face] += (2.5 * fine + 6 * coarse / coarse.std())[face][:, None]
    for eye in ([18, 19, 20, 21, 22, 30, 29, 28], [23, 24, 25, 26, 27, 33, 32, 31]):
        fill(eye, (235, 235, 235))
    for brow in ([71, 72, 73, 74, 75, 76, 84, 83], [77, 78, 79, 80, 81, 82, 86, 85]):
        fill(brow, (45, 36, 32))
    fill([*range(87, 94), *range(108, 103, -1)], (170, 80, 84))
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def face(skin: tuple[int, int, int] = (205, 160, 135), *, marked: bool = True, name: str = "drawn") -> Face:
    """The drawn face, with its points or without."""
    return Face(name, "drawn", drawn(skin), _AROUND, "none" if marked else None, points() if marked else None)


@cache
def astronaut_face() -> Face:
    """A photo with room around the crop."""
    return Face("astronaut", "nasa", aligned(np.asarray(astronaut(), np.uint8), EYES_NOSE_MOUTH, 256, MARGIN), MARGIN)
