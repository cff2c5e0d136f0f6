"""One frame through detection, alignment, network and blend, on one device, by one thread."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.engine.effort import Effort
from gpen_live.engine.paths.base import FramePath, open_path, slow_path
from gpen_live.engine.paths.geometry import scale_of
from gpen_live.engine.result import WHOLE, FaceCrop, FrameResult, HostPicture, Stage, StageError
from gpen_live.errors import reason_of
from gpen_live.faces.align import Matrix, Points, to_template
from gpen_live.faces.detect import Detection, Detector
from gpen_live.faces.flow import FlowTracker
from gpen_live.faces.select import FaceSelection
from gpen_live.faces.smooth import LONGEST_S
from gpen_live.faces.state import Face, FaceStates
from gpen_live.faces.track import Tracker
from gpen_live.frame import Image, PixelFormat
from gpen_live.inference.failures import failure_of
from gpen_live.look import Beauty, Look, Mode
from gpen_live.messages import Message, message

if TYPE_CHECKING:
    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer

    AnyEnhancer = HostEnhancer | Enhancer

NO_FACE = message("live.no_face")
_log = logging.getLogger(__name__)
COMING = message("live.face_coming")
_LARGEST_CROP = 4.0  # in frames: landmarks that ask for more are no face's
_WORST_FIT = 0.1  # root-mean-square distance from the template, in crop sides
_LEAST_WEIGHT = 1e-3
_RETRY_S = 5.0  # after a stage has failed


class Engine:
    """Owns detector, tracker and network. All methods but `pin` belong to the one thread that owns the device.

    `notes` are messages for the user about what could not be used; whoever tells them takes them out. `stage_trouble` says why
    stages are left out. `enhancer` is
    the network in use, and `lighter` are those that may stand in for `wished`, the strongest first, all warm.

    Args:
        path: what a frame goes through; None: the fastest way that runs on the device, with `stages` after the network. One that
            fails is left out for some seconds, or until the look's beauty is another one.
    """

    def __init__(
        self,
        device: Device,
        detector: Detector,
        enhancer: AnyEnhancer,
        path: FramePath | None = None,
        lighter: Sequence[AnyEnhancer] = (),
        stages: Sequence[Stage] = (),
    ) -> None:
        self.device = device
        self.detector = detector
        self.enhancer = enhancer
        self.lighter = tuple(lighter)
        self._effort = Effort()
        self.notes: list[Message] = []
        self.wished = enhancer
        self._stages = tuple(stages)
        self._path = path or open_path(device, detector, enhancer, self._stages)
        self._states = FaceStates()
        self._tracker, self._selection, self._flow = Tracker(self._states), FaceSelection(self._states), FlowTracker()
        self._since_search = self._since_network = 0
        self._looked_at = -math.inf
        self._proven = self._fell_back = False
        self._failed_at: Beauty | None = None  # a stage failed at this look,
        self._failed_s = 0.0  # and at this moment
        self.stage_trouble: Message | None = None
        self._drawn = 0  # frames
        self._drawn_at = -math.inf

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What follows the network."""
        return self._stages

    @stages.setter
    def stages(self, stages: Sequence[Stage]) -> None:
        self._stages, self._failed_at, self.stage_trouble = tuple(stages), None, None
        self._states.forget_kept()
        self._path.use_stages(self._stages)

    @property
    def in_between(self) -> bool:
        """Whether a frame can do without the search for faces, or without the network: where not, Effort asks for it in vain."""
        return self._path.in_between

    @property
    def effort(self) -> Effort:
        """How much is done for a frame."""
        return self._effort

    @effort.setter
    def effort(self, effort: Effort) -> None:
        self._effort = effort
        rank = min(effort.lighter, len(self.lighter))
        network = self.lighter[rank - 1] if rank else self.wished
        if network is not self.enhancer:
            self.enhancer = network
            self._states.forget_results()
            self._path.use(network, kept=(self.wished, *self.lighter))

    def use(self, enhancer: AnyEnhancer, lighter: Sequence[AnyEnhancer] = ()) -> None:
        """Another network on the same device; the faces that are followed stay. The fast path gets another chance."""
        self.enhancer = self.wished = enhancer
        self._states.forget_results()
        self.lighter, self._effort = tuple(lighter), replace(self._effort, lighter=0)
        if self._fell_back:
            self._path = open_path(self.device, self.detector, enhancer, self._stages)
            self._proven = self._fell_back = False
            self._failed_at = self.stage_trouble = None
            self._states.forget_kept()
        else:
            self._path.use(enhancer)

    def new_scene(self) -> None:
        """Another source: faces of the old one are forgotten."""
        self._states.clear()
        self._flow.forget()

    def pin(self, image: Image) -> Image:
        """See `FramePath`: the one method for other threads."""
        return self._path.pin(image)

    def process(self, image: Image, at: float, look: Look, pixel_format: PixelFormat = PixelFormat.BGR) -> FrameResult:
        """A frame as `look` says, but for its `enhance`: what is not to be enhanced need not come here.

        Args:
            image: H x W x 3, uint8, BGR; never written to.
            at: media time in seconds: whatever lives in time takes it from here.
            pixel_format: in which the picture will be asked for; any other costs more.

        Raises:
            NetworkError: see `Enhancer`. The caller sends the raw frame then.
        """
        done = FrameResult(HostPicture(image))
        look, whole_frame = self._effort.spared(look), look.mode is Mode.FULL
        if self._failed_at is not None and (look.beauty != self._failed_at or not 0 <= at - self._failed_s < _RETRY_S):
            self.stages = self._stages
        with self._falling_back():
            self._path.prepare(image, pixel_format, whole_frame=whole_frame, others=(self.wished, *self.lighter))
            if whole_frame:
                whole = FaceCrop(WHOLE, 1.0, look, self._states.whole, at)
                faces = self._placed_faces(done, image, at, look) if self._draws(look, at) else []
                self._staged(look, at, lambda: self._path.enhance_frame(done, image, whole, at, pixel_format, faces))
                self._drawn += 1
                self._proven = True
            else:
                self._enhance_faces(done, image, at, look, pixel_format)
        return done

    def _enhance_faces(self, done: FrameResult, image: Image, at: float, look: Look, pixel_format: PixelFormat) -> None:
        placed = self._placed_faces(done, image, at, look)
        if not placed:
            done.raw_reason = COMING if done.faces else NO_FACE
            return
        self._staged(look, at, lambda: self._enhance(done, image, placed, at, pixel_format))
        self._drawn += 1
        self._proven = True

    def _enhance(self, done: FrameResult, image: Image, placed: Sequence[FaceCrop], at: float, pixel_format: PixelFormat) -> None:
        if not self._repeated(done, image, placed, at):
            self._path.enhance_faces(done, image, placed, at, pixel_format)
            self._since_network = 0

    def _placed_faces(self, done: FrameResult, image: Image, at: float, look: Look) -> list[FaceCrop]:
        """The faces that are followed to this frame, and lie in it as one can."""
        self._tracker.update(self._found(done, image, at), at)
        self._selection.update(self.effort.faces, at)
        every = self.effort.refresh_every if self._path.in_between else 1
        placed = []
        for state in self._states.faces:
            face = state.face()
            done.faces.append(face)
            matrix = _placed(face, self.enhancer.size, self.enhancer.template, image) if face.weight > _LEAST_WEIGHT else None
            if matrix is not None:
                refresh = (self._drawn + state.track_id) % every == 0  # several faces take turns
                placed.append(FaceCrop(matrix, face.weight, look, state.last, at, state.kept, refresh))
        return placed

    def _draws(self, look: Look, at: float) -> bool:
        """Whether stages have anything to do with faces in a whole frame, or had a moment ago, and it fades out."""
        if self._stages and look.beauty.uses():
            self._drawn_at = at
        return 0 <= at - self._drawn_at <= LONGEST_S

    def _staged(self, look: Look, at: float, work: Callable[[], None]) -> None:
        """The path's `work`; where a stage fails, once more without stages."""
        try:
            work()
        except StageError as error:
            self._failed_s = at
            _log.error("a stage failed", exc_info=error)
            self._path.use_stages(())
            self._states.forget_kept()
            self._failed_at = look.beauty
            self.stage_trouble = message("live.stage_failed", name=error.stage.name, reason=error.reason)
            self.notes.append(self.stage_trouble)
            work()

    def _found(self, done: FrameResult, image: Image, at: float) -> list[Detection]:
        """The faces of a frame: searched for, or followed from the frame before where that is enough, and none was lost."""
        every = self.effort.detect_every if self._path.in_between else 1
        self._since_search += 1
        fresh, self._looked_at = 0 <= at - self._looked_at <= LONGEST_S, at
        start = time.perf_counter()
        if fresh and self._since_search < every:
            followed = self._flow.follow(image)
            done.took("detect", (time.perf_counter() - start) * 1e3)
            if followed is not None:
                return followed
        found = self._path.detect(done, image)
        self._since_search = 0
        if every > 1:
            start = time.perf_counter()
            self._flow.anchor(image, found)
            done.took("detect", (time.perf_counter() - start) * 1e3)
        else:
            self._flow.forget()
        return found

    def _repeated(self, done: FrameResult, image: Image, placed: Sequence[FaceCrop], at: float) -> bool:
        """Whether the network's last change was enough for this frame, as it may be for some of them."""
        self._since_network += 1
        return self._since_network < self.effort.enhance_every and self._path.repeat_faces(done, image, placed, at)

    @contextmanager
    def _falling_back(self) -> Iterator[None]:
        """Where the fast path has failed before it ever succeeded, the way that needs nothing but PyTorch takes its place."""
        try:
            yield
        except Exception as error:
            unproven = self._path.may_fall_back and not self._proven
            if unproven and failure_of(error) is None:  # a full or lost device says nothing about the path
                self._fell_back = True
                self._path = slow_path(self.device, self.detector, self.enhancer, self._stages)
                self._states.forget_kept()
                self.notes.append(message("live.slow_path", device=self.device, reason=reason_of(error)))
            raise


def _placed(face: Face, size: int, template: Points, image: Image) -> Matrix | None:
    """The face's transform onto the template; None for landmarks that are no face's (mirrored, coinciding, beyond all bounds)."""
    try:
        matrix = to_template(face.landmarks, size, template)
    except ValueError:
        return None
    fitted = face.landmarks @ matrix[:, :2].T + matrix[:, 2]
    distance = np.sqrt(((fitted / size - template) ** 2).sum(axis=1).mean())
    too_large = size > _LARGEST_CROP * max(image.shape[:2]) * scale_of(matrix)
    return None if too_large or distance > _WORST_FIT else matrix
