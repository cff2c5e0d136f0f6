"""The face's shape: one coarse grid of displacements."""

from __future__ import annotations

from functools import cache

import numpy as np

from gpen_live.beauty.fields import SHIFTS, canonical, sampled
from gpen_live.beauty.fields import grid as grid_of
from gpen_live.beauty.maps import Floats, remapped, resized
from gpen_live.beauty.values import AT, Vector


def shape_grid(there: Floats, dials: Vector) -> Floats | None:
    """Where each node of the grid looks, relative to it: WIDE x WIDE x 2, fractions of the crop's side; None for nothing.

    Args:
        there: the nodes on the canonical face, see `gpen_live.beauty.fields.carried`.
    """
    amounts = dials[[AT[name] for name in SHIFTS]]
    if not amounts.any():
        return None
    shifts = (amounts @ canonical().shifts.reshape(len(SHIFTS), -1)).reshape(there.shape)
    return sampled(shifts, there)


def displacement(grid: Floats, side: int) -> Floats:
    """The grid's displacement of every pixel of the crop: side x side x 2, in pixels."""
    return np.asarray(resized(grid, side) * np.float32(side), np.float32)


def displaced(added: Floats, moved: Floats, grid: Floats) -> Floats:
    """What was to be added to each place (S x S x 3), where that place is shown: at p what was at p + displacement.

    Args:
        moved: as `displacement` gives it for `grid`, outside whose nonzero nodes nothing moves.
    """
    side, nodes = added.shape[0], len(grid)
    rows, columns = (np.flatnonzero(grid.any(axis=(other, 2))) for other in (1, 0))
    if len(rows) == 0:
        return added
    y0, x0 = (max((int(found[0]) - 1) * side // nodes, 0) for found in (rows, columns))
    y1, x1 = (min(-(-(int(found[-1]) + 2) * side // nodes), side) for found in (rows, columns))
    part = moved[y0:y1, x0:x1] + _pixels(side)[y0:y1, x0:x1]
    out = added.copy()
    out[y0:y1, x0:x1] = remapped(added, part)
    return out


@cache
def _pixels(side: int) -> Floats:
    """The places of a crop's pixels: side x side x 2 (x, y)."""
    return grid_of(side) * np.float32(side) - np.float32(0.5)
