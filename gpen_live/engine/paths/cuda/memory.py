"""What a network with a memory made of the frame before, on the device.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gpen_live.engine.recurrent import LONGEST_S

NONE = -1
"""Stands for no last picture."""


class LastPictures:
    """The same rules as `gpen_live.engine.recurrent.Memory`, for pictures that stay where they are, in the rows of `pictures`.

    New ones go to the half of the rows that holds no last ones, so that a frame that fails spoils nothing.

    Args:
        most: how many pictures of a frame there are at most. height, width: of each.
    """

    def __init__(self, most: int, height: int, width: int, device: torch.device) -> None:
        self.pictures = torch.zeros(2 * most, 3, height, width, device=device)
        self._half = most
        self._rows: dict[int, int] = {}
        self._at = 0.0
        self._next = 0

    def forget(self) -> None:
        """Another scene, or another network."""
        self._rows = {}

    def recall(self, keys: Sequence[int], at: float) -> list[int]:
        """The rows of the last pictures by face, `NONE` where there is none, or only an old one."""
        if not 0 <= at - self._at <= LONGEST_S:
            self.forget()
        return [self._rows.get(key, NONE) for key in keys]

    def free(self, count: int) -> list[int]:
        """The rows where `count` new pictures go."""
        return [self._next + i for i in range(count)]

    def keep(self, keys: Sequence[int], at: float) -> None:
        """The new pictures are there, and whole: they are the last ones now, and the only ones."""
        self._rows = dict(zip(keys, self.free(len(keys)), strict=True))
        self._at = at
        self._next = self._half - self._next
