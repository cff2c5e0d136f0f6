"""Soft masks of what opens and closes, from its outline: eyes, brows, lips, mouth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from gpen_live.beauty.maps import Floats

_SUB = 4  # bits of a pixel's fraction in OpenCV's drawing
_FINE = 1024  # outlines are drawn as if the crop had at least this side


@dataclass(frozen=True)
class Patch:
    """A part of a square picture around some points: pixels x0, y0, x1, y1 (ends excluded) of `side`."""

    x0: int
    y0: int
    x1: int
    y1: int
    side: int

    @staticmethod
    def around(points: Floats, margin: float, side: int) -> Patch | None:
        """Around points (n x 2, fractions) with a margin; None where it lies outside."""
        x0, y0 = np.floor((points.min(axis=0) - margin) * side).astype(int).clip(0, side)
        x1, y1 = np.ceil((points.max(axis=0) + margin) * side).astype(int).clip(0, side)
        return Patch(int(x0), int(y0), int(x1), int(y1), side) if x0 < x1 and y0 < y1 else None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    def grown(self, height: int, width: int) -> Patch:
        """A patch of this size, no smaller than it is, that holds it."""
        x0, y0 = min(self.x0, self.side - width), min(self.y0, self.side - height)
        return Patch(x0, y0, x0 + width, y0 + height, self.side)

    def of(self, picture: Floats) -> Floats:
        """The part of a picture of this side, not a copy."""
        return picture[self.y0 : self.y1, self.x0 : self.x1]

    def sampled(self, one: Floats) -> Floats:
        """The same part of a coarser map (n x n), bilinear."""
        scale = one.shape[0] / self.side
        x, y = ((at + 0.5) * scale - 0.5 for at in (self.x0, self.y0))
        size = (self.x1 - self.x0, self.y1 - self.y0)
        there = np.array([[scale, 0, x], [0, scale, y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(one, there, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)

    def places(self) -> tuple[Floats, Floats]:
        """The pixels' places as fractions: x (1 x w) and y (h x 1)."""
        x = (np.arange(self.x0, self.x1, dtype=np.float32) + np.float32(0.5)) / np.float32(self.side)
        y = (np.arange(self.y0, self.y1, dtype=np.float32) + np.float32(0.5)) / np.float32(self.side)
        return x[None], y[:, None]

    def within(self, outline: Floats, soft: float) -> Floats:
        """How far each pixel lies within a closed outline (n x 2, fractions), 0..1, soft by a Gaussian of deviation `soft`."""
        times = max(
            1, -(-_FINE // self.side)
        )  # drawn finer: at the pixels' own size OpenCV's outlines are most of a pixel too large
        shape = (self.y1 - self.y0, self.x1 - self.x0)
        drawn = np.zeros((times * shape[0], times * shape[1]), np.uint8)
        pixels = (outline * np.float32(self.side) - np.array([self.x0, self.y0], np.float32)) * np.float32(times) - np.float32(
            0.5
        )
        cv2.fillPoly(drawn, [np.rint(pixels * (1 << _SUB)).astype(np.int32)], (255,), cv2.LINE_8, _SUB)
        covered = drawn if times == 1 else cv2.resize(drawn, shape[::-1], interpolation=cv2.INTER_AREA)
        sigma = soft * self.side
        size = 2 * math.ceil(2.5 * sigma) + 1
        return np.asarray(cv2.GaussianBlur(covered, (size, size), sigma) * np.float32(1 / 255), np.float32)
