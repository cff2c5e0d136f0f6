"""What is drawn once on the canonical face, and how it comes to lie on a face: by a coarse grid, linear in the landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.beauty import constants as c
from gpen_live.beauty.maps import Floats, remapped, resized, step
from gpen_live.faces.mesh import CANONICAL, CHEEKS, FACE_OVAL, JAW, LEFT_EYE, NOSE_BASE, RIGHT_EYE, normals

MASKS = ("face", "blush", "normal_x", "normal_y")
"""The canonical masks, in their order."""
SHIFTS = ("slim", "jaw", "eye_size", "nose")
"""The canonical displacements, in their order."""


@dataclass(frozen=True)
class Canonical:
    """What is drawn once.

    Args:
        guides: the indices of the landmarks that carry, spread evenly over the face.
        carry: GUIDES x WIDE^2: from their shifts those of the nodes (row by row, node i at (i + .5) / WIDE).
        masks: FIELD x FIELD x len(MASKS). Normals have length 1 and look at the viewer; x to
            the right, y down.
        shifts: len(SHIFTS) x WIDE x WIDE x 2: for each control where a place looks (x, y), relative to it, for a dial of 1.
        turning: 478 x 3: the transposed landmarks times this give the linear map that turns the canonical face.
    """

    guides: npt.NDArray[np.intp]
    carry: Floats
    masks: Floats
    shifts: Floats
    turning: Floats


@cache
def canonical() -> Canonical:
    """Drawn at the first call."""
    guides = _guides()
    return Canonical(guides, _carry(guides), _masks(), _shifts(), _turning())


def carried(points: Floats) -> Floats:
    """Where on the canonical face each node of the grid lies: WIDE x WIDE x 2, fractions (x, y).

    A landmark's shift is known at its canonical place; what is asked for is the shift at its place in the picture. That is
    a fixed point, reached in a few steps as shifts vary slowly.

    Args:
        points: the face's, 478 x 3.
    """
    guides = canonical().guides
    shifted = np.ascontiguousarray((points[guides, :2] - CANONICAL[guides, :2]).T) @ canonical().carry
    shift = np.ascontiguousarray(shifted.reshape(2, c.WIDE, c.WIDE).transpose(1, 2, 0))
    nodes = grid(c.WIDE)
    there = nodes - shift
    for _ in range(c.CARRY_STEPS):
        there = nodes - sampled(shift, there)
    return there


def turn(points: Floats) -> Floats:
    """The linear map, 3 x 3, that takes the canonical face's directions to this face's; nearly a rotation."""
    return np.asarray(points.T @ canonical().turning, np.float32)


def sampled(maps: Floats, at: Floats) -> Floats:
    """Maps (n x n x k, k at most 4) where `at` (h x w x 2, fractions) says, bilinear; beyond their border as at it."""
    return remapped(maps, at * np.float32(maps.shape[0]) - np.float32(0.5))


def masks_on(there: Floats) -> Floats:
    """The canonical masks as they lie on a face: FIELD x FIELD x len(MASKS). `there`: see `carried`."""
    return sampled(canonical().masks, resized(there, c.FIELD))


@cache
def reach() -> Floats:
    """How far down the effects reach, MAP x MAP: they end before the crop does."""
    return np.asarray(1 - step(grid(c.MAP)[:, :, 1], *c.REACH), np.float32)


@cache
def grid(side: int) -> Floats:
    """The places of a map's pixels: side x side x 2, fractions (x, y)."""
    line = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    places = np.asarray(np.stack(np.meshgrid(line, line), axis=2), np.float32)
    places.setflags(write=False)
    return places


def _guides() -> npt.NDArray[np.intp]:
    """Each the landmark that is furthest from all before it."""
    places = CANONICAL[:, :2]
    chosen = [FACE_OVAL[0]]
    nearest = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < c.GUIDES:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return np.array(chosen)


def _carry(guides: npt.NDArray[np.intp]) -> Floats:
    """Kernel regression (Matern 3/2) with a ridge: what it gives fades with the distance from the landmarks."""

    def kernel(a: Floats, b: Floats) -> npt.NDArray[np.float64]:
        far = np.linalg.norm(a[:, None].astype(np.float64) - b[None], axis=2) * (np.sqrt(3) / c.CARRY_REACH)
        near: npt.NDArray[np.float64] = (1 + far) * np.exp(-far)
        return near

    places = CANONICAL[guides, :2]
    own = kernel(places, places) + c.CARRY_CALM * np.eye(len(places))
    weights = np.linalg.solve(own, kernel(places, grid(c.WIDE).reshape(-1, 2)))
    return np.ascontiguousarray(weights, np.float32)


def _turning() -> Floats:
    centred = CANONICAL.astype(np.float64) - CANONICAL.mean(axis=0)
    return np.asarray(centred @ np.linalg.inv(centred.T @ centred), np.float32)


def _masks() -> Floats:
    places = grid(c.FIELD)
    masks = [_face(), _blush(places), *np.moveaxis(_normals(places)[:, :, :2], 2, 0)]
    return np.ascontiguousarray(np.stack(masks, axis=2), np.float32)


def _face() -> Floats:
    """1 within the face's outline, up to the hairline, falling to 0 at it."""
    outline = CANONICAL[list(FACE_OVAL), :2].astype(np.float64)
    middle = (outline[:, 1].min() + outline[:, 1].max()) / 2
    height = np.clip((middle - outline[:, 1]) / (middle - outline[:, 1].min()), 0, 1)
    outline[:, 1] -= c.FOREHEAD * height
    drawn = _inside(outline)
    side = drawn.shape[0]
    distance = np.asarray(cv2.distanceTransform(drawn, cv2.DIST_L2, 5) / side, np.float32)
    soft = step(distance, 0, 2 * c.FACE_INSET)
    return resized(soft, c.FIELD)


def _inside(outline: npt.NDArray[np.float64], side: int = 1024) -> npt.NDArray[np.uint8]:
    drawn = np.zeros((side, side), np.uint8)
    cv2.fillPoly(drawn, [np.rint((outline * side - 0.5) * 16).astype(np.int32)], (255,), cv2.LINE_8, 4)
    return drawn


def _blush(places: Floats) -> Floats:
    """From the apples of the cheeks up towards the temples."""
    total = np.zeros(places.shape[:2], np.float32)
    for cheek, outward in zip(CHEEKS, (-1, 1), strict=True):
        dx = (places[:, :, 0] - CANONICAL[cheek, 0]) * outward - c.BLUSH_OUT
        dy = places[:, :, 1] - CANONICAL[cheek, 1] - c.BLUSH_DOWN
        along = dx * np.cos(c.BLUSH_RISE) - dy * np.sin(c.BLUSH_RISE)
        across = dx * np.sin(c.BLUSH_RISE) + dy * np.cos(c.BLUSH_RISE)
        total += np.exp(-((along / c.BLUSH_LENGTH) ** 2) - (across / c.BLUSH_WIDTH) ** 2)
    return total


def _normals(places: Floats) -> Floats:
    """Of the face, smoothed so that light falls softly, and of the neck as of a column below it."""
    held = normals(CANONICAL) * np.array([1, 1, -1], np.float32)
    chin = CANONICAL[list(JAW), 1].max()
    across, down = np.meshgrid(np.linspace(-1, 1, 9, dtype=np.float32), np.linspace(chin + 0.06, 1, 4, dtype=np.float32))
    neck_places = np.stack([0.5 + 0.14 * across.ravel(), down.ravel()], axis=1)
    neck = np.stack([0.8 * across.ravel(), np.full(across.size, 0.1), np.sqrt(1 - 0.64 * across.ravel() ** 2)], axis=1)
    known = np.concatenate([CANONICAL[: len(held), :2], neck_places])
    directions = np.concatenate([held, neck])
    apart = ((places.reshape(-1, 1, 2) - known[None]) ** 2).sum(axis=2)
    apart -= apart.min(axis=1, keepdims=True)  # far away the nearest decide, and nothing underflows
    weights = np.exp(-apart / np.float32(2 * c.NORMAL_SIGMA**2))
    smooth = weights @ directions
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    return np.asarray(smooth.reshape(*places.shape[:2], 3), np.float32)


def _shifts() -> Floats:
    places = grid(c.WIDE)
    jaw = CANONICAL[list(JAW), :2]
    width = jaw[:, 0].max() - jaw[:, 0].min()
    chin, ears = jaw[:, 1].max(), jaw[0, 1]
    x, y = places[:, :, 0] - np.float32(0.5), places[:, :, 1]
    # How wide the face is at each height, and how far a place lies outside it.
    below = np.argsort(jaw[:11, 1])
    half = np.interp(y, jaw[:11, 1][below], 0.5 - jaw[:11, 0][below]).astype(np.float32)
    half = np.maximum(half, 0.2 * width)
    inner = np.clip(np.abs(x) / half, 0, 1) ** 2
    outer = 1 - step(np.abs(x) - half, 0, width / 4)
    sideways = np.sign(x) * inner * outer
    middle = ears + 0.62 * (chin - ears)
    slim = sideways * _bump(y, middle, 0.62 * (chin - ears) + 0.06)
    low = sideways * _bump(y, ears + 0.88 * (chin - ears), 0.22)
    nose_x, nose_y = CANONICAL[list(NOSE_BASE), :2].mean(axis=0)
    wide = CANONICAL[list(NOSE_BASE), 0].max() - nose_x
    nose = (x / wide) * np.exp(0.5 - 0.5 * (x / wide) ** 2) * _bump(y, nose_y - 0.02, 0.1) * (1 - step(np.abs(x), wide, 3 * wide))
    eyes = np.zeros((*places.shape[:2], 2), np.float32)
    for eye in (LEFT_EYE, RIGHT_EYE):
        apart = places - CANONICAL[list(eye), :2].mean(axis=0)
        near = np.clip(1 - (apart**2).sum(axis=2) / c.EYE_REACH**2, 0, 1) ** 2
        eyes -= c.EYE_MOST * apart * near[:, :, None]
    rim = np.minimum.reduce([places[:, :, 0], 1 - places[:, :, 0], y, 1 - y])
    still = step(rim, 0.5 / c.WIDE, 0.1)[:, :, None]
    slim, low, nose = (
        np.stack([most * one, np.zeros_like(one)], axis=2)
        for most, one in ((c.SLIM_MOST, slim), (c.JAW_MOST, low), (c.NOSE_MOST, nose))
    )
    return np.ascontiguousarray(np.stack([slim, low, eyes, nose]) * still, np.float32)


def _bump(value: Floats, middle: float, reach: float) -> Floats:
    """1 in the middle, 0 from `reach` away, smooth."""
    return np.asarray(np.clip(1 - ((value - middle) / reach) ** 2, 0, 1) ** 2, np.float32)
