"""A painted face: the canonical mesh, filled with what faces are made of, and the layers that a perfect network would find."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.beauty.constants import MAP
from gpen_live.faces.mesh import (
    CANONICAL,
    CHEEKS,
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    LEFT_PUPIL,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
    RIGHT_PUPIL,
)
from gpen_live.frame import Image

Floats = npt.NDArray[np.float32]

LIGHT_SKIN, DARK_SKIN = (150, 172, 215), (38, 52, 82)
WALL, BROWN, WHITE, IRIS, LIPS, TEETH = (
    (120, 130, 125),
    (40, 50, 60),
    (215, 220, 222),
    (110, 80, 60),
    (95, 85, 165),
    (150, 195, 205),
)


@dataclass(frozen=True)
class Painted:
    """Args:
    seen: S x S x 3, uint8, BGR. points: 478 x 3. layers: 5 x MAP x MAP.
    """

    seen: Image
    points: Floats
    layers: Floats

    def where(self, name: str) -> npt.NDArray[np.bool_]:
        """Pixels well within a region: "eyes", "irises", "brows", "lips", "mouth", "skin", "wall"."""
        side = self.seen.shape[0]
        if name == "wall":
            return np.asarray(_filled(side, self.points, FACE_OVAL, grown=0.07) == 0)
        if name == "skin":
            return np.asarray(cv2.resize(self.layers[0], (side, side)) > 0.99)
        shapes = {"brows": (LEFT_BROW, RIGHT_BROW), "lips": (LIPS_OUTER,), "mouth": (LIPS_INNER,), "eyes": (LEFT_EYE, RIGHT_EYE)}
        if name == "irises":
            return np.asarray(sum(_disc(side, self.points, *one) for one in _IRISES) > 0)
        drawn = sum(_filled(side, self.points, one, grown=-0.004) for one in shapes[name])
        if name == "lips":
            drawn = drawn * (_filled(side, self.points, LIPS_INNER, grown=0.006) == 0)
        return np.asarray(drawn > 0)


_IRISES = ((LEFT_PUPIL, LEFT_IRIS), (RIGHT_PUPIL, RIGHT_IRIS))


def painted(side: int = 256, tone: tuple[int, int, int] = LIGHT_SKIN, *, smiling: bool = False) -> Painted:
    """A face of this skin (BGR), with pores, blotches, a blemish on the left cheek and a mole on the right one.

    All is painted at 512 first: another side shows the same face.
    """
    rng = np.random.default_rng(0)
    full = 512
    points = CANONICAL.copy()
    if smiling:
        for index, at in enumerate(LIPS_INNER):
            points[at, 1] += 0.025 * np.sin(np.pi * (index % 10) / 10) * (1 if index < 10 else -1) + 0.01
        for index, at in enumerate(LIPS_OUTER):
            points[at, 1] += 0.025 * np.sin(np.pi * (index % 10) / 10) * (1 if index < 10 else -1) + 0.01
    picture = np.empty((full, full, 3), np.float32)
    picture[:] = WALL
    skin = _filled(full, points, FACE_OVAL).astype(np.float32)
    y = np.arange(full, dtype=np.float32)[:, None] / full
    shading = 1.05 - 0.2 * (y - 0.3)
    texture = rng.normal(0, 0.02, (full, full)).astype(np.float32)
    texture += 3.2 * cv2.GaussianBlur(rng.normal(0, 0.1, (full, full)).astype(np.float32), (0, 0), 5)
    flesh = np.array(tone, np.float32) * (shading * (1 + texture))[:, :, None]
    red = cv2.GaussianBlur(rng.normal(0, 1, (full, full)).astype(np.float32), (0, 0), 14)
    flesh[:, :, 2] *= 1 + 0.12 * np.clip(red / (2 * red.std()), -1, 1)
    blemish, mole = (_dot(full, points[cheek, :2] + (0, 0.02), 0.012) for cheek in CHEEKS)
    flesh *= 1 - blemish[:, :, None] * np.array([0.35, 0.3, 0.1], np.float32)
    flesh *= 1 - 0.5 * mole[:, :, None]
    picture += skin[:, :, None] * (flesh - picture)
    bare = skin.copy()
    for colour, outlines in (
        (BROWN, (LEFT_BROW, RIGHT_BROW)),
        (WHITE, (LEFT_EYE, RIGHT_EYE)),
        (LIPS, (LIPS_OUTER,)),
        (TEETH, (LIPS_INNER,)),
    ):
        for outline in outlines:
            inside = _filled(full, points, outline)
            picture[inside > 0] = colour
            bare[inside > 0] = 0
    for pupil, iris in _IRISES:
        picture[_disc(full, points, pupil, iris) > 0] = IRIS
    seen = picture.clip(0, 255).astype(np.uint8)
    if side != full:
        seen = np.asarray(cv2.resize(seen, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    layers = np.stack(
        [cv2.resize(one, (MAP, MAP), interpolation=cv2.INTER_AREA) for one in (bare, blemish, mole, 0 * bare, 0 * bare)]
    )
    return Painted(seen, points, layers.astype(np.float32))


def _filled(side: int, points: Floats, outline: tuple[int, ...], grown: float = 0.0) -> npt.NDArray[np.uint8]:
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.rint(points[list(outline), :2] * side - 0.5).astype(np.int32)], (1,))
    if grown:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(abs(grown) * side) + 1,) * 2)
        mask = (cv2.dilate if grown > 0 else cv2.erode)(mask, kernel).astype(np.uint8)
    return mask


def _disc(side: int, points: Floats, centre: int, edge: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    mask = np.zeros((side, side), np.uint8)
    radius = np.linalg.norm(points[list(edge), :2] - points[centre, :2], axis=1).mean()
    x, y = (round(float(one)) for one in points[centre, :2] * side - 0.5)
    cv2.circle(mask, (x, y), round(float(0.85 * radius * side)), (1,), -1)
    both = sum(_filled(side, points, eye) for eye in (LEFT_EYE, RIGHT_EYE))
    return np.asarray(mask * (both > 0), np.uint8)


def _dot(side: int, centre: Floats, radius: float) -> Floats:
    places = (np.arange(side, dtype=np.float32) + 0.5) / side
    far = np.hypot(places[None] - centre[0], places[:, None] - centre[1])
    return np.asarray(np.clip(1.5 - far / radius, 0, 1), np.float32)
