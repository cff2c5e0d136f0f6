"""Blemishes of known place, painted onto a face: papules and scratches, to be healed, and moles, which are the person's own.

Pigment is added as optical density in linear light, along an axis for melanin (Jacques' power law, "Skin optics", 1998, at 600,
545 and 460 nm) and one for haemoglobin (Tsumura et al., "Independent-component analysis of skin color image", JOSA A 1999), so
that a spot looks right on any skin. How much of it differs from skin to skin: every spot is made to stand out by a drawn
CIEDE2000, else spots on dark skin would be harder to see and easier to miss. The painting shares no code with what the retouch
network is trained on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.quality.beauty.regions import grown
from gpen_live.quality.skin import Mask

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Kind = Literal["papule", "scratch", "mole"]

GONE = 2.0
"""A spot whose mean CIEDE2000 to the picture without it is below this is gone: an eye at arm's length no longer finds it."""
STAYS = 0.7
"""A mole that still stands out by this share of how much it did is kept."""
COUNTS: Final[dict[Kind, int]] = {"papule": 4, "scratch": 1, "mole": 3}
"""Spots of each kind on one face."""

_MELANIN = np.array([0.336, 0.466, 0.819])
_HAEMOGLOBIN = np.array([0.2988, 0.6838, 0.6657])
_STANDS_OUT: Final[dict[Kind, tuple[float, float]]] = {"papule": (5, 12), "scratch": (5, 10), "mole": (8, 22)}
_RADIUS: Final[dict[Kind, tuple[float, float]]] = {"papule": (1.2, 2.6), "scratch": (7, 15), "mole": (1.2, 2.8)}
"""Pixels of a crop of 256, of which one is about a millimetre of a face; of a scratch half its length. A papule, at half its
height 1.5 times as wide as its radius, is by definition less than 5 mm wide; its halo doubles that."""
_MOST_DENSITY, _STEPS, _TRIES = 2.5, 12, 400


@dataclass(frozen=True, slots=True)
class Spot:
    """One painted spot.

    Args:
        kind: what it is.
        core: where it is densest, H x W.
        stands_out: mean CIEDE2000 of the core from the picture without it.
    """

    kind: Kind
    core: Mask
    stands_out: float


@dataclass(frozen=True, slots=True)
class Left:
    """What has become of a spot: its mean CIEDE2000 now from the picture without it, and whether it counts as gone or kept."""

    kind: Kind
    was: float
    now: float

    @property
    def gone(self) -> bool:
        return self.now < GONE

    @property
    def kept(self) -> bool:
        return self.now >= STAYS * self.was


def paint(picture: Bytes, skin: Mask, side: int, seed: int) -> tuple[Bytes, list[Spot]]:
    """The picture (H x W x 3, RGB) with spots on its skin, and what was painted; fewer than COUNTS where there is no room.

    Args:
        skin: H x W, where to paint.
        side: of the face's crop in pixels of the picture.
        seed: draws everything.
    """
    chance, unit = np.random.default_rng(seed), side / 256
    painted, spots = picture, []
    room = skin.copy()
    for kind, count in COUNTS.items():
        for _ in range(count):
            radius = float(chance.uniform(*_RADIUS[kind])) * unit
            place = _place(room, (0.5 if kind == "scratch" else 1.0) * radius + 2 * unit, chance)
            if place is None:
                continue
            form = _FORMS[kind](picture.shape[:2], place, radius, unit, chance)
            wanted = float(chance.uniform(*_STANDS_OUT[kind]))
            painted, core, stands_out = _pigmented(painted, form, kind, wanted)
            if stands_out >= 0.7 * wanted:  # on the darkest skin nothing darker stands out
                spots.append(Spot(kind, core, stands_out))
            room &= ~grown(np.abs(form).max(axis=2) > 0.02, 4 * unit)
    return painted, spots


def told_where(painted: Bytes, without: Bytes) -> Bytes:
    """The best that filling in from around can do: OpenCV's inpainting (Telea 2004), told which pixels the spots have changed."""
    changed = np.abs(painted.astype(np.int16) - without).max(axis=2) > 1
    return np.asarray(cv2.inpaint(painted, changed.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)


def judge(after: Bytes, without: Bytes, spots: Sequence[Spot]) -> list[Left]:
    """What is left of each spot.

    Args:
        after: the picture with spots, once the look has been applied to it.
        without: what would be perfect: the same picture without spots.
    """
    return [Left(spot.kind, spot.stands_out, _difference(after, without, spot.core)) for spot in spots]


def _difference(a: Bytes, b: Bytes, where: Mask) -> float:
    from skimage.color import deltaE_ciede2000, rgb2lab

    return float(deltaE_ciede2000(rgb2lab(a[where]), rgb2lab(b[where])).mean())


def _place(room: Mask, clear: float, chance: np.random.Generator) -> tuple[float, float] | None:
    """A point (x, y) at least `clear` pixels inside of what is free."""
    rows, columns = np.nonzero(cv2.distanceTransform(room.astype(np.uint8), cv2.DIST_L2, 5) > clear)
    if not len(rows):
        return None
    index = int(chance.integers(len(rows)))
    return float(columns[index] + chance.uniform(-0.5, 0.5)), float(rows[index] + chance.uniform(-0.5, 0.5))


def _pigmented(picture: Bytes, form: Floats, kind: Kind, wanted: float) -> tuple[Bytes, Mask, float]:
    """The picture with the form's density scaled until its core stands out as wanted, or as far as it can."""
    rows, columns = np.nonzero((form != 0).any(axis=2))
    box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    around, form = picture[box], form[box]
    core = form.max(axis=2) >= 0.5 * form.max()
    light = np.power(np.maximum(around, 1) / 255, 2.2)

    def with_density(scale: float) -> Bytes:
        return np.asarray(np.rint(255 * np.clip(light * np.power(10.0, -scale * form), 0, 1) ** (1 / 2.2)), np.uint8)

    low, high = 0.0, _MOST_DENSITY
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _difference(with_density(middle), around, core) < wanted else (low, middle)
    painted, whole = picture.copy(), np.zeros(picture.shape[:2], np.bool_)
    painted[box] = np.where((form != 0).any(axis=2, keepdims=True), with_density(high), around)
    whole[box] = core
    return painted, whole, _difference(painted, picture, whole)


def _grid(shape: tuple[int, ...], place: tuple[float, float], chance: np.random.Generator) -> tuple[Floats, Floats]:
    """Coordinates around a place, turned by chance."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    angle = chance.uniform(0, math.pi)
    x, y = x - place[0], y - place[1]
    return x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)


def _papule(
    shape: tuple[int, ...], place: tuple[float, float], radius: float, unit: float, chance: np.random.Generator
) -> Floats:
    """A red bump: its halo soft and wide, lit from above (lighter there, darker below), some with a pale head."""
    x, y = _grid(shape, place, chance)
    away = np.hypot(x, y / chance.uniform(0.75, 1)) / radius
    red = np.exp(-np.square(away) * 1.2) + 0.25 * np.exp(-np.square(away / 2))
    rows = np.mgrid[0 : shape[0], 0 : shape[1]][0] - place[1]
    shade = np.exp(-np.square(away) * 1.5) * np.clip(rows / radius, -1, 1)
    form = red[..., None] * _HAEMOGLOBIN + chance.uniform(0.05, 0.25) * shade[..., None]
    if chance.random() < 0.3:
        form = form - chance.uniform(0.3, 0.6) * np.exp(-np.square(away * 2.5))[..., None] * (_HAEMOGLOBIN + 0.1)
    return _ended(form)


def _scratch(
    shape: tuple[int, ...], place: tuple[float, float], radius: float, unit: float, chance: np.random.Generator
) -> Floats:
    """A bent, thin line that swells and fades, red with some brown."""
    x, y = _grid(shape, place, chance)
    along = np.clip(x / radius, -1, 1)
    bend = chance.uniform(-0.2, 0.2) * radius
    width = chance.uniform(0.5, 0.9) * unit * (1 + 0.3 * np.sin(along * chance.uniform(3, 8)))
    line = np.exp(-np.square((y - bend * (along**2 - 0.5)) / width)) * np.exp(
        -np.square(np.maximum(np.abs(x) - radius, 0) / unit)
    )
    return _ended(line[..., None] * (_HAEMOGLOBIN + 0.4 * _MELANIN) * (1 - 0.4 * along[..., None] ** 2))


def _mole(shape: tuple[int, ...], place: tuple[float, float], radius: float, unit: float, chance: np.random.Generator) -> Floats:
    """A brown spot with a clear, not quite round edge."""
    x, y = _grid(shape, place, chance)
    angle = np.arctan2(y, x)
    edge = 1 + 0.12 * np.sin(2 * angle + chance.uniform(0, 6)) + 0.06 * np.sin(3 * angle + chance.uniform(0, 6))
    inside = np.clip((radius * edge - np.hypot(x, y)) / (0.9 * unit) + 0.5, 0, 1)
    spot = inside * inside * (3 - 2 * inside) * (1 + 0.15 * np.cos(x / unit))
    return _ended(spot[..., None] * (_MELANIN + 0.3 * _HAEMOGLOBIN + 0.1))


def _ended(form: Floats) -> Floats:
    """Nothing where it is too little to see, so that a spot ends somewhere."""
    return np.where(np.abs(form) < 0.004, 0.0, form)


_Form = Callable[[tuple[int, ...], tuple[float, float], float, float, np.random.Generator], Floats]
_FORMS: Final[dict[Kind, _Form]] = {"papule": _papule, "scratch": _scratch, "mole": _mole}
