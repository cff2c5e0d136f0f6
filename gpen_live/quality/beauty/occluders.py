"""Films in which something of known shape passes over a face: a hand, a cup, a microphone, glasses, all drawn by code.

Make-up and smoothing belong to the face, not to what is before it; and they are to be there again as soon as it has gone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.quality.beauty.regions import shrunk
from gpen_live.quality.skin import Mask

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Drawn = tuple[Floats, Floats]
"""A thing: its colours, H x W x 3 in levels, and how much it covers, H x W, 0..1."""

BEFORE, OVER, AFTER = 14, 22, 8
"""Frames of the film: the face alone, something over it, the face alone again."""
NOISE = 2.0
BACK = 0.9
"""The look is back once it is as strong as this share of what it was."""
_NOTICED = 0.75  # levels by which a pixel must change for the look to count there

SKINS: Final = ((232, 190, 165), (196, 146, 112), (141, 96, 68), (84, 56, 42))
"""Hands' colours, light to dark, RGB."""


@dataclass(frozen=True, slots=True)
class Film:
    """Frames of a face and of what passes over it.

    Args:
        frames: H x W x 3, RGB.
        covers: of each frame, H x W: how much the thing covers, 0..1.
    """

    frames: list[Bytes]
    covers: list[Floats]

    @property
    def free_again(self) -> int:
        """The first frame after the thing has gone."""
        return max(number for number, cover in enumerate(self.covers) if cover.any()) + 1


@dataclass(frozen=True, slots=True)
class Spill:
    """How a look fares when something passes.

    Args:
        on_it: the look's strength on the thing, as a share of its strength on the same pixels of the bare face.
        back_after: frames from the first without the thing to the one in which the look is back where it was covered;
            infinite if it doesn't come back within the film.
    """

    on_it: float
    back_after: float


def film(picture: Bytes, thing: str, side: int, centre: tuple[float, float], seed: int) -> Film:
    """A film of a photo (H x W x 3, RGB) and a thing of THINGS that comes before it, stays, and goes.

    Args:
        side: of the face's crop in pixels of the picture. centre: of that crop, x, y.
        seed: draws the noise, the hand's skin and the side from which the thing comes.
    """
    chance = np.random.default_rng((seed, sorted(THINGS).index(thing)))
    draw, (rest_x, rest_y) = THINGS[thing]
    coming = -1 if chance.random() < 0.5 else 1
    frames, covers = [], []
    height, width = picture.shape[:2]
    colours, shape = draw((2 * height, 2 * width), (width, height), side, chance)
    for number in range(BEFORE + OVER + AFTER):
        t = (number - BEFORE) / (OVER - 1)
        if 0 <= t <= 1:
            away = (1 - min(1.0, 3.2 * min(t, 1 - t))) ** 2  # in, stays and trembles, out
            x = centre[0] + side * (rest_x + coming * 1.25 * away + 0.012 * math.sin(5 * number))
            y = centre[1] + side * (rest_y + 0.35 * away + 0.008 * math.cos(4 * number))
            shifted = np.array([[1, 0, x - width], [0, 1, y - height]])
            colour, cover = (
                np.asarray(cv2.warpAffine(plane, shifted, (width, height)), np.float32) for plane in (colours, shape)
            )
        else:
            colour, cover = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
        mixed = picture + cover[..., None] * (colour - picture)
        noise = chance.standard_normal(picture.shape, np.float32) * np.float32(NOISE)
        frames.append(np.asarray(np.rint(np.clip(mixed + noise, 0, 255)), np.uint8))
        covers.append(cover)
    return Film(frames, covers)


def bare(picture: Bytes, seed: int) -> list[Bytes]:
    """As `film`, with nothing that passes: long enough for `spill`."""
    chance = np.random.default_rng(seed)
    noise = (chance.standard_normal(picture.shape, np.float32) * np.float32(NOISE) for _ in range(BEFORE + 4))
    return [np.asarray(np.rint(np.clip(picture + each, 0, 255)), np.uint8) for each in noise]


def spill(passing: Film, drawn: Sequence[Bytes], alone: Sequence[Bytes], alone_drawn: Sequence[Bytes], side: int) -> Spill:
    """How the look behaved in a film, from what it made of each frame, and of the same face with nothing before it.

    Args:
        alone: frames of `bare`. alone_drawn: what the look made of them. side: as given to `film`.
    """
    usual = np.mean([_strength(a, b) for a, b in zip(alone[-8:], alone_drawn[-8:], strict=True)], axis=0)
    worked = usual > _NOTICED
    spilt = at_stake = 0.0
    covered = np.zeros_like(worked)
    for before, after, cover in zip(passing.frames, drawn, passing.covers, strict=True):
        core = _core(cover, side) & worked
        covered |= (cover > 0.5) & worked
        spilt += float(_strength(before, after)[core].sum())
        at_stake += float(usual[core].sum())
    if not at_stake:
        return Spill(math.nan, math.nan)
    first = passing.free_again
    back = math.inf
    for number in range(first, len(drawn)):
        share = _strength(passing.frames[number], drawn[number])[covered].sum() / usual[covered].sum()
        if share >= BACK:
            back = number - first
            break
    return Spill(spilt / at_stake, back)


def _strength(before: Bytes, after: Bytes) -> Floats:
    """By how many levels each pixel has changed: mean over the channels."""
    change = np.abs(after.astype(np.float32) - before).mean(axis=2)
    return np.asarray(change, np.float32)


def _core(cover: Floats, side: int) -> Mask:
    """Where there is nothing but the thing, a pixel (of a crop of 256) clear of its edge."""
    return shrunk(cover > 0.98, side / 256)


# --- What passes ----------------------------------------------------------------------------------


def _grid(shape: tuple[int, int], place: tuple[float, float]) -> tuple[Floats, Floats]:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return x - np.float32(place[0]), y - np.float32(place[1])


def _shaded(inside: Floats, colour: tuple[int, int, int], depth: float, chance: np.random.Generator) -> Floats:
    """A rounded body lit from above left.

    Args:
        inside: pixels inside the outline, negative outside. depth: from the outline to where it is flat, in pixels.
    """
    height = np.sqrt(np.clip(1 - np.square(1 - np.clip(inside / depth, 0, 1)), 0, 1)) * depth
    soft = cv2.GaussianBlur(height.astype(np.float32), (0, 0), max(depth / 6, 0.8))
    down, right = np.gradient(soft)
    normal = np.stack([-right, -down, np.ones_like(soft)])
    light = np.tensordot(np.array([-0.45, -0.55, 0.7], np.float32), normal / np.linalg.norm(normal, axis=0), axes=1)
    grain = cv2.GaussianBlur(chance.standard_normal(inside.shape, np.float32), (0, 0), 1.2) * 0.06
    blotches = cv2.GaussianBlur(chance.standard_normal(inside.shape, np.float32), (0, 0), 5) * 0.25
    return np.asarray(
        np.clip(0.45 + 0.75 * light + grain + blotches, 0, 1.25)[..., None] * np.array(colour, np.float32), np.float32
    )


def _cover(inside: Floats) -> Floats:
    return np.asarray(np.clip(inside + 0.5, 0, 1), np.float32)


def _capsule(x: Floats, y: Floats, start: tuple[float, float], end: tuple[float, float], radius: float) -> Floats:
    """Pixels inside a stroke of that radius."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    t = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.asarray(radius - np.hypot(x - start[0] - t * dx, y - start[1] - t * dy), np.float32)


def _hand(shape: tuple[int, int], place: tuple[float, float], side: int, chance: np.random.Generator) -> Drawn:
    """A hand held up: palm, four fingers, a thumb, an arm; one of SKINS."""
    x, y = _grid(shape, place)
    u = side / 256
    tone = SKINS[int(chance.integers(len(SKINS)))]
    colour, cover = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    parts = [_capsule(x, y, (0, 60 * u), (4 * u, 230 * u), 24 * u)]
    parts += [
        _capsule(x, y, (px * u, 8 * u), (tx * u, ty * u), r * u)
        for px, tx, ty, r in ((-24, -34, -42, 8), (-8, -11, -58, 8.5), (8, 11, -54, 8.5), (23, 31, -38, 7.5))
    ]
    parts += [_capsule(x, y, (26 * u, 44 * u), (56 * u, 6 * u), 9.5 * u)]
    parts += [np.asarray((1 - np.hypot(x / (36 * u), (y - 36 * u) / (42 * u))) * 36 * u, np.float32)]
    for inside in parts:
        lit, over = _shaded(inside, tone, 14 * u, chance), _cover(inside)
        edge = np.clip(1 - np.abs(inside) / (2.2 * u), 0, 1)[..., None] * 0.35  # creases, where parts meet
        colour += over[..., None] * (lit * (1 - edge) - colour)
        cover = np.maximum(cover, over)
    return colour, cover


def _cup(shape: tuple[int, int], place: tuple[float, float], side: int, chance: np.random.Generator) -> Drawn:
    """A mug: a lit cylinder with a stripe, a rim and a handle, and the hand's fingers that hold it are left to `hand`."""
    x, y = _grid(shape, place)
    u = side / 256
    hue = ((225, 222, 214), (176, 52, 60), (44, 74, 120), (196, 160, 120))[int(chance.integers(4))]
    body = np.minimum(np.minimum(40 * u - np.abs(x), y + 34 * u), 52 * u - y).astype(np.float32)
    ring = (7 * u - np.abs(np.hypot((x - 46 * u) / 0.8, y - 8 * u) - 22 * u)).astype(np.float32)
    across = np.clip(x / (40 * u), -1, 1)
    light = (
        0.35 + 0.75 * np.sqrt(np.clip(1 - np.square(across + 0.35) / 1.9, 0, 1)) + 0.25 * np.exp(-np.square((across + 0.5) * 7))
    )
    stripe = (np.abs(y - 14 * u) < 7 * u)[..., None]
    colour = np.where(stripe, np.array((222, 176, 60), np.float32), np.array(hue, np.float32)) * light[..., None]
    colour = np.where((np.abs(y + 31 * u) < 2.5 * u)[..., None], colour * 1.15, colour)
    handle = _shaded(ring, hue, 7 * u, chance)
    over, side_over = _cover(body), _cover(ring)
    colour = side_over[..., None] * handle * (1 - over[..., None]) + over[..., None] * colour
    return colour.astype(np.float32), np.maximum(over, side_over)


def _microphone(shape: tuple[int, int], place: tuple[float, float], side: int, chance: np.random.Generator) -> Drawn:
    """A studio microphone: a mesh head, a metal ring, a dark body."""
    x, y = _grid(shape, place)
    u = side / 256
    head = (26 * u - np.hypot(x, y)).astype(np.float32)
    body = _capsule(x, y, (0, 26 * u), (26 * u, 210 * u), 15 * u)
    ring = np.minimum(24 * u - np.abs(x), 5 * u - np.abs(y - 22 * u)).astype(np.float32)
    mesh = 1 + 0.3 * np.sin((x + y) * 2.1 / u) * np.sin((x - y) * 2.1 / u)
    colour, cover = _shaded(body, (42, 42, 46), 15 * u, chance), _cover(body)
    for inside, lit in (
        (head, _shaded(head, (120, 120, 126), 26 * u, chance) * mesh[..., None]),
        (ring, _shaded(ring, (176, 172, 164), 5 * u, chance)),
    ):
        over = _cover(inside)
        colour += over[..., None] * (lit - colour)
        cover = np.maximum(cover, over)
    return colour.astype(np.float32), cover


def _glasses(shape: tuple[int, int], place: tuple[float, float], side: int, chance: np.random.Generator) -> Drawn:
    """Thick-rimmed glasses that are put on; only rims, bridge and temples cover."""
    x, y = _grid(shape, place)
    u = side / 256
    shade = ((34, 30, 30), (92, 52, 34), (150, 30, 44))[int(chance.integers(3))]
    inside = np.full(shape, -1e3, np.float32)
    for centre in (-27 * u, 27 * u):
        around = (np.abs((x - centre) / (21 * u)) ** 2.6 + np.abs(y / (16 * u)) ** 2.6) ** (1 / 2.6)
        inside = np.maximum(inside, 2.4 * u - np.abs(around - 1) * 18 * u)
    inside = np.maximum(inside, _capsule(x, y, (-7 * u, -3 * u), (7 * u, -3 * u), 2.2 * u))
    for way in (-1, 1):
        inside = np.maximum(inside, _capsule(x, y, (way * 48 * u, -5 * u), (way * 66 * u, -7 * u), 2.2 * u))
    return _shaded(inside, shade, 2.4 * u, chance), _cover(inside)


_Draw = Callable[[tuple[int, int], tuple[float, float], int, np.random.Generator], Drawn]
THINGS: Final[dict[str, tuple[_Draw, tuple[float, float]]]] = {
    "hand": (_hand, (0.05, 0.13)),
    "cup": (_cup, (0.0, 0.2)),
    "microphone": (_microphone, (0.03, 0.24)),
    "glasses": (_glasses, (0.0, -0.02)),
}
"""What passes, and where it comes to rest, in crop sides from the crop's centre."""
