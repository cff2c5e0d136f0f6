"""How a face is to look: one value, carried whole from settings, command line or preset to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mode(str, Enum):
    """ROI: the face crops are enhanced and blended back. FULL: the whole frame goes through the network."""

    ROI = "roi"
    FULL = "full"


@dataclass(frozen=True)
class Look:
    """What the viewers are to see; a change makes a new one: `dataclasses.replace(look, strength=0.5)`.

    Args:
        enhance: False sends the raw frame.
        mode: the faces alone, or the whole frame.
        strength: of the network's change, 0 (raw) to 1 (the network's picture).
    """

    enhance: bool = True
    mode: Mode = Mode.ROI
    strength: float = 1.0
