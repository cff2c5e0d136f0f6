"""Light as if a soft lamp stood there, and blush: gains in log space, on a coarse map.

The lamp's light is half-Lambert, ((1 + n l) / 2)^2: a spherical-harmonics light of order two (Ramamoorthi and Hanrahan, "An
efficient representation for irradiance environment maps", SIGGRAPH 2001) without negative lobes, over the mesh's normals, turned
with the head.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from gpen_live.beauty import constants as c
from gpen_live.beauty.maps import LUMA_OF_BGR, Floats, luma, resized
from gpen_live.beauty.tone import Tone
from gpen_live.beauty.values import AT, Vector


def lamp_light(small: Floats, masks: Floats, turned: Floats, dials: Vector) -> Floats | None:
    """The log gain of the lamps' light, FIELD x FIELD x 3 (BGR), wherever it falls; None for no light.

    Args:
        small: the picture, MAP x MAP x 3, levels.
        masks: the canonical masks on this face, FIELD x FIELD x 4, see `gpen_live.beauty.fields`.
        turned: 3 x 3, the head's, see `gpen_live.beauty.fields.turn`.
    """
    brighten, light, warmth = (float(dials[AT[name]]) for name in ("brighten", "light", "warmth"))
    return _lit(_room(small), masks, turned, brighten, light, warmth) if brighten or light or warmth else None


def blush_log(small: Floats, masks: Floats, tone: Tone, dials: Vector) -> Floats:
    """The log gain of blush, FIELD x FIELD x 3, as if all were skin. Arguments as for `lamp_light`."""
    pigment = 1 + np.float32(c.BLUSH_DARK) * (1 - _level(small))
    amount = masks[:, :, 1] * pigment * (dials[AT["blush"]] * np.float32(c.BLUSH_MOST))
    return np.asarray(
        cv2.merge([amount * -one for one in _density(tone.tinted(dials[AT["blush_color_b"] : AT["blush_color_b"] + 3]))]),
        np.float32,
    )


def where_lit(masks: Floats, skin: Floats) -> Floats:
    """Where the lamps' light falls, MAP x MAP: on the face, with all that is on it, and on the skin around it."""
    return np.maximum(resized(masks[:, :, 0], c.MAP), skin)


def _room(small: Floats) -> Floats:
    """How much brighter a place may become, 0..1.

    What is bright already, or strong in one colour, would burn out; and dark skin is to stay as dark as it is beside light skin.
    """
    coarse = resized(small, c.FIELD)
    blue, green, red = cv2.split(coarse)
    most = (np.maximum(np.maximum(blue, green), red) + luma(coarse)) * np.float32(0.5 / 255)
    near = cv2.blur(most, (5, 5))
    dark = np.float32(c.LAMP_ON_DARK) + np.float32(1 - c.LAMP_ON_DARK) * np.minimum(near * 2, 1)
    return np.asarray((1 - near * near) * dark, np.float32)


def _level(small: Floats) -> Floats:
    """Luma, 0..1, without its detail."""
    return np.asarray(cv2.blur(luma(resized(small, c.FIELD)), (5, 5)) * np.float32(1 / 255), np.float32)


def _density(colour: Vector) -> Vector:
    """What a colour takes of blue, green and red: 0 of the channel that it leaves alone, 1 of the one it takes most of."""
    density = np.log(np.maximum(colour, np.float32(0.01)))
    density = density.max() - density
    return np.asarray(density / max(float(density.max()), c.BLUSH_PALE), np.float32)


def _lit(room: Floats, masks: Floats, turned: Floats, brighten: float, light: float, warmth: float) -> Floats:
    lamp = np.zeros_like(room)
    if brighten or light:
        x, y, z = _normals(masks, turned)
        if brighten:
            front = _half_lambert(x, y, z, c.BRIGHTEN_FROM, c.BRIGHTEN_GREY)
            lamp += front * np.float32(brighten * c.BRIGHTEN_MOST)
        if light:
            from_x, from_y, from_z = c.LIGHT_FROM
            side = _half_lambert(x, y, z, (math.copysign(from_x, light), from_y, from_z), c.LIGHT_GREY)
            side = np.where(side > 0, side, side * np.float32(c.LIGHT_BACK))
            lamp += side * np.float32(abs(light) * c.LIGHT_MOST)
        lamp *= room
    warm = np.float32(warmth * c.WARM_MOST)
    more = warm * (LUMA_OF_BGR[2] - LUMA_OF_BGR[0])  # luma stays
    return np.asarray(cv2.merge((lamp - (warm + more), lamp - more, lamp + (warm - more))), np.float32)


def _normals(masks: Floats, turned: Floats) -> tuple[Floats, Floats, Floats]:
    """The canonical normals, turned with the head."""
    x, y = masks[:, :, 2], masks[:, :, 3]
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    rows = [row[0] * x + row[1] * y + row[2] * z for row in turned * _MIRRORED]
    length = 1 / np.sqrt(rows[0] ** 2 + rows[1] ** 2 + rows[2] ** 2 + np.float32(1e-6))
    return rows[0] * length, rows[1] * length, rows[2] * length


_MIRRORED = np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]], np.float32)
"""Depth grows away from the viewer, a normal's z towards him."""


def _half_lambert(x: Floats, y: Floats, z: Floats, lamp: tuple[float, float, float], grey: float) -> Floats:
    """1 where the surface looks at the lamp, 0 where the light is `grey`."""
    far = math.hypot(*lamp)
    half = (
        x * np.float32(lamp[0] / far / 2)
        + y * np.float32(lamp[1] / far / 2)
        + z * np.float32(lamp[2] / far / 2)
        + np.float32(0.5)
    )
    return np.asarray((half * half - np.float32(grey)) * np.float32(1 / (1 - grey)), np.float32)
