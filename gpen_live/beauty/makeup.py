"""Lipstick, brows and liner, at the crop's own resolution; blush is part of the light's map, see `gpen_live.beauty.light`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from gpen_live.beauty import constants as c
from gpen_live.beauty.maps import Floats, luma, step, step_of
from gpen_live.beauty.outlines import Patch
from gpen_live.beauty.tone import Tone
from gpen_live.beauty.values import AT, Vector
from gpen_live.faces.mesh import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

GAMMA: Final = np.float32(2.2)


@dataclass(frozen=True)
class Lips:
    """What is known of a face's lips.

    Args:
        colour: running log of blue and of red over green. around: how much skin is seen around them at most (a beard: little).
    """

    colour: Floats
    around: float


@dataclass(frozen=True)
class LipShape:
    """Where the lips lie: how far each pixel of the patch lies within them, h x w, 0..1."""

    patch: Patch
    within: Floats

    @staticmethod
    def of(points: Floats, side: int) -> LipShape | None:
        """In a crop of so many pixels, by the mesh (478 x 3); None where they lie outside."""
        outer, inner = points[list(LIPS_OUTER), :2], points[list(LIPS_INNER), :2]
        patch = Patch.around(outer, 3 * c.LIP_EDGE, side)
        if patch is None:
            return None
        return LipShape(patch, np.maximum(patch.within(outer, c.LIP_EDGE) - patch.within(inner, c.EDGE), 0))


def draw_lips(
    now: Floats,
    shape: LipShape,
    points: Floats,
    tone: Tone,
    uncovered: Floats,
    dials: Vector,
    known: Lips | None,
    share: float,
) -> Lips | None:
    """Paints the lips of `now` (S x S x 3, levels, BGR), in place, where they have the colour that they always have.

    Args:
        points: the mesh, 478 x 3. uncovered: how much skin is seen around each place, n x n, 0..1.
        known: as returned for the frame before. share: of this frame in running means, 0..1.

    Returns:
        What is known with this frame; as before where no lips are seen.
    """
    patch, lips = shape.patch, shape.within.copy()
    seen = patch.of(now)
    total = float(lips.sum())
    if total == 0:
        return known
    around = patch.sampled(uncovered)
    mean_around = float((lips * around).sum()) / total
    ratios = _ratios(seen, now.shape[0])
    if known is None:
        known = Lips(_mean(ratios, lips), mean_around)
    most = max(mean_around, known.around + share * (mean_around - known.around) / c.LIP_BEARD)
    around /= np.float32(_expected(most))
    lips *= step(around, *c.LIP_SEEN)
    lips *= np.exp(-((ratios - known.colour) ** 2).sum(axis=2) / np.float32(c.LIP_COLOUR**2))
    doubt = 1 - step(around, *c.LIP_DOUBT)  # where something may lie before the lips, what is coloured as skin may be a finger
    lips *= 1 - doubt * (1 - _unlike_skin(ratios, known.colour, tone))
    colour, found = known.colour, float(lips.sum()) / total
    if found > c.LIP_FOUND:
        colour = colour + np.float32(share * found) * (_mean(ratios, lips) - colour)
    _painted(seen, lips, patch, points, tone, dials)
    return Lips(colour, most)


def _ratios(seen: Floats, side: int) -> Floats:
    """Log of blue and of red over green, without noise."""
    size = 2 * round(c.LIP_BLUR * side / 2) + 1
    blue, green, red = cv2.split(np.log(cv2.blur(seen, (size, size), borderType=cv2.BORDER_REPLICATE) + 4))
    return np.asarray(cv2.merge((blue - green, red - green)), np.float32)


def _expected(most: float) -> float:
    """How much skin is to be seen around lips that nothing covers: all of it, but for a beard, which `most` tells."""
    return most + step_of(most, *c.LIP_BARE) * max(1 - most, 0.0) + 0.02


def _unlike_skin(ratios: Floats, lips: Floats, tone: Tone) -> Floats:
    """How far each pixel is coloured as the lips rather than as skin; all of it where the two don't differ much."""
    skin = np.array([tone.blue, tone.red], np.float32)
    apart = lips - skin
    far = float(apart @ apart)
    if far == 0:
        return np.ones(ratios.shape[:2], np.float32)
    along = ((ratios - skin) @ apart) / np.float32(far)
    sure = np.float32(step_of(math.sqrt(far), *c.LIP_APART))
    return np.asarray(1 - sure * (1 - step(along, *c.LIP_ALONG)), np.float32)


def _mean(values: Floats, weight: Floats) -> Floats:
    return np.asarray(np.einsum("hw,hwk->k", weight, values) / weight.sum(), np.float32)


def _painted(seen: Floats, lips: Floats, patch: Patch, points: Floats, tone: Tone, dials: Vector) -> None:
    """Lipstick as a layer of pigment in linear light, lit as the skin is, through which the lips' lightness detail shows."""
    colour = tone.tinted(dials[AT["lips_color_b"] : AT["lips_color_b"] + 3])
    gloss = float(dials[AT["lips_gloss"]])
    linear = np.power(np.clip(seen * np.float32(1 / 255), 1e-3, 1), GAMMA)
    level = luma(linear)
    mean = float((lips * level).sum() / (lips.sum() + 1e-3)) + 1e-4
    detail = level / np.float32(mean)
    falling = (tone.luma / 255) ** float(GAMMA) / c.LIP_ALBEDO
    own = float(luma(colour[None, None])[0, 0]) + 1e-4
    aim = mean**c.LIP_OWN * min(own * falling, 1.0) ** (1 - c.LIP_OWN)
    exponent = np.float32(c.LIP_MATT + (c.LIP_GLOSSY - c.LIP_MATT) * gloss)
    paint = (np.power(detail, exponent) * np.float32(aim / own))[:, :, None] * colour
    if gloss > 0:
        shine = _highlight(patch, points) * np.float32(c.GLOSS_STREAK) + step(detail, *c.GLOSS_DETAIL)
        paint = paint + (shine * np.float32(gloss * c.LIP_GLOSS * min(falling, 1.0)))[:, :, None]
    cover = (lips * np.float32(dials[AT["lips"]] * c.LIP_COVER))[:, :, None]
    linear += cover * (np.clip(paint, 0, 1) - linear)
    drawn = np.power(linear, 1 / GAMMA) * np.float32(255)
    seen += np.where(cover > 0, drawn - np.clip(seen, 255 * 1e-3, 255), 0)


def _highlight(patch: Patch, points: Floats) -> Floats:
    """Where glossy lips shine: a soft streak along the lower lip, and a smaller one on the upper."""
    x, y = patch.places()
    total = np.zeros((y.shape[0], x.shape[1]), np.float32)
    for outer, inner, wide in ((17, 14, 0.03), (0, 13, 0.016)):
        middle = 0.55 * points[inner, :2] + 0.45 * points[outer, :2]
        high = max(0.2 * float(abs(points[outer, 1] - points[inner, 1])), 0.003)
        total += np.exp(-(((x - middle[0]) / np.float32(wide)) ** 2) - ((y - middle[1]) / np.float32(high)) ** 2)
    return total


def draw_brows(now: Floats, points: Floats, tone: Tone, uncovered: Floats, amount: float) -> None:
    """Makes the brows of `now` (S x S x 3, levels, BGR) fuller and darker, in place; `uncovered` as for lips."""
    density = np.array(c.BROW_DENSITY, np.float32)
    for brow in (LEFT_BROW, RIGHT_BROW):
        outline = points[list(brow), :2]
        patch = Patch.around(outline, 3 * c.BROW_EDGE, now.shape[0])
        if patch is None:
            continue
        seen = patch.of(now)
        hair = np.clip(c.BROW_LEVEL - luma(seen) / np.float32(tone.luma + 1), 0, c.BROW_MOST)
        dark = (
            patch.within(outline, c.BROW_EDGE)
            * (np.float32(c.BROW_FILL) + np.float32(c.BROW_HAIR) * hair)
            * patch.sampled(uncovered)
        )
        seen *= np.exp(-(dark * np.float32(amount))[:, :, None] * density)


def draw_liner(now: Floats, points: Floats, uncovered: Floats, amount: float) -> None:
    """Draws a line along the upper lashes of `now` (S x S x 3, levels, BGR), in place, thicker outwards; as for lips."""
    for eye in (LEFT_EYE, RIGHT_EYE):
        outline = points[list(eye), :2]
        lashes = outline[[8, 9, 10, 11, 12, 13, 14, 15, 0]]
        patch = Patch.around(outline, c.LINER_WIDTH[1] + c.LINER_WING + 3 * c.LINER_EDGE, now.shape[0])
        if patch is None:
            continue
        outward = outline[0] - outline[8]
        outward = outward / (np.linalg.norm(outward) + 1e-6)
        tip = outline[0] + np.float32(c.LINER_WING) * (outward + np.array([0, -c.LINER_RISE], np.float32))
        along = np.linspace(0, 1, len(lashes), dtype=np.float32)
        thick = c.LINER_WIDTH[0] + (c.LINER_WIDTH[1] - c.LINER_WIDTH[0]) * along * along
        upper = lashes - np.stack([np.zeros_like(thick), thick], axis=1)
        lower = lashes + np.float32(0.5 * c.LINER_WIDTH[0]) * np.array([0, 1], np.float32)
        line = np.concatenate([lower, tip[None], upper[::-1]]).astype(np.float32)
        seen = patch.of(now)
        dark = patch.within(line, c.LINER_EDGE) * patch.sampled(uncovered) * np.float32(amount * c.LINER_DENSITY)
        seen *= np.exp(-dark)[:, :, None]
