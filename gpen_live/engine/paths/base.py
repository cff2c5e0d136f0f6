"""What a frame goes through between the engine's decisions: the interface, and which way is taken on which device."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from gpen_live.engine.result import FaceCrop, FrameResult
from gpen_live.frame import Image, PixelFormat

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.faces.state import LastResult
    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer
    from gpen_live.inference.torch_detector import TorchDetector

_log = logging.getLogger(__name__)


class FramePath(Protocol):
    """One frame at a time, all calls by one thread. Each call adds its stages' times to `done`.

    `in_between`: whether a frame may be given to `enhance_faces` without `detect`, and whether `repeat_faces` does anything.

    Raises:
        NetworkError: the network or the device failed; the next frame starts afresh.
    """

    @property
    def in_between(self) -> bool: ...

    def use(self, enhancer: Any, kept: Sequence[Any] = ()) -> None:
        """Another network on the same device. What was made for those in `kept` stays, for when they are used again."""

    def pin(self, image: Image) -> Image:
        """The frame where the device reaches it soonest, so that its owner need not copy it; any other thread may call this."""

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        """The faces in a frame, largest first."""

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        """Gives `done` the frame that `detect` was given last, with 1 to 4 faces enhanced, largest first.

        Once that has succeeded, each face's `last` is of this frame, at `at` seconds of media time.
        """

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        """As `enhance_faces`, with what the network changed last, moved along with each face.

        False, and nothing done, if there is no such change for one of them, or only an old one.
        """

    def enhance_frame(
        self, done: FrameResult, image: Image, last: LastResult, at: float, strength: float, pixel_format: PixelFormat
    ) -> None:
        """Gives `done` the frame with all of it enhanced by `strength` (0..1); `last` as those of the faces."""


def open_path(device: Device, detector: Detector, enhancer: HostEnhancer | Enhancer) -> FramePath:
    """The fastest way for a frame that runs on the device."""
    if not has_fast_path(device):
        from gpen_live.engine.paths.torch import CanvasPath

        return CanvasPath(device, detector, enhancer)
    from gpen_live.engine.paths.cuda.path import GpuPath
    from gpen_live.engine.paths.cuda.stream import CudaStream
    from gpen_live.inference.device import low_priority_stream

    stream = CudaStream(device.torch(), low_priority_stream(device))
    return GpuPath(stream, cast("TorchDetector", detector), cast("Enhancer", enhancer))


@cache
def has_fast_path(device: Device) -> bool:
    """Whether the kernels of `paths.cuda` run on the device; the first call compiles them (seconds, once a machine)."""
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    import torch

    try:
        from gpen_live.engine.paths.cuda import kernels

        with torch.inference_mode():
            kernels.warm_up(device.torch())
    except Exception:  # noqa: BLE001  no compiler, an old card or driver: there is another way
        _log.warning("the kernels of the frame path do not run on %s", device, exc_info=True)
        return False
    return True
