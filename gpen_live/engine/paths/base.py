"""What a frame goes through on the device, between the host's decisions: the interface, and the way that runs everywhere."""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from gpen_live.engine.paths.canvas import open_canvas
from gpen_live.engine.paths.whole import enhance_whole
from gpen_live.engine.recurrent import LONGEST_S, WHOLE_FRAME, Memory
from gpen_live.engine.result import FaceCrop, FrameResult, HostPicture
from gpen_live.frame import Image, PixelFormat
from gpen_live.inference.device import synchronize
from gpen_live.inference.tensors import on_tensors

if TYPE_CHECKING:
    import torch

    from gpen_live.engine.paths.canvas import Canvas
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer
    from gpen_live.inference.torch_detector import TorchDetector

    AnyEnhancer = HostEnhancer | Enhancer

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

    def forget(self) -> None:
        """What the network's last pictures showed is no help any more."""

    def pin(self, image: Image) -> Image:
        """The frame where the device reaches it soonest, so that its owner need not copy it; any other thread may call this."""

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        """The faces in a frame, largest first."""

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        """Gives `done` the frame that `detect` was given last, with 1 to 4 faces enhanced, largest first; `at`: capture time."""

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        """As `enhance_faces`, with what the network changed last, moved along with each face.

        False, and nothing done, if there is no such change for one of them, or only an old one.
        """

    def enhance_frame(self, done: FrameResult, image: Image, at: float, strength: float, pixel_format: PixelFormat) -> None:
        """Gives `done` the frame with all of it enhanced by `strength` (0..1)."""


class CanvasPath:
    """On a canvas: OpenCV on the CPU, PyTorch's own operations on any other device."""

    in_between = True

    def __init__(self, device: Device, detector: Detector, enhancer: AnyEnhancer) -> None:
        self._device, self._detector, self._enhancer = device, detector, enhancer
        self._call = on_tensors(enhancer)
        self._memory = Memory()
        self._changes: dict[int, torch.Tensor] = {}
        self._changed_at = 0.0

    def use(self, enhancer: AnyEnhancer, kept: Sequence[AnyEnhancer] = ()) -> None:
        self._enhancer, self._call = enhancer, on_tensors(enhancer)
        self.forget()

    def forget(self) -> None:
        self._memory.forget()
        self._changes = {}

    def pin(self, image: Image) -> Image:
        return image

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        with self._timed(done, "detect"):
            return self._detector.detect(image)

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        import torch

        with self._timed(done, "warp"):
            canvas = open_canvas(image, self._device.torch())
            crops = torch.cat([canvas.crop(face.matrix, self._enhancer.size) for face in faces])
        with self._timed(done, "network"):
            pictures = self._remembering([face.track_id for face in faces], crops, at)
        with self._timed(done, "blend"):
            change = pictures - crops
            self._changes = {face.track_id: change[i : i + 1] for i, face in enumerate(faces)}
            self._changed_at = at
            self._blend(done, canvas, faces)

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        fresh = 0 <= at - self._changed_at <= LONGEST_S
        if not fresh or any(face.track_id not in self._changes for face in faces):
            return False
        with self._timed(done, "blend"):
            self._blend(done, open_canvas(image, self._device.torch()), faces)
        return True

    def _blend(self, done: FrameResult, canvas: Canvas, faces: Sequence[FaceCrop]) -> None:
        """What the network changed lies in the crop, which is aligned alike in every frame: the face takes it along."""
        # Smallest first: where faces overlap, the larger one, nearer to the camera, has the last word.
        for face in reversed(faces):
            canvas.blend(face.matrix, self._changes[face.track_id] * face.weight)
        done.picture = HostPicture(canvas.picture())

    def enhance_frame(self, done: FrameResult, image: Image, at: float, strength: float, pixel_format: PixelFormat) -> None:
        with self._timed(done, "warp"):
            canvas = open_canvas(image, self._device.torch())
            whole = canvas.whole()
        with self._timed(done, "network"):
            previous = self._memory.recall([WHOLE_FRAME], whole, at) if self._enhancer.memory else None
            picture = enhance_whole(self._enhancer, whole, previous)
            self._memory.keep([WHOLE_FRAME], picture, at)
        with self._timed(done, "blend"):
            canvas.blend_whole((picture - whole) * strength)
            done.picture = HostPicture(canvas.picture())

    def _remembering(self, faces: list[int], crops: torch.Tensor, at: float) -> torch.Tensor:
        """The network's pictures of the faces with these track_ids, given its last ones where it has a memory."""
        if not self._enhancer.memory:
            return self._call(crops)
        pictures = self._call(crops, self._memory.recall(faces, crops, at))
        self._memory.keep(faces, pictures, at)
        return pictures

    @contextmanager
    def _timed(self, done: FrameResult, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        synchronize(self._device)
        ms = (time.perf_counter() - start) * 1e3
        done.times_ms[stage] = done.times_ms.get(stage, 0.0) + ms
        done.busy_ms += ms


def open_path(device: Device, detector: Detector, enhancer: AnyEnhancer) -> FramePath:
    """The fastest way for a frame that runs on the device."""
    if not has_fast_path(device):
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
