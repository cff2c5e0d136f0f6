"""The way that runs everywhere: OpenCV on the CPU, PyTorch's own operations on any other device."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gpen_live.engine.paths.canvas import open_canvas
from gpen_live.engine.paths.whole import enhance_whole
from gpen_live.engine.result import FaceCrop, FrameResult, HostPicture
from gpen_live.frame import Image, PixelFormat
from gpen_live.inference.device import synchronize
from gpen_live.inference.tensors import on_tensors

if TYPE_CHECKING:
    import torch

    from gpen_live.engine.paths.canvas import Canvas
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.faces.state import LastResult
    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer


class CanvasPath:
    """On a canvas: OpenCV on the CPU, PyTorch's own operations on any other device."""

    in_between = True

    def __init__(self, device: Device, detector: Detector, enhancer: HostEnhancer | Enhancer) -> None:
        self._device, self._detector, self._enhancer = device, detector, enhancer
        self._call = on_tensors(enhancer)

    def use(self, enhancer: HostEnhancer | Enhancer, kept: Sequence[HostEnhancer | Enhancer] = ()) -> None:
        self._enhancer, self._call = enhancer, on_tensors(enhancer)

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
            pictures = self._enhanced(crops, [face.last for face in faces], at)
        with self._timed(done, "blend"):
            for face, picture, change in zip(faces, pictures, pictures - crops, strict=True):
                face.last.keep(at, picture=picture, change=change[None])
            self._blend(done, canvas, faces)

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        if not all(face.last.change is not None and face.last.fresh(at) for face in faces):
            return False
        with self._timed(done, "blend"):
            self._blend(done, open_canvas(image, self._device.torch()), faces)
        return True

    def _blend(self, done: FrameResult, canvas: Canvas, faces: Sequence[FaceCrop]) -> None:
        """What the network changed lies in the crop, which is aligned alike in every frame: the face takes it along."""
        # Smallest first: where faces overlap, the larger one, nearer to the camera, has the last word.
        for face in reversed(faces):
            canvas.blend(face.matrix, face.last.change * face.weight)
        done.picture = HostPicture(canvas.picture())

    def enhance_frame(
        self, done: FrameResult, image: Image, last: LastResult, at: float, strength: float, pixel_format: PixelFormat
    ) -> None:
        with self._timed(done, "warp"):
            canvas = open_canvas(image, self._device.torch())
            whole = canvas.whole()
        with self._timed(done, "network"):
            previous = self._recalled(whole, [last], at) if self._enhancer.memory else None
            picture = enhance_whole(self._enhancer, whole, previous)
            last.keep(at, picture=picture[0])
        with self._timed(done, "blend"):
            canvas.blend_whole((picture - whole) * strength)
            done.picture = HostPicture(canvas.picture())

    def _enhanced(self, crops: torch.Tensor, lasts: Sequence[LastResult], at: float) -> torch.Tensor:
        """The network's pictures of the crops, given its last ones where it has a memory."""
        return self._call(crops, self._recalled(crops, lasts, at) if self._enhancer.memory else None)

    @staticmethod
    def _recalled(now: torch.Tensor, lasts: Sequence[LastResult], at: float) -> torch.Tensor:
        """The network's last pictures, N x C x H x W as `now`; what is seen now where there is none, or only an old one."""
        import torch

        def recalled(last: LastResult, seen: torch.Tensor) -> torch.Tensor:
            picture: torch.Tensor | None = last.picture if last.fresh(at) else None
            return seen if picture is None or picture.shape != seen.shape else picture

        return torch.stack([recalled(last, seen) for last, seen in zip(lasts, now, strict=True)])

    @contextmanager
    def _timed(self, done: FrameResult, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        synchronize(self._device)
        ms = (time.perf_counter() - start) * 1e3
        done.times_ms[stage] = done.times_ms.get(stage, 0.0) + ms
        done.busy_ms += ms
