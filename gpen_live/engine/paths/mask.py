"""The soft mask that a face is blended in with, in the crop's own coordinates."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_CENTRE = (0.5, 0.555)  # fractions of the crop side; on GPEN's template the face lies around this point
_INNER = (0.27, 0.29)  # half axes within which the enhanced picture stands alone: brows to chin
_OUTER = (0.46, 0.43)  # half axes where the mask has faded to nothing, before the crop ends
_RIM = 0.08  # of the side, within which what stages draw fades to nothing


@cache
def face_mask(size: int) -> npt.NDArray[np.float32]:
    """A `size` x `size` mask, float32 0..1: one over the face, falling smoothly to exactly zero before the crop's border.

    Between two super-ellipses the mask follows a smootherstep, whose first and second derivatives vanish at both ends, so that
    no edge shows on even skin.
    """
    y, x = (np.mgrid[0:size, 0:size].astype(np.float64) + 0.5) / size
    dx, dy = np.abs(x - _CENTRE[0]), np.abs(y - _CENTRE[1])
    inner = (dx / _INNER[0]) ** 2.4 + (dy / _INNER[1]) ** 2.4
    outer = (dx / _OUTER[0]) ** 2.4 + (dy / _OUTER[1]) ** 2.4
    # Radii relative to the two outlines: 0 on the inner one, 1 on the outer one.
    r_inner, r_outer = inner ** (1 / 2.4), outer ** (1 / 2.4)
    t = np.clip((r_inner - 1) / np.maximum(r_inner - r_outer, 1e-9), 0, 1)
    mask: npt.NDArray[np.float32] = (1 - t * t * t * (t * (6 * t - 15) + 10)).astype(np.float32)
    mask.setflags(write=False)
    return mask


@cache
def rim_mask(size: int) -> npt.NDArray[np.float32]:
    """A `size` x `size` mask, float32 0..1: one in all of the crop but its rim, where it falls smoothly to exactly zero.

    For what is drawn with a mask of its own, and reaches beyond the face: to hairline, ears and neck.
    """
    inwards = np.minimum(np.arange(size), np.arange(size)[::-1]) / (_RIM * size)
    t = np.clip(inwards, 0, 1)
    fall = t * t * t * (t * (6 * t - 15) + 10)
    mask: npt.NDArray[np.float32] = np.outer(fall, fall).astype(np.float32)
    mask.setflags(write=False)
    return mask


@cache
def mask_support(size: int) -> tuple[int, int, int, int]:
    """The part of the mask that is not zero: x0, y0, x1, y1, ends excluded."""
    rows, columns = np.nonzero(face_mask(size))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
