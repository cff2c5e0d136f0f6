"""The face's shape: one coarse grid of displacements."""

from __future__ import annotations

import cv2
import numpy as np

from gpen_live.beauty.fields import SHIFTS, canonical, sampled
from gpen_live.beauty.maps import Floats, resized
from gpen_live.beauty.values import AT, Vector


def shape_grid(there: Floats, dials: Vector) -> Floats | None:
    """Where each node of the grid looks, relative to it: WIDE x WIDE x 2, fractions of the crop's side; None for nothing.

    Args:
        there: the nodes on the canonical face, see `gpen_live.beauty.fields.carried`.
    """
    amounts = dials[[AT[name] for name in SHIFTS]]
    if not amounts.any():
        return None
    shifts = canonical().shifts.reshape(*there.shape[:2], len(SHIFTS), 2)
    return sampled(np.ascontiguousarray(np.einsum("hwkd,k->hwd", shifts, amounts)), there)


def displacement(grid: Floats, side: int) -> Floats:
    """The grid's displacement of every pixel of the crop: side x side x 2, in pixels."""
    return np.asarray(resized(grid, side) * np.float32(side), np.float32)


def displaced(added: Floats, moved: Floats) -> Floats:
    """What was to be added to each place (S x S x 3), where that place is shown: at p what was at p + displacement."""
    side = added.shape[0]
    line = np.arange(side, dtype=np.float32)
    return np.asarray(
        cv2.remap(
            added, moved[:, :, 0] + line, moved[:, :, 1] + line[:, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.float32,
    )
