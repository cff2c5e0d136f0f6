"""A still picture as an endless camera."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gpen_live.errors import SourceError
from gpen_live.frame import Image, Size
from gpen_live.sources.base import Source
from gpen_live.sources.pacing import Pace

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


class StillSource(Source):
    """Shows one picture for ever, 30 times a second. Grey, 16-bit and transparent ones are shown as 8-bit colour.

    Raises:
        SourceError: the file holds no picture that can be read.
    """

    def __init__(self, path: Path, *, realtime: bool = True) -> None:
        self.label = path.name
        self.fps = 30.0
        try:
            image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        except (cv2.error, OSError):
            image = None
        if image is None:
            raise SourceError("still.unreadable", file=path.name)
        self._image = np.ascontiguousarray(image, dtype=np.uint8)
        self.size = Size.of(self._image)
        self._pace = Pace(self.fps) if realtime else None
        self._next = 0

    def read(self) -> Image:
        """The picture, when it is due."""
        number = self._next if self._pace is None else self._pace.next_number()
        self._next = number + 1
        self.media_time = number / self.fps
        return self._image.copy()

    def close(self) -> None:
        """Nothing to release."""
