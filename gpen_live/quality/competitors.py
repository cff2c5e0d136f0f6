"""Simple filters that a network has to beat, and that need no graphics card and no training.

Each takes H x W x 3 RGB bytes and a strength, and gives such bytes. For every degradation and level each filter is set to the one
of its strengths that serves it best (see `best_strength`), which no user could do: so none is beaten for being badly set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Filter:
    """One competitor.

    Args:
        work: picture and strength to the filtered picture.
        strengths: those tried.
    """

    work: Callable[[Bytes, float], Bytes]
    strengths: tuple[float, ...]


def best_strength(one: Filter, seen: Sequence[Bytes], truths: Sequence[Bytes]) -> float:
    """The strength with the least mean squared error over these pictures."""

    def error(strength: float) -> float:
        pairs = zip(seen, truths, strict=True)
        return float(np.mean([np.square(one.work(a, strength).astype(np.float32) - b).mean() for a, b in pairs]))

    return min(one.strengths, key=error)


def bicubic(picture: Bytes, strength: float) -> Bytes:
    """Fewer pixels by averaging, by the factor `strength`, scaled up again: what resampling alone does against noise."""
    height, width = picture.shape[:2]
    side = (max(1, round(width / strength)), max(1, round(height / strength)))
    small = cv2.resize(picture, side, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def bilateral(picture: Bytes, strength: float) -> Bytes:
    """Bilateral filter (Tomasi and Manduchi 1998), 9 x 9: averages colours that differ by about `strength` levels."""
    return np.asarray(cv2.bilateralFilter(picture, 9, strength, 3), np.uint8)


def guided(picture: Bytes, strength: float) -> Bytes:
    """Guided filter (He et al. 2010), 9 x 9, guided by the luma: keeps edges well above `strength` levels."""

    def mean(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.blur(x, (9, 9), borderType=cv2.BORDER_REFLECT_101), np.float32)

    x = picture.astype(np.float32)
    guide = np.asarray(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), np.float32)[..., None]
    guide_mean, x_mean = mean(guide)[..., None], mean(x)
    variance = mean(guide**2)[..., None] - guide_mean**2
    slope = (mean(guide * x) - guide_mean * x_mean) / (variance + strength**2)
    out = mean(slope) * guide + mean(x_mean - slope * guide_mean)
    return np.rint(np.clip(out, 0, 255)).astype(np.uint8)


def unsharp(picture: Bytes, strength: float) -> Bytes:
    """Unsharp mask: `strength` times the difference to a Gaussian blur of 1.5 pixels on top."""
    return np.asarray(cv2.addWeighted(picture, 1 + strength, cv2.GaussianBlur(picture, (0, 0), 1.5), -strength, 0), np.uint8)


def nlmeans(picture: Bytes, strength: float) -> Bytes:
    """OpenCV's fastNlMeansDenoisingColored (Buades et al. 2005): `strength` for luma and colour, its usual 7 and 21 pixels."""
    return np.asarray(cv2.fastNlMeansDenoisingColored(picture, None, strength, strength, 7, 21), np.uint8)


COMPETITORS: dict[str, Filter] = {
    "bicubic": Filter(bicubic, (1.25, 1.5, 2, 3)),
    "bilateral": Filter(bilateral, (5, 10, 20, 40, 80)),
    "guided": Filter(guided, (1, 3, 6, 12, 20)),
    "unsharp": Filter(unsharp, (0.15, 0.3, 0.6, 1)),
    "nlmeans": Filter(nlmeans, (1, 3, 6, 10, 16)),
}
"""Every competitor by name."""
