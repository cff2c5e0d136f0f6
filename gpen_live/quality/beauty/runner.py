"""Looks as the product draws them: films and photos through the engine, with detection, tracking and blending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from gpen_live.engine.engine import Engine
from gpen_live.faces.detect import DEFAULT_THRESHOLD, Detection, Detector
from gpen_live.frame import Image
from gpen_live.look import Beauty, Look
from gpen_live.messages import Message

if TYPE_CHECKING:
    from gpen_live.engine.engine import AnyEnhancer
    from gpen_live.engine.result import Stage
    from gpen_live.inference.device import Device

Bytes = npt.NDArray[np.uint8]

FPS = 30.0
_SETTLED = 12  # frames of a photo until the look is all there and the layers have come to rest
_STEP_S = 0.05  # between them


class Runner(Protocol):
    """Whatever draws looks on films."""

    def film(self, frames: Sequence[Bytes], beauty: Beauty, *, strength: float = 0.0, fps: float = FPS) -> list[Bytes]:
        """The frames (H x W x 3, RGB) of a new scene with a look, and the network's change times `strength`."""

    def photo(self, picture: Bytes, beauty: Beauty) -> Bytes | None:
        """A picture (H x W x 3, RGB) with a look once it is all there, the network's change left out; None without a face."""


class EngineRunner:
    """Looks as the engine draws them.

    Args:
        device, detector, enhancer, stages: as of `Engine`. `notes` are what it could not do: looks that failed.
    """

    def __init__(self, device: Device, detector: Detector, enhancer: AnyEnhancer, stages: Sequence[Stage]) -> None:
        if device.type == "cpu":
            detector = _Once(detector)
        self._engine = Engine(device, detector, enhancer, stages=stages)
        self.notes: list[Message] = []

    def film(self, frames: Sequence[Bytes], beauty: Beauty, *, strength: float = 0.0, fps: float = FPS) -> list[Bytes]:
        look = Look(strength=strength, beauty=beauty)
        self._engine.new_scene()
        return [self._frame(_bgr(frame), number / fps, look)[0] for number, frame in enumerate(frames)]

    def photo(self, picture: Bytes, beauty: Beauty) -> Bytes | None:
        look = Look(strength=0.0, beauty=beauty)
        self._engine.new_scene()
        frame = _bgr(picture)
        for number in range(_SETTLED):
            drawn, found = self._frame(frame, number * _STEP_S, look)
        return drawn if found else None

    def _frame(self, frame: Bytes, at: float, look: Look) -> tuple[Bytes, bool]:
        done = self._engine.process(frame, at, look)
        self.notes += self._engine.notes
        self._engine.notes.clear()
        return np.ascontiguousarray(done.image[..., ::-1]), done.raw_reason is None


class _Once(Detector):
    """A detector that looks at the same picture only once: half of the time that a photo takes."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._image: Image | None = None
        self._found: list[Detection] = []

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = DEFAULT_THRESHOLD) -> list[Detection]:
        if image is not self._image:
            self._image, self._found = image, self._detector.detect(image, max_faces=max_faces, threshold=threshold)
        return self._found


def _bgr(picture: Bytes) -> Image:
    return np.ascontiguousarray(picture[..., ::-1])
