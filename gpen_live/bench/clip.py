"""The frames that are measured on: held in memory, and handed out as a camera would."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.bench.timing import Going
from gpen_live.errors import SourceError
from gpen_live.frame import Image, Size
from gpen_live.media.fit import fit
from gpen_live.sources import open_source
from gpen_live.sources.base import Source

Feed = Literal["raw", "MJPG"]
FEEDS: tuple[Feed, ...] = ("raw", "MJPG")
_QUALITY = 90  # of the JPEG pictures; webcams use about that


def read_frames(spec: str, size: Size, most: int, going: Going) -> list[Image]:
    """Up to `most` frames of a source ("demo" or a file), fitted into `size`.

    Raises:
        SourceError: it can't be read, or has no frames.
    """
    source = open_source(spec, size=size, fps=30.0, realtime=False)
    frames: list[Image] = []
    try:
        while len(frames) < most and (going() or not frames):
            image = source.read()
            if image is None:
                break
            frames.append(fit(image, size))
    finally:
        source.close()
    if not frames:
        raise SourceError("bench.no_frames", source=spec)
    return frames


class ClipSource(Source):
    """`count` frames from memory, around and around, as fast as they are read.

    Args:
        feed: "raw" hands out the frames as they lie; "MJPG" decodes each from a JPEG picture, as webcams deliver theirs.
    """

    def __init__(self, frames: Sequence[Image], feed: Feed, count: int) -> None:
        self.label = "Frames in memory"
        self.size = Size.of(frames[0])
        self.fps = 30.0
        reads = _decoders(frames) if feed == "MJPG" else [partial(_as_it_is, frame) for frame in frames]
        self._reads = itertools.islice(itertools.cycle(reads), count)

    def read(self) -> Image | None:
        """The next frame."""
        read = next(self._reads, None)
        return None if read is None else read()

    def close(self) -> None:
        """Nothing to release."""


def _decoders(frames: Sequence[Image]) -> list[Callable[[], Image]]:
    coded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1] for frame in frames]
    return [partial(_decoded, np.asarray(jpeg, dtype=np.uint8)) for jpeg in coded]


def _decoded(jpeg: npt.NDArray[np.uint8]) -> Image:
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), dtype=np.uint8)


def _as_it_is(frame: Image) -> Image:
    return frame
