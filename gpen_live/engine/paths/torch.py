"""The frame path by PyTorch's own operations: for Apple's GPU, and for CUDA where the kernels of `paths.cuda` do not run.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from gpen_live.engine.paths.torch_canvas import DeviceCanvas, mask_on
from gpen_live.engine.paths.whole import fitting, rim
from gpen_live.engine.result import Change, FaceCrop, FrameResult, HostPicture, Stage
from gpen_live.frame import Image, PixelFormat, Size
from gpen_live.inference.device import Device, exclusive, synchronize

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.faces.state import LastResult
    from gpen_live.inference.enhancer import Enhancer

Run = Callable[[Tensor, Tensor | None], Tensor]


class TorchPath:
    """See the module; the interface is that of `gpen_live.engine.paths.base.FramePath`.

    A face's last picture is 3 x S x S, its last change masked, of one crop.
    """

    in_between = True
    may_fall_back = False

    def __init__(self, device: Device, detector: Detector, enhancer: Enhancer, stages: Sequence[Stage] = ()) -> None:
        self._device, self._detector, self._enhancer, self._stages = device, detector, enhancer, tuple(stages)

    def use(self, enhancer: Enhancer, kept: Sequence[Enhancer] = ()) -> None:
        self._enhancer = enhancer

    def prepare(self, image: Image, pixel_format: PixelFormat, *, whole_frame: bool, others: Sequence[Enhancer] = ()) -> None:
        """Nothing is recorded here."""

    def pin(self, image: Image) -> Image:
        return image

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        with self._timed(done, "detect"):
            return self._detector.detect(image)

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        with self._timed(done, "warp"):
            canvas = self._canvas(image)
            crops = torch.cat([canvas.crop(face.matrix, self._enhancer.size) for face in faces])
        with self._timed(done, "network"):
            pictures = self._enhancer(crops, self._recalled(crops, [face.last for face in faces], at))
        with self._timed(done, "blend"):
            strengths = crops.new_tensor([127.5 * face.look.strength for face in faces]).view(-1, 1, 1, 1)
            change = Change((pictures - crops) * strengths)
        change = self._staged(done, crops, change, faces)
        with self._timed(done, "blend"):
            mask = mask_on(self._enhancer.size, crops.device)
            moved = None if change.displacement is None else change.displacement * mask
            for i, (face, picture, added) in enumerate(zip(faces, pictures, change.added * mask, strict=True)):
                face.last.keep(at, picture=picture, change=Change(added[None], None if moved is None else moved[i]))
            self._blend(done, canvas, faces)

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        if not all(face.last.change is not None and face.last.fresh(at) for face in faces):
            return False
        with self._timed(done, "blend"):
            self._blend(done, self._canvas(image), faces)
        return True

    def enhance_frame(self, done: FrameResult, image: Image, whole: FaceCrop, at: float, pixel_format: PixelFormat) -> None:
        with self._timed(done, "warp"):
            canvas = self._canvas(image)
            frame = canvas.whole()
        with self._timed(done, "network"):
            picture = enhance_whole(self._enhancer, frame, self._recalled(frame, [whole.last], at))
            whole.last.keep(at, picture=picture[0])
        with self._timed(done, "blend"):
            change = Change((picture - frame) * (127.5 * whole.look.strength))
        change = self._staged(done, frame, change, [whole])
        with self._timed(done, "blend"):
            if change.displacement is not None:
                canvas.displace([((0, 0, image.shape[1], image.shape[0]), change.displacement[0])])
            canvas.add_whole(change.added)
            done.picture = HostPicture(canvas.picture())

    def _canvas(self, image: Image) -> DeviceCanvas:
        return DeviceCanvas(image, self._device.torch())

    def _staged(self, done: FrameResult, seen: Tensor, change: Change, crops: Sequence[FaceCrop]) -> Change:
        for stage in self._stages:
            with self._timed(done, stage.name):
                change = stage(seen, change, crops)
        return change

    @staticmethod
    def _blend(done: FrameResult, canvas: DeviceCanvas, faces: Sequence[FaceCrop]) -> None:
        """What the network changed lies in the crop, which is aligned alike in every frame: the face takes it along."""
        moved = [
            canvas.field(face.matrix, face.last.change.displacement * face.fade)
            for face in faces
            if face.last.change.displacement is not None
        ]
        canvas.displace([field for field in moved if field is not None])
        # Smallest first: where faces overlap, the larger one, nearer to the camera, has the last word.
        for face in reversed(faces):
            canvas.add(face.matrix, face.last.change.added * face.fade)
        done.picture = HostPicture(canvas.picture())

    def _recalled(self, now: Tensor, lasts: Sequence[LastResult], at: float) -> Tensor | None:
        """The network's last pictures, as `now`; what is seen now where there is none, or only an old one.

        None for a network without a memory.
        """
        if not self._enhancer.memory:
            return None

        def recalled(last: LastResult, seen: Tensor) -> Tensor:
            picture: Tensor | None = last.picture if last.fresh(at) else None
            return seen if picture is None or picture.shape != seen.shape else picture

        return torch.stack([recalled(last, seen) for last, seen in zip(lasts, now, strict=True)])

    @contextmanager
    def _timed(self, done: FrameResult, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        with exclusive(self._device), torch.inference_mode():
            yield
            synchronize(self._device)
        done.took(stage, (time.perf_counter() - start) * 1e3)


def enhance_whole(enhancer: Enhancer, frame: Tensor, previous: Tensor | None = None, *, launch: bool = False) -> Tensor:
    """A frame (1 x 3 x H x W) as the network sees it, in the same shape; see `gpen_live.engine.paths.whole`.

    `launch`: see `Enhancer.launch`; what is not a finite number is then not one in the picture either.
    """
    run: Run = _launching(enhancer) if launch else enhancer
    height, width = frame.shape[-2:]
    if enhancer.stride is not None:
        top, bottom, left, right = rim(height, width, enhancer.stride)

        def continued(picture: Tensor) -> Tensor:
            return functional.pad(picture, (left, right, top, bottom), mode="replicate")

        picture = run(continued(frame), None if previous is None else continued(previous))
        return picture[:, :, top : top + height, left : left + width]
    small, (top, bottom, left, right) = fitting(Size(width, height), enhancer.size)
    fitted = functional.interpolate(frame, (small.height, small.width), mode="bilinear", align_corners=False, antialias=True)
    square = functional.pad(fitted, (left, right, top, bottom), mode="replicate")
    picture = run(square, None)[:, :, top : top + small.height, left : left + small.width]
    return functional.interpolate(picture, (height, width), mode="bicubic", align_corners=False, antialias=True).clamp_(-1, 1)


def _launching(enhancer: Enhancer) -> Run:
    def run(pictures: Tensor, previous: Tensor | None = None) -> Tensor:
        return clamped(enhancer.launch(pictures, previous))

    return run


def clamped(pictures: Tensor) -> Tensor:
    """A network's pictures within [-1, 1], float32; what is not finite becomes NaN: clamped, nobody would find it any more."""
    out = pictures.float()
    return out.clamp(-1, 1) + (out - out)
