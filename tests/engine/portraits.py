"""A picture with one face, for the tests of detectors."""

from __future__ import annotations

import cv2
import numpy as np
from skimage import data

from gpen_live.frame import Image


def portrait(height: int, width: int) -> Image:
    """A face in the middle of a grey picture, as high as that is."""
    face = cv2.resize(data.astronaut()[:200, 120:320, ::-1], (height, height), interpolation=cv2.INTER_AREA)
    picture = np.full((height, max(height, width), 3), 90, np.uint8)
    start = (picture.shape[1] - height) // 2
    picture[:, start : start + height] = face
    return picture[:, :width]
