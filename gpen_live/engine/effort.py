"""How much is done for each frame: what may be given up where time is short, without a frame or a face being late."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """What the engine does for its frames; the default is everything.

    Args:
        detect_every: faces are searched for in one of so many frames, and followed in between.
        lighter: 0 is the network that is wished for, n the n-th of those that may stand in for it.
        faces: so many are enhanced, the largest ones; None: all that are tracked.
        enhance_every: the network runs in one of so many frames; in between its last change moves along with the face.
    """

    detect_every: int = 1
    lighter: int = 0
    faces: int | None = None
    enhance_every: int = 1
