"""The look on a device: the stage for `paths.torch`, and for the CUDA graphs of `paths.cuda`.

What is known of a face stays on the device, in a row of each of the tensors of `Rows`; the host tells which row is whose, and
the dials. Nothing waits for the device. Imports torch at import time: import this module late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor

from gpen_live.beauty import constants as c
from gpen_live.beauty.values import AT, DIALS, Values, Vector, wished
from gpen_live.engine.paths.cuda.stages import Variant
from gpen_live.engine.result import Change, FaceCrop
from gpen_live.faces.smooth import LONGEST_S
from gpen_live.faces.state import MAX_FACES
from gpen_live.nets.face_mesh import POINTS

ROW, NEW, STEP, FADE, LIPS, SCLERA, FIRST_DIAL = range(7)
"""The places of what the host tells about each face: its row; whether nothing is known of it; seconds since the mesh was found
last, 0 for a fresh start; the share of a fade that has passed since the last frame; the frame's shares in the running colours of
lips and sclera; then the dials."""
NUMBERS = FIRST_DIAL + len(DIALS)

_SHAPE = [AT[name] for name in ("slim", "jaw", "eye_size", "nose")]
_wish = lru_cache(8)(wished)


class Draws(Protocol):
    """What finds and draws, on the device that it was made for."""

    def look(self, seen: Tensor, told: Tensor, rows: Rows) -> None:
        """Finds the meshes and layers of N crops (N x 3 x S x S, RGB in [-1, 1], contiguous) and keeps them in their rows.

        Args:
            told: N x NUMBERS.

        Raises:
            RuntimeError: the device refuses.
        """

    def draw(self, seen: Tensor, change: Change, told: Tensor, rows: Rows) -> None:
        """Draws the look of N crops: works on `change` in place. `told`: as above."""


class Rows:
    """What is known of faces, one row each; the last row is nobody's.

    Args:
        points: the smoothed meshes. measured, velocity: of their filter. layers: of the retouch network.
        found: how far a face is there (0), looks this way (1), and both as faded so far (2, 3).
        colours: the lips' running log of blue and of red over green, how much skin is seen around them at most, the sclera's
            luma, and whether there are such values of lips and sclera.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.points = torch.zeros(count + 1, POINTS, 3, device=device)
        self.measured, self.velocity = torch.zeros_like(self.points), torch.zeros_like(self.points)
        self.layers = torch.zeros(count + 1, 5, c.MAP, c.MAP, device=device)
        self.found = torch.zeros(count + 1, 4, device=device)
        self.colours = torch.zeros(count + 1, 6, device=device)


@dataclass
class _Kept:
    """What the host knows of a face. `of`: where it is kept, `number`: of the frame; `at`, `looked_at`: media time, seconds."""

    of: dict[str, Any]
    row: int
    values: Values = field(default_factory=Values)
    dials: Vector | None = None
    number: int = 0
    at: float = -math.inf
    looked_at: float = -math.inf


def warm_up(draws: Draws, device: torch.device) -> None:
    """Draws something, so that whatever takes long the first time is done.

    Raises:
        RuntimeError: the device can't.
    """
    rows = Rows(1, device)
    told = torch.zeros(1, NUMBERS, device=device)
    told[:, NEW] = 1
    for side in (256, 512):
        seen = torch.zeros(1, 3, side, side, device=device)
        for moves in (None, seen.new_zeros(1, 2, side, side)):
            change = Change(torch.zeros_like(seen), moves)
            draws.look(seen, told, rows)
            draws.draw(seen, change, told, rows)
    if not bool(torch.isfinite(change.added).all()):
        raise RuntimeError("the look gives what is not a number")


class TorchBeauty:
    """The stage; see `gpen_live.engine.result.Stage` and `gpen_live.engine.paths.cuda.stages.DeviceStage`.

    Args:
        host: gives memory of the host that the device reads by itself, float32.
    """

    name = "beauty"
    variants = (Variant(looks=True, moves=False), Variant(looks=True, moves=True))

    def __init__(self, draws: Draws, device: torch.device, host: Callable[[int, int], Tensor] = torch.zeros) -> None:
        self._draws, self._device = draws, device
        self._rows = Rows(2 * MAX_FACES, device)
        self._owners: list[_Kept | None] = [None] * (2 * MAX_FACES)
        self._staged = host(MAX_FACES, NUMBERS)
        self._told = torch.zeros(MAX_FACES, NUMBERS, device=device)
        self._number = 0

    def active(self, face: FaceCrop) -> bool:
        kept = face.kept.get(self.name)
        return face.look.beauty.uses() or (kept is not None and not kept.values.nothing)

    def variant(self, faces: Sequence[FaceCrop]) -> Variant | None:
        self._number += 1
        moves = used = False
        for face in faces:
            if not self.active(face):
                continue
            kept = self._kept(face)
            kept.dials = kept.values(_wish(face.look.beauty), face.at, 1.0, 1.0)
            used = used or not kept.values.nothing
            moves = moves or bool(kept.dials[_SHAPE].any())
        return Variant(looks=True, moves=moves) if used else None

    def tell(self, faces: Sequence[FaceCrop], at: float, *, looks: bool = True) -> None:
        told = self._staged.numpy()
        told[:] = 0
        told[:, ROW], told[:, NEW] = 2 * MAX_FACES, 1
        for numbers, face in zip(told, faces, strict=False):
            if self.active(face):
                self._tell(numbers, self._kept(face), at, looks=looks)
        self._told.copy_(self._staged, non_blocking=True)

    def look(self, seen: Tensor) -> None:
        self._draws.look(seen, self._told[: len(seen)], self._rows)

    def draw(self, seen: Tensor, change: Change) -> None:
        self._draws.draw(seen, change, self._told[: len(seen)], self._rows)

    def __call__(self, seen: Tensor, change: Change, told: Sequence[FaceCrop]) -> Change:
        variant = self.variant(told)
        if variant is None:
            return change
        looks = any(face.refresh or self._kept(face).looked_at == -math.inf for face in told)
        self.tell(told, told[0].at, looks=looks)
        if looks:
            self.look(seen)
        moved = seen.new_zeros(len(seen), 2, *seen.shape[2:]) if variant.moves else None
        seen, drawn = seen.contiguous(), Change(change.added.clone(memory_format=torch.contiguous_format), moved)
        self.draw(seen, drawn)
        return drawn

    def _tell(self, numbers: Vector, kept: _Kept, at: float, *, looks: bool) -> None:
        step, since = at - kept.at, at - kept.looked_at
        fresh = not 0 <= step <= LONGEST_S
        numbers[ROW], numbers[NEW] = kept.row, kept.at == -math.inf
        numbers[STEP] = since if 0 < since <= LONGEST_S else 0.0
        numbers[FADE] = 1.0 if fresh else step / c.FADE_S
        for place, over in ((LIPS, c.LIP_S), (SCLERA, c.SCLERA_S)):
            numbers[place] = 1.0 if kept.at == -math.inf else 1 - math.exp(-max(0.0, step) / over)
        if kept.dials is not None:
            numbers[FIRST_DIAL:] = kept.dials
        kept.at = at
        if looks:
            kept.looked_at = at

    def _kept(self, face: FaceCrop) -> _Kept:
        kept = face.kept.get(self.name)
        if kept is None:
            kept = face.kept[self.name] = _Kept(face.kept, self._free_row())
            self._owners[kept.row] = kept
        kept.number = self._number
        return kept

    def _free_row(self) -> int:
        """One whose face has gone, or else the one that was not needed for longest."""

        def used(row: int) -> float:
            owner = self._owners[row]
            return -1 if owner is None or owner.of.get(self.name) is not owner else owner.number

        return min(range(len(self._owners)), key=used)
