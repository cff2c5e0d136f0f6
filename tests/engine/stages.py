"""Stages after the network that move a face, for each kind of frame path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gpen_live.engine.result import Change, FaceCrop

Floats = npt.NDArray[np.float32]
Displacement = Callable[[int, int], Floats]
"""Gives a displacement of so many rows and columns, 2 x H x W (x, y)."""


def nowhere(height: int, width: int) -> Floats:
    return np.zeros((2, height, width), np.float32)


def aside(height: int, width: int) -> Floats:
    """The same everywhere, even where the mask is zero."""
    return np.broadcast_to(np.array([[[3.5]], [[-2.25]]], np.float32), (2, height, width)).copy()


def wavy(height: int, width: int) -> Floats:
    y, x = np.mgrid[0:height, 0:width] / 64
    return np.asarray([3 * np.sin(7 * y + 2 * x), 2 * np.cos(5 * x - y)], np.float32)


class HostMove:
    """On the processor; adds a few levels, too. `idle`: it has nothing to do."""

    idle = False

    name = "move"

    def __init__(self, displacement: Displacement, added: float = 0.0) -> None:
        self._displacement, self.added = displacement, added

    def active(self, face: FaceCrop) -> bool:
        return not self.idle

    def __call__(self, seen: Any, change: Change, told: Any) -> Change:
        height, width = seen.shape[:2]
        moved = np.ascontiguousarray(self._displacement(height, width).transpose(1, 2, 0))
        return Change(change.added + np.float32(self.added), moved)


class TensorMove(HostMove):
    """On tensors."""

    def __call__(self, seen: Any, change: Change, told: Any) -> Change:
        count, _, height, width = seen.shape
        moved = torch.from_numpy(self._displacement(height, width)).to(seen.device)
        return Change(change.added + self.added, moved.expand(count, -1, -1, -1).contiguous())
