"""Where a face's skin is, and how light it is.

Skin is looked for in the truth, inside four ellipses on GPEN's template (forehead, both cheeks, nose), by its colour: the chroma
test of Chai and Ngan ("Face segmentation using skin-color map in videophone applications", IEEE CSVT 1999), widened for light
that is not white, and a lightness near the region's median, which leaves out glasses, hair, beards and highlights.

The lightness of the skin is the individual typology angle of Chardon et al. 1991 in the bins of Del Bino et al. 2006. It was made
for skin under a spectrophotometer; from a photo it carries the photo's light and processing too: a face in the shade counts as
darker than it is. So it groups pictures by how their skin looks, not people by what they are.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_ELLIPSES = (
    (0.50, 0.355, 0.115, 0.05),  # forehead
    (0.385, 0.60, 0.05, 0.07),  # cheeks
    (0.615, 0.60, 0.05, 0.07),
    (0.50, 0.545, 0.035, 0.075),  # nose
)
"""Centre x, y and half axes, as fractions of the crop's side."""
_CB, _CR = (72, 130), (131, 182)  # Chai and Ngan: 77 to 127, 133 to 173
_LIGHTNESS = 22.0  # L* from the median
_ENOUGH = 0.25  # of the ellipses

TONES = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -91.0),
)
"""Name and lower end of each bin of the typology angle in degrees."""

UNKNOWN = "no skin found"


def skin(truth: Bytes) -> Mask:
    """The pixels of an aligned crop (side x side x 3, RGB) that are skin for sure: side x side.

    All False where too little was found to speak of: a grey photo, a covered face.
    """
    side = truth.shape[0]
    rows, columns = (np.mgrid[0:side, 0:side] + 0.5) / side
    where = np.zeros((side, side), np.bool_)
    for x, y, across, down in _ELLIPSES:
        where |= ((columns - x) / across) ** 2 + ((rows - y) / down) ** 2 <= 1
    smooth = cv2.GaussianBlur(truth, (0, 0), side / 256)  # the photo's own grain decides nothing
    ycc = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2YCrCb), np.uint8)
    found = where & _within(ycc[..., 2], _CB) & _within(ycc[..., 1], _CR)
    if found.sum() < _ENOUGH * where.sum():
        return np.zeros_like(where)
    lightness = cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[..., 0]
    found &= np.abs(lightness - np.median(lightness[found])) <= _LIGHTNESS
    return found if found.sum() >= _ENOUGH * where.sum() else np.zeros_like(where)


def typology_angle(truth: Bytes, mask: Mask) -> float:
    """Degrees, -90 (dark) to 90 (light), from the median L* and b* of the skin; NaN without skin."""
    if not mask.any():
        return float("nan")
    lab = cv2.cvtColor(truth.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[mask]
    lightness, yellow = float(np.median(lab[:, 0])), float(np.median(lab[:, 2]))
    return float(np.degrees(np.arctan2(lightness - 50, max(yellow, 1e-6))))


def tone(angle: float) -> str:
    """The bin of a typology angle."""
    return next((name for name, low in TONES if angle > low), UNKNOWN)


def _within(plane: npt.NDArray[np.uint8], limits: tuple[int, int]) -> Mask:
    return (plane >= limits[0]) & (plane <= limits[1])
