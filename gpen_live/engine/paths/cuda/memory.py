"""What a network with a memory made of the frame before, on the device.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from gpen_live.faces.state import LastResult

NONE = -1
"""Stands for no last picture."""


class Row(NamedTuple):
    """Where a face's last picture lies: what `LastResult.picture` is here."""

    of: PictureRows
    number: int


class PictureRows:
    """The last pictures of up to `most` faces, which stay where they are: in the rows of `pictures`, twice as many.

    New ones go to rows that hold no last ones, so that a frame that fails spoils nothing.

    Args:
        most: how many pictures of a frame there are at most. height, width: of each.
    """

    def __init__(self, most: int, height: int, width: int, device: torch.device) -> None:
        self.pictures = torch.zeros(2 * most, 3, height, width, device=device)
        self._owners: list[LastResult | None] = [None] * (2 * most)

    def recall(self, lasts: Sequence[LastResult], at: float) -> list[int]:
        """The rows of the last pictures, `NONE` where there is none, or only one that is of no help at `at` seconds."""
        return [self._row_of(last) if last.fresh(at) else NONE for last in lasts]

    def free(self, count: int) -> list[int]:
        """The rows where `count` new pictures go."""
        rows = [row for row, owner in enumerate(self._owners) if owner is None or self._row_of(owner) != row]
        return rows[:count]

    def keep(self, lasts: Sequence[LastResult], rows: Sequence[int], at: float) -> None:
        """The new pictures are there, and whole: they are the last ones now."""
        for last, row in zip(lasts, rows, strict=True):
            last.keep(at, picture=Row(self, row))
            self._owners[row] = last

    def _row_of(self, last: LastResult) -> int:
        return last.picture.number if isinstance(last.picture, Row) and last.picture.of is self else NONE
