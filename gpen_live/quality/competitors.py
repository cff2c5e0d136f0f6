"""Simple filters that a network has to beat, and that need no graphics card and no training.

Each takes and gives H x W x 3 RGB bytes. Those that smooth are told how noisy the picture is, by an estimate from the picture
itself, as a careful user would set them: so none is beaten merely because its strength was fixed for other noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Filter = Callable[[Bytes], Bytes]

_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)


def noise_level(picture: Bytes) -> float:
    """Standard deviation of white noise in levels.

    Immerkær, "Fast noise variance estimation", CVIU 1996, on the luma; the flatter half of the pixels alone, so that detail is not
    taken for noise, scaled to what Gaussian noise leaves there.
    """
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    response = np.abs(cv2.filter2D(luma, -1, _LAPLACE))[1:-1, 1:-1] / 6
    return float(np.median(response) / 0.6745)


def bicubic(picture: Bytes) -> Bytes:
    """Half the pixels by averaging, scaled up again: what resampling alone does against noise."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (math.ceil(width / 2), math.ceil(height / 2)), interpolation=cv2.INTER_AREA)
    return _bytes(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def bilateral(picture: Bytes) -> Bytes:
    """Bilateral filter (Tomasi and Manduchi 1998): colours within three deviations of the noise are averaged."""
    return _bytes(cv2.bilateralFilter(picture, 9, 3 * noise_level(picture) + 1, 3))


def guided(picture: Bytes) -> Bytes:
    """Guided filter (He et al. 2010), the picture's luma its guide: 9 x 9 pixels, epsilon twice the noise's variance."""
    size = (9, 9)

    def mean(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.blur(x, size, borderType=cv2.BORDER_REFLECT_101), np.float32)

    epsilon = 2 * (noise_level(picture) / 255) ** 2 + 1e-6
    x = picture.astype(np.float32) / 255
    guide = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
    guide_mean, x_mean = mean(guide[..., 0])[..., None], mean(x)
    variance = mean(guide[..., 0] ** 2)[..., None] - guide_mean**2
    slope = (mean(guide * x) - guide_mean * x_mean) / (variance + epsilon)
    out = mean(slope) * guide + mean(x_mean - slope * guide_mean)
    return _bytes(out * 255)


def unsharp(picture: Bytes) -> Bytes:
    """Unsharp mask: half of the difference to a Gaussian blur of 1.5 pixels on top."""
    return _bytes(cv2.addWeighted(picture, 1.5, cv2.GaussianBlur(picture, (0, 0), 1.5), -0.5, 0))


def nlmeans(picture: Bytes) -> Bytes:
    """OpenCV's fastNlMeansDenoisingColored (Buades et al. 2005), its usual 7 and 21 pixels, as strong as the noise."""
    strength = 0.9 * noise_level(picture) + 0.5
    return _bytes(cv2.fastNlMeansDenoisingColored(picture[..., ::-1], None, strength, strength, 7, 21)[..., ::-1])


COMPETITORS: dict[str, Filter] = {
    "bicubic": bicubic,
    "bilateral": bilateral,
    "guided": guided,
    "unsharp": unsharp,
    "nlmeans": nlmeans,
}
"""Every competitor by name."""


def _bytes(x: npt.NDArray[np.generic]) -> Bytes:
    if x.dtype != np.uint8:
        x = np.rint(np.clip(np.asarray(x, np.float32), 0, 255)).astype(np.uint8)
    return np.ascontiguousarray(x, np.uint8)
