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
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gpen_live.engine.paths.cuda import kernels
from gpen_live.engine.paths.cuda.buffers import CropBuffers, FrameBuffers
from gpen_live.engine.paths.cuda.faces import KEPT, NUMBERS, RECALLED, face_numbers, weigh
from gpen_live.engine.paths.cuda.memory import NONE, PictureRows
from gpen_live.engine.paths.cuda.stages import Course, DeviceStage, Variant, courses
from gpen_live.engine.paths.cuda.steps import FacesStep, Part, RecordedStep, WholeStep
from gpen_live.engine.paths.cuda.stream import DeviceStream, Work
from gpen_live.engine.paths.staged import NOT_FINITE, answering
from gpen_live.engine.result import FaceCrop, FrameResult, StageError
from gpen_live.errors import reason_of
from gpen_live.faces.align import to_template
from gpen_live.faces.detect import Detection, check_picture
from gpen_live.faces.state import MAX_FACES, LastResult
from gpen_live.frame import Array, Image, PixelFormat, Size
from gpen_live.inference.enhancer import Enhancer, NetworkError
from gpen_live.inference.failures import Failure, failure_of, keep_for_ever
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.media.pixel_formats import convert, restore

_WHOLE = MAX_FACES  # the row of numbers that is the whole frame's


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


def _places(count: int, *, whole: bool) -> slice:
    """The rows of numbers of so many faces, or of the whole frame."""
    return slice(_WHOLE, _WHOLE + 1) if whole else slice(count)


@dataclass
class _Made:
    """What was made for one network: steps by number of faces, the last pictures of faces and whole frame, what is recorded.

    `prepared` and `staged`: for frames in which pixel formats, whole or not, all is recorded, and all that stages need.
    """

    faces: dict[int, FacesStep] = field(default_factory=dict)
    whole: WholeStep | None = None
    pictures: dict[bool, PictureRows] = field(default_factory=dict)
    prepared: set[tuple[PixelFormat, bool]] = field(default_factory=set)
    staged: set[tuple[PixelFormat, bool]] = field(default_factory=set)


class GpuPath:
    """See the module; the interface is that of `gpen_live.engine.paths.base.FramePath`, its stages are `DeviceStage`s.

    Every frame is searched for faces, which comes with its way up and takes a tenth of a millisecond.
    """

    in_between = False
    may_fall_back = True

    def __init__(
        self, stream: DeviceStream, detector: TorchDetector, enhancer: Enhancer, stages: Sequence[DeviceStage] = ()
    ) -> None:
        self._stream, self._detector, self._enhancer, self._stages = stream, detector, enhancer, tuple(stages)
        self._numbers_host = stream.host(MAX_FACES + 1, NUMBERS, dtype=torch.float32)
        self._told: Array = self._numbers_host.numpy()
        self._frames: FrameBuffers | None = None
        self._numbers: Tensor | None = None
        self._search: Work | None = None
        self._found: Tensor | None = None
        self._found_host: Tensor | None = None
        self._made: dict[Enhancer, _Made] = {}
        self._crops: dict[int, CropBuffers] = {}
        self._number = 0
        self._searched = False
        """Whether the frame on the device is the one that is searched for faces: it needn't go up once more."""

    def use(self, enhancer: Enhancer, kept: Sequence[Enhancer] = ()) -> None:
        self._made = {one: made for one, made in self._made.items() if one is enhancer or one in kept}
        self._enhancer = enhancer

    def use_stages(self, stages: Sequence[DeviceStage]) -> None:
        """They begin a moment later: what they need is recorded bit by bit, so that no frame waits for all of it."""
        self._stages = tuple(stages)
        for made in self._made.values():
            made.staged.clear()
            for step in made.faces.values():
                step.use_stages(self._stages)

    def prepare(self, image: Image, pixel_format: PixelFormat, *, whole_frame: bool, others: Sequence[Enhancer] = ()) -> None:
        check_picture(image)
        self._searched = False
        wanted = (pixel_format, whole_frame)
        for enhancer in (self._enhancer, *others):
            if not self._fits(image) or wanted not in self._made_for(enhancer).prepared:
                with self._guarded():
                    self._take_up(image)
                    self._record_all(enhancer, pixel_format, whole_frame=whole_frame)
                made = self._made_for(enhancer)
                made.prepared.add(wanted)
                made.staged.add(wanted)
                return  # one network a frame
        for enhancer in (self._enhancer, *others):
            if wanted not in self._made_for(enhancer).staged:
                with self._guarded():
                    recorded = self._record_next(enhancer, pixel_format, whole_frame=whole_frame)
                if not recorded:
                    self._made_for(enhancer).staged.add(wanted)
                return

    def _record_all(self, enhancer: Enhancer, pixel_format: PixelFormat, *, whole_frame: bool) -> None:
        self._search_recorded()
        self._tell_harmless(enhancer, whole_frame=whole_frame)
        needed = 1 if enhancer is self._enhancer else -1
        for count, work in self._works(enhancer, pixel_format, whole_frame=whole_frame):
            try:
                for step, part in work():
                    step.record(part)
            except torch.OutOfMemoryError:  # on a small card: what there is may do for as many faces as there will be
                if count <= needed:
                    raise
                self._made_for(enhancer).faces.pop(count, None)
                return

    def _record_next(self, enhancer: Enhancer, pixel_format: PixelFormat, *, whole_frame: bool) -> bool:
        """Records one part that is missing; whether there was one."""
        self._tell_harmless(enhancer, whole_frame=whole_frame)
        try:
            return any(
                step.record(part)
                for _, work in self._works(enhancer, pixel_format, whole_frame=whole_frame)
                for step, part in work()
            )
        except torch.OutOfMemoryError:
            return False

    def _works(
        self, enhancer: Enhancer, pixel_format: PixelFormat, *, whole_frame: bool
    ) -> Iterator[tuple[int, Callable[[], Iterator[tuple[RecordedStep, Part]]]]]:
        """What frames may need, by the number of faces (0: the whole frame)."""
        ways = courses(self._stages, network=False)
        if not whole_frame:
            ways += courses(self._stages, network=True)

        def of_frame() -> Iterator[tuple[RecordedStep, Part]]:
            step = self._whole_step(enhancer)
            for layout in (pixel_format, None) if ways else (pixel_format,):
                yield from ((step, part) for part in step.parts(layout))

        def of_faces(count: int) -> Iterator[tuple[RecordedStep, Part]]:
            step = self._faces_step(enhancer, count)
            for course in ways:
                yield from ((step, part) for part in step.parts(course, pixel_format))

        if whole_frame:
            yield 0, of_frame
        for count in range(1, MAX_FACES + 1) if ways else ():
            yield count, partial(of_faces, count)

    def _tell_harmless(self, enhancer: Enhancer, *, whole_frame: bool) -> None:
        """Numbers for recording, of as many faces as there may be, that no harm comes of."""
        assert self._frames is not None
        height, width = self._frames.height, self._frames.width
        somewhere = to_template(enhancer.template * min(height, width), enhancer.size, enhancer.template)
        self._told[:] = face_numbers(somewhere, enhancer.size, height, width, 0.0, 0.0)
        self._told[:, RECALLED] = NONE
        pictures, places = self._pictures_of(enhancer, whole=whole_frame), _places(MAX_FACES, whole=whole_frame)
        if pictures is not None:
            self._told[places, KEPT] = pictures.free(1 if whole_frame else MAX_FACES)
        for stage in self._stages:
            stage.tell((), 0.0)
        self._tell()
        self._stream.mark("told")
        self._stream.wait("told")  # before the numbers change again

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
        self._searched = True
        height, width = image.shape[:2]
        small_h, small_w = frames.reduced.shape[-2:]
        faces = self._detector.read(self._found_host.numpy(), scale=(width / small_w, height / small_h))
        done.times_ms["detect"] = (time.perf_counter() - start) * 1e3
        return faces

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        ready = (pixel_format, False) in self._made_for(self._enhancer).staged
        course = self._course(faces if ready else (), network=any(face.look.strength > 0 for face in faces))
        with self._guarded():
            self._tell_faces(faces, image, course, at)
            kept = self._tell_pictures([face.last for face in faces], at, whole=False) if course.network else None
            step = self._faces_step(self._enhancer, len(faces))
            self._finish(done, [(step, part) for part in step.parts(course, pixel_format)], course, pixel_format)
            if kept is not None:
                kept()

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
        ready = (pixel_format, True) in self._made_for(self._enhancer).staged
        course = self._course(faces if ready else (), network=False)
        drawn = not course.network
        with self._guarded():
            if not self._searched:
                self._take_up(image)
            self._searched = False  # the enhanced frame takes its place
            work: list[tuple[RecordedStep, Part]] = []
            if drawn:
                self._tell_faces(faces, image, course, at)
            kept = None
            if whole.look.strength > 0 or not drawn:
                weigh(self._told[_WHOLE], whole.look.strength, whole.fade)
                kept = self._tell_pictures([whole.last], at, whole=True)
                first = self._whole_step(self._enhancer)
                work += [(first, part) for part in first.parts(None if drawn else pixel_format)]
            if drawn:
                step = self._faces_step(self._enhancer, len(faces))
                work += [(step, part) for part in step.parts(course, pixel_format)]
            self._finish(done, work, course, pixel_format)
            if kept is not None:
                kept()

    def _course(self, faces: Sequence[FaceCrop], *, network: bool) -> Course:
        """What is done with the faces; the network runs as well where nothing else would."""
        variants: list[Variant | None] = []
        for stage in self._stages:
            with answering(stage):
                variants.append(stage.variant(faces) if faces else None)
        return Course(network or all(variant is None for variant in variants), tuple(variants))

    def _tell_faces(self, faces: Sequence[FaceCrop], image: Image, course: Course, at: float) -> None:
        height, width = image.shape[:2]
        for place, face in enumerate(faces):
            self._told[place] = face_numbers(face.matrix, self._enhancer.size, height, width, face.look.strength, face.fade)
        for stage, variant in zip(self._stages, course.variants, strict=True):
            if variant is not None:
                with answering(stage):
                    stage.tell(faces, at)

    def _tell_pictures(self, lasts: Sequence[LastResult], at: float, *, whole: bool) -> Work | None:
        """Where the last pictures lie and the new ones go, and what is to be done once they are there, and whole."""
        pictures = self._pictures_of(self._enhancer, whole=whole)
        if pictures is None:
            return None
        rows, places = pictures.free(len(lasts)), _places(len(lasts), whole=whole)
        self._told[places, RECALLED] = pictures.recall(lasts, at)
        self._told[places, KEPT] = rows
        return lambda: pictures.keep(lasts, rows, at)

    def _take_up(self, image: Image) -> FrameBuffers:
        """The frame on its way to the device."""
        self._number += 1
        height, width = image.shape[:2]
        frames = self._frames
        if frames is None or not self._fits(image):
            self._forget_frames()
            frames = self._frames = FrameBuffers(self._stream, height, width, self._detector.reduced(height, width))
            self._numbers = torch.zeros(MAX_FACES + 1, NUMBERS, device=self._stream.device)
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

    def _finish(
        self, done: FrameResult, work: Sequence[tuple[RecordedStep, Part]], course: Course, pixel_format: PixelFormat
    ) -> None:
        """Everything after the host's decisions, until the finished pixels are on the host."""
        assert self._frames is not None
        recorded = self._stream.recorded
        self._tell()
        self._stream.mark("placed")
        for number, (step, part) in enumerate(work):
            step.run(part)
            self._stream.mark(f"part {number}")
        fetched = self._frames.fetch(pixel_format)
        self._stream.mark("down")
        self._stream.wait("down")
        pixels, broken = self._frames.read(fetched, pixel_format)
        if broken:
            self._frames.broken.zero_()
            if broken == kernels.STAGE_BROKEN:
                at_work = [stage for stage, one in zip(self._stages, course.variants, strict=True) if one is not None]
                raise StageError(at_work[-1], NOT_FINITE)
            raise NetworkError("network.not_finite", name=self._enhancer.spec.name)
        start = "placed"
        for number, (_, part) in enumerate(work):
            end = f"part {number}"
            done.times_ms[part.name] = done.times_ms.get(part.name, 0.0) + self._stream.between(start, end)
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

    def _faces_step(self, enhancer: Enhancer, count: int) -> FacesStep:
        steps = self._made_for(enhancer).faces
        if count not in steps:
            assert self._frames is not None
            assert self._numbers is not None
            size, last = enhancer.size, self._last_of(enhancer, whole=False)
            if size not in self._crops:
                self._crops[size] = CropBuffers(MAX_FACES, size, self._stream.device)
            numbers, crops = self._numbers[:count], self._crops[size]
            steps[count] = FacesStep(self._stream, self._frames, enhancer, numbers, last, self._stages, crops)
        return steps[count]

    def _whole_step(self, enhancer: Enhancer) -> WholeStep:
        made = self._made_for(enhancer)
        if made.whole is None:
            assert self._frames is not None
            assert self._numbers is not None
            last = self._last_of(enhancer, whole=True)
            made.whole = WholeStep(self._stream, self._frames, enhancer, self._numbers[_WHOLE:], last)
        return made.whole

    def _last_of(self, enhancer: Enhancer, *, whole: bool) -> Tensor | None:
        rows = self._pictures_of(enhancer, whole=whole)
        return None if rows is None else rows.pictures

    def _pictures_of(self, enhancer: Enhancer, *, whole: bool) -> PictureRows | None:
        """The last pictures of the faces, or of the whole frame; None where the network has no memory."""
        if not enhancer.memory:
            return None
        pictures = self._made_for(enhancer).pictures
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
        except StageError:
            self._stream.settle()
            self.use_stages(self._stages)
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
        self._forget_steps()
        for made in self._made.values():
            made.pictures.pop(True, None)
        self._crops = {}
        self._frames = self._numbers = self._search = self._found = self._found_host = None

    def _forget_steps(self) -> None:
        for made in self._made.values():
            made.faces, made.whole, made.prepared, made.staged = {}, None, set(), set()
