"""The frame path on the processor: NumPy and OpenCV around a network that takes arrays; no PyTorch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.engine.paths.host_canvas import Floats, HostCanvas, levels, mask_of_three, planes, rim_of_three
from gpen_live.engine.paths.resample import bicubic, bilinear
from gpen_live.engine.paths.staged import NOT_FINITE, Acting, active, answering
from gpen_live.engine.paths.whole import fitting, rim
from gpen_live.engine.result import Change, EarlyStage, FaceCrop, FrameResult, HostPicture, Stage, StageError
from gpen_live.frame import Image, PixelFormat, Size

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.faces.state import LastResult
    from gpen_live.inference.host import HostEnhancer


@dataclass(frozen=True)
class _Drawn(Change):
    """A masked change. `staged`: stages had a part in it, so that it reaches beyond the face mask."""

    staged: bool = False


class HostPath:
    """See the module; the interface is that of `gpen_live.engine.paths.base.FramePath`.

    A face's last picture is 3 x S x S as the network gave it, its last change is the network's, masked.
    """

    in_between = True
    may_fall_back = False

    def __init__(self, detector: Detector, enhancer: HostEnhancer, stages: Sequence[Stage] = ()) -> None:
        self._detector, self._enhancer, self._stages = detector, enhancer, tuple(stages)

    def use(self, enhancer: HostEnhancer, kept: Sequence[HostEnhancer] = ()) -> None:
        self._enhancer = enhancer

    def use_stages(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)

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
        size, networked = self._enhancer.size, any(face.look.strength > 0 for face in faces)
        with _timed(done, "warp"):
            canvas = HostCanvas(image)
            seen = [canvas.seen(face.matrix, size) for face in faces]
        acting = active(self._stages, faces)
        for stage, places in acting:
            if networked and isinstance(stage, EarlyStage):
                with _timed(done, stage.name), answering(stage):
                    for i in places:
                        stage.begin(seen[i], faces[i])
        if networked:
            pictures, changes = self._networked(done, seen, faces, at)
        else:
            pictures, changes = [None] * len(faces), [_nothing(size) for _ in faces]
        drawn = self._staged(done, acting, seen, changes, faces)
        with _timed(done, "blend"):
            for face, picture, change in zip(faces, pictures, changes, strict=True):
                face.last.keep(at, picture=picture, change=change)
            self._blend(done, canvas, [one for one in zip(faces, drawn, strict=True) if networked or one[1].staged])

    def _networked(
        self, done: FrameResult, seen: Sequence[Image], faces: Sequence[FaceCrop], at: float
    ) -> tuple[Sequence[Floats | None], list[Change]]:
        """What the network makes of the crops, and its masked changes."""
        size = self._enhancer.size
        with _timed(done, "warp"):
            crops = np.empty((len(faces), 3, size, size), np.float32)
            for crop, one in zip(crops, seen, strict=True):
                planes(one, out=crop)
        with _timed(done, "network"):
            pictures = self._enhancer(crops, self._recalled(crops, [face.last for face in faces], at))
        with _timed(done, "blend"):
            return list(pictures), [
                Change(levels(picture - crop, 127.5 * face.look.strength) * mask_of_three(size))
                for picture, crop, face in zip(pictures, crops, faces, strict=True)
            ]

    def _staged(
        self,
        done: FrameResult,
        acting: Acting,
        seen: Sequence[Image],
        by_network: Sequence[Change],
        faces: Sequence[FaceCrop],
    ) -> list[_Drawn]:
        """What the acting stages make of the network's masked changes, masked where they did anything."""
        changes, touched = list(by_network), set[int]()
        for stage, places in acting:
            touched.update(places)
            with _timed(done, stage.name), answering(stage):
                for i in places:
                    changes[i] = _checked(stage, stage(seen[i], changes[i], faces[i]))
        with _timed(done, "blend"):
            return [
                _within_rim(change) if i in touched else _Drawn(change.added, change.displacement)
                for i, change in enumerate(changes)
            ]

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        if not all(face.last.change is not None and face.last.fresh(at) for face in faces):
            return False
        size, acting = self._enhancer.size, active(self._stages, faces)
        with _timed(done, "warp"):
            canvas = HostCanvas(image)
            seen = [canvas.seen(face.matrix, size) for face in faces] if acting else []
        drawn = self._staged(done, acting, seen, [face.last.change for face in faces], faces)
        with _timed(done, "blend"):
            self._blend(done, canvas, list(zip(faces, drawn, strict=True)))
        return True

    def enhance_frame(
        self,
        done: FrameResult,
        image: Image,
        whole: FaceCrop,
        at: float,
        pixel_format: PixelFormat,
        faces: Sequence[FaceCrop] = (),
    ) -> None:
        if whole.look.strength > 0:
            with _timed(done, "warp"):
                canvas = HostCanvas(image)
                frame = canvas.whole()
            with _timed(done, "network"):
                picture = enhance_whole(self._enhancer, frame, self._recalled(frame, [whole.last], at))
            with _timed(done, "blend"):
                whole.last.keep(at, picture=picture[0])
                canvas.add_whole(levels(picture[0] - frame[0], 127.5 * whole.look.strength))
                image = canvas.picture()
        done.picture = HostPicture(image)
        if acting := active(self._stages, faces):
            self._draw_on(done, acting, image, faces)

    def _draw_on(self, done: FrameResult, acting: Acting, image: Image, faces: Sequence[FaceCrop]) -> None:
        """The stages alone, on the faces of a frame."""
        size = self._enhancer.size
        with _timed(done, "warp"):
            canvas = HostCanvas(image)
            seen = [canvas.seen(face.matrix, size) for face in faces]
        drawn = self._staged(done, acting, seen, [_nothing(size) for _ in faces], faces)
        with _timed(done, "blend"):
            self._blend(done, canvas, [one for one in zip(faces, drawn, strict=True) if one[1].staged])

    @staticmethod
    def _blend(done: FrameResult, canvas: HostCanvas, faces: Sequence[tuple[FaceCrop, _Drawn]]) -> None:
        """What a face changes by lies in its crop, which is aligned alike in every frame: the face takes it along."""
        moved = [
            canvas.field(face.matrix, change.displacement, face.fade) for face, change in faces if change.displacement is not None
        ]
        canvas.displace([field for field in moved if field is not None])
        # Smallest first: where faces overlap, the larger one, nearer to the camera, has the last word.
        for face, change in reversed(faces):
            canvas.add(face.matrix, change.added, face.fade, drawn=change.staged)
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


def _nothing(size: int) -> Change:
    return Change(np.zeros((size, size, 3), np.float32))


def _checked(stage: Stage, change: Change) -> Change:
    """The change, if all of it is finite."""
    for part in (change.added, change.displacement):
        if part is not None and not math.isfinite(np.vdot(part, part)):  # faster than to look at each number
            raise StageError(stage, NOT_FINITE)
    return change


def _within_rim(change: Change) -> _Drawn:
    mask = rim_of_three(change.added.shape[0])
    displacement = None if change.displacement is None else change.displacement * mask[:, :, :2]
    return _Drawn(change.added * mask, displacement, staged=True)


@contextmanager
def _timed(done: FrameResult, stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    done.took(stage, (time.perf_counter() - start) * 1e3)
