"""Eyes and teeth, at the crop's own resolution, within their outlines."""

from __future__ import annotations

import cv2
import numpy as np

from gpen_live.beauty import constants as c
from gpen_live.beauty.maps import Floats, luma, step, step_of
from gpen_live.beauty.outlines import Patch
from gpen_live.beauty.tone import Tone
from gpen_live.faces.mesh import LEFT_EYE, LEFT_IRIS, LEFT_PUPIL, LIPS_INNER, RIGHT_EYE, RIGHT_IRIS, RIGHT_PUPIL

_EYES = ((LEFT_EYE, LEFT_IRIS, LEFT_PUPIL), (RIGHT_EYE, RIGHT_IRIS, RIGHT_PUPIL))


def draw_eyes(now: Floats, points: Floats, tone: Tone, uncovered: Floats, amount: float) -> float | None:
    """Brightens the eyes of `now` (S x S x 3, levels, BGR), in place.

    Args:
        points: the mesh, 478 x 3. uncovered: how far nothing lies before the face, n x n, 0..1. amount: 0..1, 0 to measure alone.

    Returns:
        The luma of the sclera, 0..1; None where none is seen.
    """
    weight = total = 0.0
    for edge, iris, pupil in _EYES:
        outline = points[list(edge), :2]
        patch = Patch.around(outline, 3 * c.EDGE, now.shape[0])
        wide = float(np.linalg.norm(outline[8] - outline[0]))
        if patch is None or wide == 0:
            continue
        high = float(outline[9:, 1].mean() - outline[1:8, 1].mean())
        is_open = step_of(abs(high) / wide, *c.EYE_OPEN)
        if is_open == 0:
            continue
        seen = patch.of(now)
        level = luma(seen) * np.float32(1 / 255)
        lid = patch.within(outline, c.EDGE) * patch.sampled(uncovered) * np.float32(is_open)
        centre = points[pupil, :2]
        radius = float(np.linalg.norm(points[list(iris), :2] - centre, axis=1).mean())
        x, y = patch.places()
        far = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2) * np.float32(1 / max(radius, 1e-4))
        white = lid * step(far, *c.IRIS_EDGE)
        blue, green, red = cv2.split(seen)
        most, least = np.maximum(np.maximum(blue, green), red), np.minimum(np.minimum(blue, green), red)
        white *= 1 - step((most - least) / (most + 1), *(one * max(tone.colourful, 0.15) for one in c.WHITE_LESS))
        bright = white * level * level
        total, weight = total + float((bright * level).sum()), weight + float(bright.sum())
        if amount > 0:
            _drawn_eye(seen, level, white, lid * (1 - step(far, 0.85, 1.1)), amount)
    return total / weight if weight > 0.05 else None


def _drawn_eye(seen: Floats, level: Floats, white: Floats, iris: Floats, amount: float) -> None:
    white = white * np.float32(amount)
    gain = 1 + white * np.float32(c.WHITE_LIGHTER) * (1 - level)
    mean = float((iris * level).sum() / (iris.sum() + 1e-3))
    iris = iris * np.float32(amount)
    # The same gain for all channels: the iris keeps its hue and how colourful it is.
    contrast = np.float32(c.IRIS_CONTRAST) * (level - np.float32(mean)) / (level + np.float32(0.08)) + np.float32(c.IRIS_LIFT)
    gain = gain + iris * np.clip(contrast, -0.35, 0.5)
    grey = (level * 255)[:, :, None]
    paler = (white * np.float32(c.WHITE_PALER))[:, :, None]
    catch = iris * step(level - np.float32(mean), *c.CATCH_FROM) * np.float32(c.CATCH_MOST)
    drawn = (seen + paler * (grey - seen)) * gain[:, :, None]
    drawn += catch[:, :, None] * np.maximum(255 - drawn, 0)
    seen[:] = drawn


def draw_teeth(now: Floats, points: Floats, tone: Tone, sclera: float, amount: float) -> None:
    """Makes the teeth of `now` (S x S x 3, levels, BGR) less yellow and a little lighter, in place.

    Args:
        points: the mesh, 478 x 3. sclera: luma of the eyes' white, 0..1, which the teeth don't go beyond.
    """
    outline = points[list(LIPS_INNER), :2]
    patch = Patch.around(outline, 3 * c.EDGE, now.shape[0])
    wide = float(np.linalg.norm(outline[10] - outline[0]))
    if patch is None or wide == 0:
        return
    high = float(np.linalg.norm(outline[15] - outline[5]))
    is_open = step_of(high / wide, *c.MOUTH_OPEN)
    if is_open == 0:
        return
    seen = patch.of(now)
    level = luma(seen)
    teeth = patch.within(outline, c.EDGE) * step(level / np.float32(tone.luma + 1), *c.TOOTH_LEVEL)
    red = np.log((seen[:, :, 2] + 1) / (seen[:, :, 1] + 1)) - np.float32(tone.red)
    teeth *= (1 - step(red, *c.TOOTH_RED)) * np.float32(is_open * amount)
    level *= np.float32(1 / 255)
    room = np.maximum(np.float32(sclera) - level, 0)
    lighter = np.minimum(np.float32(c.TOOTH_LIGHTER) * level * (1 - level), room) / (level + np.float32(0.01))
    least = np.minimum(seen[:, :, 1], seen[:, :, 2])
    seen[:, :, 0] += teeth * np.float32(c.TOOTH_YELLOW) * np.maximum(least - seen[:, :, 0], 0)
    seen *= (1 + teeth * lighter)[:, :, None]
