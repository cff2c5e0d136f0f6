"""The skin's mean colour, which much is measured by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gpen_live.beauty import constants as c
from gpen_live.beauty.maps import LUMA_OF_BGR, Floats
from gpen_live.beauty.values import Vector


@dataclass(frozen=True)
class Tone:
    """The skin's mean: luma, 0..255; log of blue and of red over green; colourfulness, (most - least) / most of the channels."""

    luma: float
    blue: float
    red: float
    colourful: float

    @staticmethod
    def of(small: Floats, skin: Floats) -> Tone:
        """Of a picture (n x n x 3, levels, BGR) and its skin (n x n, 0..1)."""
        blue, green, red = (skin.ravel() @ small.reshape(-1, 3) / (skin.sum() + 1e-3)).tolist()
        most, least = max(blue, green, red), min(blue, green, red)
        level = c.LUMA[0] * blue + c.LUMA[1] * green + c.LUMA[2] * red
        return Tone(level, math.log((blue + 4) / (green + 4)), math.log((red + 4) / (green + 4)), (most - least) / (most + 1))

    def tinted(self, colour: Vector) -> Vector:
        """A pigment's colour (BGR, linear light) as it shows in this picture: a pale camera makes it pale too."""
        share = np.float32(min(max(self.colourful / c.VIVID, c.PALEST), 1.0))
        grey = float(colour @ LUMA_OF_BGR)
        return np.asarray(grey + share * (colour - grey), np.float32)
