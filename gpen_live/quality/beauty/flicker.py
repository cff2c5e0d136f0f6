"""How restless a look is: films of a still and of a moving photo with a camera's noise, with the look and without it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

FRAMES = 24
SETTLED = 12
"""Frames at the film's beginning that are not looked at: faces and looks fade in."""
NOISE = 3.0
"""Standard deviation of the camera's noise in levels."""
_PATH = ((0, 0), (1, 2), (2, 4), (3, 6), (4, 7), (4, 8), (5, 7), (5, 5), (4, 3), (3, 1), (2, 0), (1, -1))
"""Where a moving scene lies, frame by frame, in whole pixels (down, right) so that the motion can be taken back exactly."""


def film(picture: Bytes, seed: int, *, moving: bool, frames: int = FRAMES) -> list[Bytes]:
    """Frames of a photo (H x W x 3), each with noise of its own."""
    chance = np.random.default_rng((seed, moving))
    height, width = picture.shape[:2]
    seen = []
    for number in range(frames):
        down, right = place(number) if moving else (0, 0)
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        noise = chance.standard_normal(picture.shape, np.float32) * np.float32(NOISE)
        seen.append(np.asarray(np.rint(np.clip(picture[rows][:, columns] + noise, 0, 255)), np.uint8))
    return seen


def twinkle(frames: Sequence[Bytes], first: int = SETTLED) -> float:
    """By how many levels the liveliest pixel in a thousand of a channel changes from frame to frame, at most."""
    cut = [frame.astype(np.int16) for frame in frames[first:]]
    return float(max(np.percentile(np.abs(after - before), 99.9) for before, after in itertools.pairwise(cut)))


def place(number: int) -> tuple[int, int]:
    """Where the scene lies in a frame of a moving film: pixels down and right."""
    return _PATH[number % len(_PATH)]


def restlessness(frames: Sequence[Bytes], box: tuple[int, int, int, int], *, moving: bool, first: int = SETTLED) -> float:
    """Mean absolute change from frame to frame in levels within a box (x0, y0, x1, y1), the motion taken back."""
    x0, y0, x1, y1 = box
    cut = []
    for number, frame in enumerate(frames):
        down, right = place(number) if moving else (0, 0)
        cut.append(frame[y0 + down : y1 + down, x0 + right : x1 + right].astype(np.int16))
    return float(np.mean([np.abs(after - before).mean() for before, after in itertools.pairwise(cut[first:])]))
