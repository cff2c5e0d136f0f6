"""How much is done for each frame: what may be given up where time is short, without a frame or a face being late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from gpen_live.look import Look


@dataclass(frozen=True)
class Effort:
    """What the engine does for its frames; the default is everything.

    Args:
        detect_every: faces are searched for in one of so many frames, and followed in between.
        lighter: 0 is the network that is wished for, n the n-th of those that may stand in for it.
        faces: so many are enhanced, the largest ones; None: all that are tracked.
        enhance_every: the network runs in one of so many frames; in between its last change moves along with the face.
        refresh_every: stages look at a face anew (its mesh, its skin) in one of so many frames; in between what they know of it
            moves along.
        shape, makeup: whether these groups of the look's beauty are drawn.
    """

    detect_every: int = 1
    lighter: int = 0
    faces: int | None = None
    enhance_every: int = 1
    refresh_every: int = 1
    shape: bool = True
    makeup: bool = True

    def spared(self, look: Look) -> Look:
        """What of the look is drawn."""
        return look if self.shape and self.makeup else _spared(look, self.shape, self.makeup)


@lru_cache(4)
def _spared(look: Look, shape: bool, makeup: bool) -> Look:
    beauty = look.beauty if shape else look.beauty.without("shape")
    return replace(look, beauty=beauty if makeup else beauty.without("makeup"))
