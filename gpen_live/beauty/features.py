"""Eyes and teeth, at the crop's own resolution, within their outlines."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gpen_live.beauty import constants as c
from gpen_live.beauty.maps import Floats, luma, step, step_of
from gpen_live.beauty.outlines import Patch
from gpen_live.beauty.tone import Tone
from gpen_live.faces.mesh import LEFT_EYE, LEFT_IRIS, LEFT_PUPIL, LIPS_INNER, RIGHT_EYE, RIGHT_IRIS, RIGHT_PUPIL

_EYES = ((list(LEFT_EYE), list(LEFT_IRIS), LEFT_PUPIL), (list(RIGHT_EYE), list(RIGHT_IRIS), RIGHT_PUPIL))


@dataclass(frozen=True)
class Eyes:
    """The eyes that are open, in patches of one size, so that they are worked on together.

    Args:
        lid: how far each pixel lies within the opening, uncovered: n x h x w, 0..1.
        far: its distance from the pupil, in radii of the iris.
    """

    patches: tuple[Patch, ...]
    lid: Floats
    far: Floats

    @staticmethod
    def of(points: Floats, uncovered: Floats, side: int) -> Eyes | None:
        """In a crop of so many pixels; None where none is open.

        Args:
            points: the mesh, 478 x 3. uncovered: how far nothing lies before the face, n x n, 0..1.
        """
        found = []
        for edge, iris, pupil in _EYES:
            outline = points[edge, :2]
            patch = Patch.around(outline, 3 * c.EDGE, side)
            wide = float(np.linalg.norm(outline[8] - outline[0]))
            if patch is None or wide == 0:
                continue
            is_open = step_of(abs(float(outline[9:, 1].mean() - outline[1:8, 1].mean())) / wide, *c.EYE_OPEN)
            if is_open > 0:
                found.append((outline, iris, pupil, patch, is_open))
        if not found:
            return None
        height, width = (max(size) for size in zip(*(patch.shape for *_, patch, _ in found), strict=True))
        patches, lids, fars = [], [], []
        for outline, iris, pupil, tight, is_open in found:
            patch = tight.grown(height, width)
            centre = points[pupil, :2]
            radius = float(np.linalg.norm(points[iris, :2] - centre, axis=1).mean())
            x, y = patch.places()
            far = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
            patches.append(patch)
            fars.append(far * np.float32(1 / max(radius, 1e-4)))
            lids.append(patch.within(outline, c.EDGE) * patch.sampled(uncovered) * np.float32(is_open))
        return Eyes(tuple(patches), np.stack(lids), np.stack(fars))


def draw_eyes(now: Floats, eyes: Eyes, tone: Tone, amount: float) -> float | None:
    """Brightens the eyes of `now` (S x S x 3, levels, BGR), in place. `amount`: 0..1, 0 to measure alone.

    Returns:
        The luma of the sclera, 0..1; None where none is seen.
    """
    seen = np.stack([patch.of(now) for patch in eyes.patches])
    column = seen.reshape(-1, seen.shape[2], 3)  # one picture above the other
    level = luma(column).reshape(seen.shape[:3]) * np.float32(1 / 255)
    blue, green, red = cv2.split(column)
    most, least = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    colourful = np.divide(most - least, most + 1, dtype=np.float32).reshape(seen.shape[:3])
    white = eyes.lid * step(eyes.far, *c.IRIS_EDGE)
    white *= 1 - step(colourful, *(one * max(tone.colourful, c.SKIN_COLOURFUL) for one in c.WHITE_LESS))
    bright = white * level * level
    total, weight = float(np.vdot(bright, level)), float(bright.sum())
    if amount > 0:
        change = _drawn_eyes(seen, level, white, eyes.lid * (1 - step(eyes.far, *c.IRIS_DISC)), amount) - seen
        for patch, one in zip(eyes.patches, change, strict=True):
            patch.of(now)[:] += one
    return total / weight if weight > 0.05 else None


def _drawn_eyes(seen: Floats, level: Floats, white: Floats, iris: Floats, amount: float) -> Floats:
    white = white * np.float32(amount)
    gain = 1 + white * np.float32(c.WHITE_LIGHTER) * (1 - level)
    above = level - ((iris * level).sum(axis=(1, 2)) / (iris.sum(axis=(1, 2)) + np.float32(1e-3)))[:, None, None]
    iris = iris * np.float32(amount)
    # The same gain for all channels: the iris keeps its hue and how colourful it is.
    contrast = np.float32(c.IRIS_CONTRAST) * above / (level + np.float32(0.08)) + np.float32(c.IRIS_LIFT)
    gain += iris * contrast.clip(*c.IRIS_GAIN)
    grey = (level * 255)[:, :, :, None]
    paler = (white * np.float32(c.WHITE_PALER))[:, :, :, None]
    catch = iris * step(above, *c.CATCH_FROM) * np.float32(c.CATCH_MOST)
    drawn = (seen + paler * (grey - seen)) * gain[:, :, :, None]
    drawn += catch[:, :, :, None] * np.maximum(255 - drawn, 0)
    return np.asarray(drawn, np.float32)


@dataclass(frozen=True)
class Mouth:
    """The opening of an open mouth: how far each pixel of the patch lies within it, h x w, 0..1; less while it opens."""

    patch: Patch
    within: Floats

    @staticmethod
    def of(points: Floats, side: int) -> Mouth | None:
        """In a crop of so many pixels, by the mesh (478 x 3); None where it is closed."""
        outline = points[list(LIPS_INNER), :2]
        patch = Patch.around(outline, 3 * c.EDGE, side)
        wide = float(np.linalg.norm(outline[10] - outline[0]))
        if patch is None or wide == 0:
            return None
        is_open = step_of(float(np.linalg.norm(outline[15] - outline[5])) / wide, *c.MOUTH_OPEN)
        return Mouth(patch, patch.within(outline, c.EDGE) * np.float32(is_open)) if is_open > 0 else None


def draw_teeth(now: Floats, mouth: Mouth, tone: Tone, sclera: float, amount: float) -> None:
    """Makes the teeth of `now` (S x S x 3, levels, BGR) less yellow and a little lighter, in place.

    Args:
        sclera: luma of the eyes' white, 0..1, which the teeth don't go beyond.
    """
    seen = mouth.patch.of(now)
    level = luma(seen)
    teeth = mouth.within * step(level / np.float32(tone.luma + 1), *c.TOOTH_LEVEL)
    red = np.log((seen[:, :, 2] + 1) / (seen[:, :, 1] + 1)) - np.float32(tone.red)
    teeth *= (1 - step(red, *c.TOOTH_RED)) * np.float32(amount)
    level *= np.float32(1 / 255)
    room = np.maximum(np.float32(sclera) - level, 0)
    lighter = np.minimum(np.float32(c.TOOTH_LIGHTER) * level * (1 - level), room) / (level + np.float32(0.01))
    least = np.minimum(seen[:, :, 1], seen[:, :, 2])
    seen[:, :, 0] += teeth * np.float32(c.TOOTH_YELLOW) * np.maximum(least - seen[:, :, 0], 0)
    seen *= (1 + teeth * lighter)[:, :, None]
