"""The frame path on the processor: NumPy and OpenCV around a network that takes arrays; no PyTorch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.engine.paths.host_canvas import Floats, HostCanvas, levels, mask_of_three, planes
from gpen_live.engine.paths.resample import bicubic, bilinear
from gpen_live.engine.paths.whole import fitting, rim
from gpen_live.engine.result import Change, FaceCrop, FrameResult, HostPicture, Stage
from gpen_live.frame import Image, PixelFormat, Size

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.faces.state import LastResult
    from gpen_live.inference.host import HostEnhancer


class HostPath:
    """See the module; the interface is that of `gpen_live.engine.paths.base.FramePath`.

    A face's last picture is 3 x S x S as the network gave it, its last change is masked.
    """

    in_between = True
    may_fall_back = False

    def __init__(self, detector: Detector, enhancer: HostEnhancer, stages: Sequence[Stage] = ()) -> None:
        self._detector, self._enhancer, self._stages = detector, enhancer, tuple(stages)

    def use(self, enhancer: HostEnhancer, kept: Sequence[HostEnhancer] = ()) -> None:
        self._enhancer = enhancer

    def prepare(self, image: Image, pixel_format: PixelFormat, *, whole_frame: bool, others: Sequence[HostEnhancer] = ()) -> None:
        self._enhancer.use_threads(whole_frame=whole_frame)

    def pin(self, image: Image) -> Image:
        return image

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        with _timed(done, "detect"):
            return self._detector.detect(image)

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        size = self._enhancer.size
        with _timed(done, "warp"):
            canvas = HostCanvas(image)
            seen = [canvas.seen(face.matrix, size) for face in faces]
            crops = np.empty((len(faces), 3, size, size), np.float32)
            for crop, one in zip(crops, seen, strict=True):
                planes(one, out=crop)
        with _timed(done, "network"):
            pictures = self._enhancer(crops, self._recalled(crops, [face.last for face in faces], at))
        with _timed(done, "blend"):
            changes = [
                Change(levels(picture - crop, 127.5 * face.look.strength))
                for picture, crop, face in zip(pictures, crops, faces, strict=True)
            ]
        for stage in self._stages:
            with _timed(done, stage.name):
                changes = [stage(one, change, face) for one, change, face in zip(seen, changes, faces, strict=True)]
        with _timed(done, "blend"):
            for face, picture, change in zip(faces, pictures, changes, strict=True):
                face.last.keep(at, picture=picture, change=_masked(change))
            self._blend(done, canvas, faces)

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        if not all(face.last.change is not None and face.last.fresh(at) for face in faces):
            return False
        with _timed(done, "blend"):
            self._blend(done, HostCanvas(image), faces)
        return True

    def enhance_frame(self, done: FrameResult, image: Image, whole: FaceCrop, at: float, pixel_format: PixelFormat) -> None:
        with _timed(done, "warp"):
            canvas = HostCanvas(image)
            frame = canvas.whole()
        with _timed(done, "network"):
            previous = self._recalled(frame, [whole.last], at)
            picture = enhance_whole(self._enhancer, frame, previous)
        with _timed(done, "blend"):
            whole.last.keep(at, picture=picture[0])
            change = Change(levels(picture[0] - frame[0], 127.5 * whole.look.strength))
        for stage in self._stages:
            with _timed(done, stage.name):
                change = stage(image, change, whole)
        with _timed(done, "blend"):
            if change.displacement is not None:
                canvas.displace([((0, 0, image.shape[1], image.shape[0]), change.displacement)])
            canvas.add_whole(change.added)
            done.picture = HostPicture(canvas.picture())

    @staticmethod
    def _blend(done: FrameResult, canvas: HostCanvas, faces: Sequence[FaceCrop]) -> None:
        """What the network changed lies in the crop, which is aligned alike in every frame: the face takes it along."""
        moved = [
            canvas.field(face.matrix, face.last.change.displacement * np.float32(face.fade))
            for face in faces
            if face.last.change.displacement is not None
        ]
        canvas.displace([field for field in moved if field is not None])
        # Smallest first: where faces overlap, the larger one, nearer to the camera, has the last word.
        for face in reversed(faces):
            canvas.add(face.matrix, face.last.change.added, face.fade)
        done.picture = HostPicture(canvas.picture())

    def _recalled(self, now: Floats, lasts: Sequence[LastResult], at: float) -> Floats | None:
        """The network's last pictures, as `now`; what is seen now where there is none, or only an old one.

        None for a network without a memory.
        """
        if not self._enhancer.memory:
            return None

        def recalled(last: LastResult, seen: Floats) -> Floats:
            picture: Floats | None = last.picture if last.fresh(at) else None
            return seen if picture is None or picture.shape != seen.shape else picture

        return np.stack([recalled(last, seen) for last, seen in zip(lasts, now, strict=True)])


def enhance_whole(enhancer: HostEnhancer, frame: Floats, previous: Floats | None = None) -> Floats:
    """A frame (1 x 3 x H x W) as the network sees it, in the same shape; see `gpen_live.engine.paths.whole`."""
    height, width = frame.shape[-2:]
    if enhancer.stride is not None:
        top, bottom, left, right = rim(height, width, enhancer.stride)
        around = ((0, 0), (0, 0), (top, bottom), (left, right))
        before = None if previous is None else np.pad(previous, around, mode="edge")
        picture = enhancer(np.pad(frame, around, mode="edge"), before)
        return picture[:, :, top : top + height, left : left + width]
    small, (top, bottom, left, right) = fitting(Size(width, height), enhancer.size)
    square = np.pad(bilinear(frame[0], small.height, small.width), ((0, 0), (top, bottom), (left, right)), mode="edge")
    picture = enhancer(square[None])[0, :, top : top + small.height, left : left + small.width]
    return bicubic(picture, height, width).clip(-1, 1)[None]


def _masked(change: Change) -> Change:
    """Only within the face, and fading at its border."""
    mask = mask_of_three(change.added.shape[0])
    displacement = None if change.displacement is None else change.displacement * mask[:, :, :2]
    return Change(change.added * mask, displacement)


@contextmanager
def _timed(done: FrameResult, stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    done.took(stage, (time.perf_counter() - start) * 1e3)
