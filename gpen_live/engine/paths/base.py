"""What a frame goes through between the engine's decisions: the interface, and which way is taken on which device."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from gpen_live.engine.result import FaceCrop, FrameResult, Stage
from gpen_live.frame import Image, PixelFormat

if TYPE_CHECKING:
    from gpen_live.engine.paths.cuda.stages import DeviceStage
    from gpen_live.engine.paths.torch import TorchPath
    from gpen_live.faces.align import Matrix
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer
    from gpen_live.inference.torch_detector import TorchDetector

_log = logging.getLogger(__name__)


class FramePath(Protocol):
    """One frame at a time, all calls by one thread. Each call adds its stages' times to `done`.

    `in_between`: whether a frame may be given to `enhance_faces` without `detect`, and whether `repeat_faces` does anything.
    `may_fall_back`: whether there is a slower way to the same pictures, for where this one does not run.

    Raises:
        NetworkError: the network or the device failed; the next frame starts afresh.
    """

    @property
    def in_between(self) -> bool: ...

    @property
    def may_fall_back(self) -> bool: ...

    def use(self, enhancer: Any, kept: Sequence[Any] = ()) -> None:
        """Another network on the same device. What was made for those in `kept` stays, for when they are used again."""

    def use_stages(self, stages: Sequence[Any]) -> None:
        """From the next frame on these stages follow the network."""

    def prepare(self, image: Image, pixel_format: PixelFormat, *, whole_frame: bool, others: Sequence[Any] = ()) -> None:
        """For frames like this one: whatever takes long and can be done before faces appear, or before `others` take over."""

    def pin(self, image: Image) -> Image:
        """The frame where the device reaches it soonest, so that its owner need not copy it; any other thread may call this."""

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        """The faces in a frame, largest first."""

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        """Gives `done` the frame that `detect` was given last, with 1 to 4 faces enhanced, largest first.

        Once that has succeeded, each face's `last` is of this frame, at `at` seconds of media time. The network doesn't run where
        no face's look asks for it, nor a stage that is active on none.

        Raises:
            StageError: a stage failed. The same call succeeds without it, if nothing else is wrong.
        """

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        """As `enhance_faces`, with what the network changed last, moved along with each face; stages work on it as ever.

        False, and nothing done, if there is no such change for one of them, or only an old one.
        """

    def enhance_frame(
        self,
        done: FrameResult,
        image: Image,
        whole: FaceCrop,
        at: float,
        pixel_format: PixelFormat,
        faces: Sequence[FaceCrop] = (),
    ) -> None:
        """Gives `done` the frame with all of it enhanced; `whole` is of the frame's own size, without a mask.

        The stages then work on the crops of `faces` (largest first; of the frame that `detect` was given last) in the enhanced
        frame.

        Raises:
            StageError: see `enhance_faces`.
        """


class Canvas(Protocol):
    """A frame from which crops are taken and into which their changes are blended; arrays on the host, tensors on a device."""

    def crop(self, matrix: Matrix, size: int) -> Any: ...

    def whole(self) -> Any: ...

    def blend(self, matrix: Matrix, change: Any) -> None: ...

    def blend_whole(self, change: Any) -> None: ...

    def picture(self) -> Image: ...


def open_canvas(image: Image, device: Device) -> Canvas:
    """The canvas for a picture whose network runs on `device`."""
    if device.type == "cpu":
        from gpen_live.engine.paths.host_canvas import HostCanvas

        return HostCanvas(image)
    from gpen_live.engine.paths.torch_canvas import DeviceCanvas

    return DeviceCanvas(image, device.torch())


def open_path(device: Device, detector: Detector, enhancer: HostEnhancer | Enhancer, stages: Sequence[Stage] = ()) -> FramePath:
    """The fastest way for a frame that runs on the device."""
    if device.type == "cpu":
        from gpen_live.engine.paths.host import HostPath

        return HostPath(detector, cast("HostEnhancer", enhancer), stages)
    if not has_fast_path(device):
        return slow_path(device, detector, enhancer, stages)
    from gpen_live.engine.paths.cuda.path import GpuPath
    from gpen_live.engine.paths.cuda.stream import CudaStream
    from gpen_live.inference.device import low_priority_stream

    stream = CudaStream(device.torch(), low_priority_stream(device))
    recorded = cast("Sequence[DeviceStage]", stages)
    return GpuPath(stream, cast("TorchDetector", detector), cast("Enhancer", enhancer), recorded)


def slow_path(device: Device, detector: Detector, enhancer: HostEnhancer | Enhancer, stages: Sequence[Stage] = ()) -> TorchPath:
    """The way for a graphics device that needs nothing but PyTorch."""
    from gpen_live.engine.paths.torch import TorchPath

    return TorchPath(device, detector, cast("Enhancer", enhancer), stages)


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
