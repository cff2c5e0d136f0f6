"""The frame path on a CUDA device: up once, down once, and in between nothing that waits but the search for faces.

A frame is staged into page-locked memory and copied up in bands, reduced and searched for faces on the device; the best
candidates come down (11 KB), and this is the one wait inside: who is who from frame to frame and the smoothing over time are
the host's work, on a few hundred numbers, and what is cropped depends on them. What follows (crop, network, change, blend with
conversion to the sink's format) needs no more decisions: the host hands over a few numbers a face, repeats what was recorded as
CUDA graphs, and waits once more, for the finished pixels. Memory is made, and graphs for any number of faces are recorded, when
frames of a new size, another sink's format or another network first come, so that no frame waits for that because a face appears.

Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gpen_live.engine.paths.cuda import kernels
from gpen_live.engine.paths.cuda.buffers import CropBuffers, FrameBuffers
from gpen_live.engine.paths.cuda.faces import KEPT, NUMBERS, RECALLED, face_numbers, weigh
from gpen_live.engine.paths.cuda.memory import NONE, PictureRows
from gpen_live.engine.paths.cuda.steps import FacesStep, RecordedStep, WholeStep
from gpen_live.engine.paths.cuda.stream import DeviceStream, Work
from gpen_live.engine.result import FaceCrop, FrameResult, Stage
from gpen_live.errors import reason_of
from gpen_live.faces.align import to_template
from gpen_live.faces.detect import Detection, check_picture
from gpen_live.faces.state import MAX_FACES, LastResult
from gpen_live.frame import Array, Image, PixelFormat, Size
from gpen_live.inference.enhancer import Enhancer, NetworkError
from gpen_live.inference.failures import Failure, failure_of, keep_for_ever
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.media.pixel_formats import convert, restore

_WHOLE = 0  # in place of a number of faces


class DevicePicture:
    """A finished picture whose pixels in one pixel_format came down; in BGR it stays on the device until the next frame.

    `fetch` brings it from there, or gives None when it is too late: it is then made from the pixels.
    """

    def __init__(self, pixels: Array, pixel_format: PixelFormat, size: Size, fetch: Callable[[], Image | None]) -> None:
        self._pixels, self._pixel_format, self._size, self._fetch = pixels, pixel_format, size, fetch
        self._bgr: Image | None = pixels if pixel_format is PixelFormat.BGR else None

    @property
    def at_hand(self) -> bool:
        return self._bgr is not None

    def image(self) -> Image:
        if self._bgr is None:
            fetched = self._fetch()
            self._bgr = restore(self._pixels, self._pixel_format, self._size) if fetched is None else fetched
        return self._bgr

    def pixels(self, pixel_format: PixelFormat) -> Array:
        return self._pixels if pixel_format is self._pixel_format else convert(self.image(), pixel_format)


@dataclass
class _Made:
    """What was made for one network: steps by number of faces, the last pictures of faces and whole frame, what is recorded."""

    steps: dict[int, RecordedStep] = field(default_factory=dict)
    pictures: dict[bool, PictureRows] = field(default_factory=dict)
    prepared: set[tuple[PixelFormat, bool]] = field(default_factory=set)


class GpuPath:
    """See the module; the interface is that of `gpen_live.engine.paths.base.FramePath`.

    Every frame is searched for faces, which comes with its way up and takes a tenth of a millisecond.
    """

    in_between = False
    may_fall_back = True

    def __init__(self, stream: DeviceStream, detector: TorchDetector, enhancer: Enhancer, stages: Sequence[Stage] = ()) -> None:
        self._stream, self._detector, self._enhancer, self._stages = stream, detector, enhancer, tuple(stages)
        self._numbers_host = stream.host(MAX_FACES, NUMBERS, dtype=torch.float32)
        self._told: Array = self._numbers_host.numpy()
        self._frames: FrameBuffers | None = None
        self._numbers: Tensor | None = None
        self._search: Work | None = None
        self._found: Tensor | None = None
        self._found_host: Tensor | None = None
        self._made: dict[Enhancer, _Made] = {}
        self._crops: dict[int, CropBuffers] = {}
        self._number = 0

    def use(self, enhancer: Enhancer, kept: Sequence[Enhancer] = ()) -> None:
        self._made = {one: made for one, made in self._made.items() if one is enhancer or one in kept}
        self._enhancer = enhancer

    def use_stages(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self._made.clear()

    def prepare(self, image: Image, pixel_format: PixelFormat, *, whole_frame: bool, others: Sequence[Enhancer] = ()) -> None:
        check_picture(image)
        wanted = (pixel_format, whole_frame)
        for enhancer in (self._enhancer, *others):
            if not self._fits(image) or wanted not in self._made_for(enhancer).prepared:
                with self._guarded():
                    self._take_up(image)
                    self._record_all(enhancer, pixel_format, whole_frame=whole_frame)
                self._made_for(enhancer).prepared.add(wanted)
                return  # one network a frame

    def _record_all(self, enhancer: Enhancer, pixel_format: PixelFormat, *, whole_frame: bool) -> None:
        self._search_recorded()
        needed = 1 if enhancer is self._enhancer else -1
        for count in (_WHOLE,) if whole_frame else range(1, MAX_FACES + 1):
            try:
                self._record(enhancer, count, pixel_format)
            except torch.OutOfMemoryError:  # on a small card: what there is may do for as many faces as there will be
                if count <= needed:
                    raise
                self._made_for(enhancer).steps.pop(count, None)
                return

    def _record(self, enhancer: Enhancer, count: int, pixel_format: PixelFormat) -> None:
        """Records the work for so many faces, with numbers that no harm comes of."""
        assert self._frames is not None
        step, pictures = self._step_for(enhancer, count), self._pictures_of(enhancer, count)
        height, width = self._frames.height, self._frames.width
        somewhere = to_template(enhancer.template * min(height, width), enhancer.size, enhancer.template)
        self._told[:] = face_numbers(somewhere, enhancer.size, height, width, 0.0, 0.0)
        self._told[:, RECALLED] = NONE
        if pictures is not None:
            self._told[: max(count, 1), KEPT] = pictures.free(max(count, 1))
        self._tell()
        self._stream.mark("told")
        self._stream.wait("told")  # before the numbers change again
        step.record(pixel_format)

    def pin(self, image: Image) -> Image:
        there: Image = self._stream.view(self._stream.host(*image.shape, dtype=torch.uint8))
        np.copyto(there, image)  # PyTorch would take all cores for it
        return there

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        check_picture(image)
        start, recorded = time.perf_counter(), self._stream.recorded
        with self._guarded():
            frames = self._take_up(image)
            self._search_recorded()()
            assert self._found is not None
            if self._found_host is None:
                self._found_host = self._stream.host(*self._found.shape, dtype=torch.float32)
            self._found_host.copy_(self._found, non_blocking=True)
            self._stream.mark("searched")
            self._stream.wait("searched")
            self._count_busy(done, recorded, "up", "searched")
        height, width = image.shape[:2]
        small_h, small_w = frames.reduced.shape[-2:]
        faces = self._detector.read(self._found_host.numpy(), scale=(width / small_w, height / small_h))
        done.times_ms["detect"] = (time.perf_counter() - start) * 1e3
        return faces

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        height, width = image.shape[:2]
        size = self._enhancer.size
        with self._guarded():
            for place, face in enumerate(faces):
                self._told[place] = face_numbers(face.matrix, size, height, width, face.look.strength, face.fade)
            self._finish(done, len(faces), [face.last for face in faces], at, pixel_format)

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        return False

    def enhance_frame(
        self,
        done: FrameResult,
        image: Image,
        whole: FaceCrop,
        at: float,
        pixel_format: PixelFormat,
        faces: Sequence[FaceCrop] = (),
    ) -> None:
        with self._guarded():
            self._take_up(image)
            weigh(self._told[0], whole.look.strength, whole.fade)
            self._finish(done, _WHOLE, [whole.last], at, pixel_format)

    def _take_up(self, image: Image) -> FrameBuffers:
        """The frame on its way to the device."""
        self._number += 1
        height, width = image.shape[:2]
        frames = self._frames
        if frames is None or not self._fits(image):
            self._forget_frames()
            frames = self._frames = FrameBuffers(self._stream, height, width, self._detector.reduced(height, width))
            self._numbers = torch.zeros(MAX_FACES, NUMBERS, device=self._stream.device)
        self._stream.upload(torch.from_numpy(image), frames.staging, frames.frame)
        self._stream.mark("up")
        return frames

    def _fits(self, image: Image) -> bool:
        """Whether the memory that is there is for frames of this size."""
        return self._frames is not None and (self._frames.height, self._frames.width) == image.shape[:2]

    def _search_recorded(self) -> Work:
        if self._search is None:
            self._search = self._stream.record(self._find)
        return self._search

    def _find(self) -> None:
        assert self._frames is not None
        kernels.reduce(self._frames.frame, self._frames.reduced)
        self._found = self._detector.candidates(self._frames.reduced)

    def _finish(self, done: FrameResult, count: int, lasts: Sequence[LastResult], at: float, pixel_format: PixelFormat) -> None:
        assert self._frames is not None
        recorded = self._stream.recorded
        step, pictures = self._step_for(self._enhancer, count), self._pictures_of(self._enhancer, count)
        if pictures is not None:
            kept = pictures.free(len(lasts))
            self._told[: len(lasts), RECALLED] = pictures.recall(lasts, at)
            self._told[: len(lasts), KEPT] = kept
        self._tell()
        self._stream.mark("placed")
        step.run(pixel_format)
        fetched = self._frames.fetch(pixel_format)
        self._stream.mark("down")
        self._stream.wait("down")
        pixels, broken = self._frames.read(fetched, pixel_format)
        if broken:
            raise NetworkError("network.not_finite", name=self._enhancer.spec.name)
        if pictures is not None:
            pictures.keep(lasts, kept, at)
        start = "placed"
        for stage, end in step.marks(pixel_format):
            done.times_ms[stage] = self._stream.between(start, end)
            start = end
        done.times_ms["convert"] = self._stream.between(start, "down")  # the copy: converting is a part of blending here
        self._count_busy(done, recorded, "placed", "down")
        number = self._number
        size = Size(self._frames.width, self._frames.height)
        done.picture = DevicePicture(pixels, pixel_format, size, lambda: self._bgr_of(number))

    def _count_busy(self, done: FrameResult, recorded: int, start: str, end: str) -> None:
        """Adds the device's time between two marks, unless something was recorded there: that was the host's time."""
        if self._stream.recorded == recorded:
            done.busy_ms += self._stream.between(start, end)

    def _tell(self) -> None:
        assert self._numbers is not None
        self._numbers.copy_(self._numbers_host, non_blocking=True)

    def _made_for(self, enhancer: Enhancer) -> _Made:
        return self._made.setdefault(enhancer, _Made())

    def _step_for(self, enhancer: Enhancer, count: int) -> RecordedStep:
        steps = self._made_for(enhancer).steps
        if count not in steps:
            steps[count] = self._step(enhancer, count)
        return steps[count]

    def _step(self, enhancer: Enhancer, count: int) -> RecordedStep:
        assert self._frames is not None
        assert self._numbers is not None
        rows, size = self._pictures_of(enhancer, count), enhancer.size
        pictures = None if rows is None else rows.pictures
        if count == _WHOLE:
            return WholeStep(self._stream, self._frames, enhancer, self._numbers[:1], pictures, self._stages)
        if size not in self._crops:
            self._crops[size] = CropBuffers(MAX_FACES, size, self._stream.device)
        numbers, crops = self._numbers[:count], self._crops[size]
        return FacesStep(self._stream, self._frames, enhancer, numbers, pictures, self._stages, crops)

    def _pictures_of(self, enhancer: Enhancer, count: int) -> PictureRows | None:
        """The last pictures of the faces, or of the whole frame; None where the network has no memory."""
        if not enhancer.memory:
            return None
        whole, pictures = count == _WHOLE, self._made_for(enhancer).pictures
        if whole not in pictures:
            assert self._frames is not None
            size = enhancer.size
            shape = (1, self._frames.height, self._frames.width) if whole else (MAX_FACES, size, size)
            pictures[whole] = PictureRows(*shape, device=self._stream.device)
        return pictures[whole]

    def _bgr_of(self, number: int) -> Image | None:
        """The picture of the frame with this number, if it is still there."""
        if number != self._number or self._frames is None:
            return None
        with self._guarded():
            fetched = self._frames.fetch(PixelFormat.BGR)
            self._stream.mark("fetched")
            self._stream.wait("fetched")
            return self._frames.read(fetched, PixelFormat.BGR)[0]

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """On the stream's own queue; after any failure everything is made again for the next frame."""
        try:
            with torch.inference_mode(), self._stream.working():
                yield
        except NetworkError:
            raise
        except RuntimeError as error:
            if failure_of(error) is Failure.LOST:
                keep_for_ever(self)
                self._stream.abandon()
            else:
                self._drop()
            raise NetworkError("network.failed", name=self._enhancer.spec.name, reason=reason_of(error)) from error
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        self._stream.settle()
        self._made = {}
        self._forget_frames()

    def _forget_frames(self) -> None:
        """All that has to do with the size of the frames; the last pictures of faces have not."""
        for made in self._made.values():
            made.steps, made.prepared = {}, set()
            made.pictures.pop(True, None)
        self._crops = {}
        self._frames = self._numbers = self._search = self._found = self._found_host = None
