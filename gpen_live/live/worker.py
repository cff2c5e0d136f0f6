"""The thread that owns the device: each frame through the engine, converted for the sink, handed to sender and preview."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpen_live.engine.result import HostPicture
from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.frame import Array, Frame, Image, PixelFormat, Size
from gpen_live.inference.failures import Failure, failure_of, keep_for_ever
from gpen_live.live.budget.governor import QualityGovernor
from gpen_live.live.bypass import STUCK, Bypass
from gpen_live.live.capture import Capture
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.beauty import BeautyLoader, Open
from gpen_live.live.models.loader import LoadedModel, Loader
from gpen_live.live.models.stepdown import ModelRequest
from gpen_live.live.outlet import Outgoing, Outlet
from gpen_live.live.pacing.clock import now
from gpen_live.live.pacing.duty_cycle import DutyCycle
from gpen_live.live.pacing.idle import REASON, IdleMonitor
from gpen_live.live.session import Session
from gpen_live.live.slot import Slot
from gpen_live.live.status.board import as_plain
from gpen_live.live.status.snapshot import Health
from gpen_live.look import Mode
from gpen_live.media.pixel_formats import convert
from gpen_live.messages import Message, message

if TYPE_CHECKING:
    from gpen_live.engine.engine import Engine
    from gpen_live.engine.result import FrameResult, Picture
    from gpen_live.faces.align import Points
    from gpen_live.faces.state import Face
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer

GIVEN_UP = message("live.engine_given_up")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preview:
    """What the window shows: the finished frame, the same frame before enhancement, and the landmarks of its faces."""

    image: Image
    raw: Image
    number: int
    landmarks: tuple[Points, ...] = ()


@dataclass
class WorkerState:
    """What the worker tells the snapshot; replaced field by field, read without a lock."""

    faces: int | None = 0
    raw_reason: Message | None = None
    model_name: str = ""
    precision: str = ""
    device: str = ""
    beauty_trouble: Message | None = None


class Worker:
    """Runs the engine thread.

    Whatever fails here, a frame that came in goes out: raw, with the reason. `idle` is set once the source has ended and all
    of its frames have been handed on.

    Args:
        open_stage: see `BeautyLoader`.
    """

    def __init__(
        self,
        session: Session,
        capture: Capture,
        loader: Loader,
        governor: QualityGovernor,
        monitor: IdleMonitor,
        open_stage: Open | None = None,
    ) -> None:
        self._session, self._meters, self._board, self._stop = session, session.meters, session.board, session.stop
        self._inbox, self._source_ended = capture.frames, capture.ended
        self._loader, self._governor, self._monitor = loader, governor, monitor
        self.finished = Outlet(self._meters)
        self.preview: Slot[Preview] = Slot()
        self.bypass = Bypass(self._inbox, self._raw, lambda: self._warn(STUCK), self._meters.dropped)
        self.idle = threading.Event()
        self.pixel_format = PixelFormat.BGR
        self.buffer: Callable[[Size, PixelFormat], Array | None] = lambda size, pixel_format: None
        self.overlay: Callable[[Image], Image] | None = None
        self.state = WorkerState()
        self._engine: Engine | None = None
        self._wanted: ModelRequest | None = None  # what runs in it
        self._network: HostEnhancer | Enhancer | None = None
        self._scene = -1
        self._failing: Message | None = None
        self._beauty = BeautyLoader(self._board.note, open_stage)
        self._duty_cycle = DutyCycle.until(self._stop, lambda: session.config.leave_room)

    def run(self) -> None:
        while not self._stop.is_set():
            ended = self._source_ended.is_set()  # read before the slot: no frame comes after it
            frame = self._inbox.take(0 if ended else 0.05)
            if frame is not None and frame.captured_at < self._session.sleep.ended_at():
                self._meters.dropped()  # it shows what was before the system slept
                frame = None
            self.bypass.begin(counts=frame is not None)
            self._adopt()
            if frame is not None:
                self._pass_on_or_drop(self._newest_if_late(frame))
            self.bypass.end()
            self._loader.go_on()
            if frame is None and ended:
                self.idle.set()
                return

    def run_raw(self, over: Callable[[], bool]) -> None:
        """In place of `run`, where that keeps failing: frames go out as they came, until `over`."""
        self.bypass.end()
        while not over() and not self.idle.is_set():
            ended = self._source_ended.is_set()
            frame = self._inbox.take(0 if ended else 0.05)
            if frame is not None:
                try:
                    self.finished.put(self._raw(frame, GIVEN_UP))
                except Exception as error:
                    self._meters.dropped()
                    self._board.note(as_plain(error, message("live.raw_failed", reason=reason_of(error))).message)
            elif ended:
                self.idle.set()

    def gave_up(self, error: GpenLiveError) -> None:
        """Tells that `run` keeps failing: `run_raw` takes its place."""
        self._warn(error.message, again=True)

    def _newest_if_late(self, frame: Frame) -> Frame:
        """The frame, or the one that waits behind it where that would get late by waiting any longer."""
        skips = self._governor.backlog.skips
        while skips(frame.captured_at, waiting=not self._inbox.empty):
            newer = self._inbox.take(0)
            if newer is None:  # it went past this thread
                break
            self._meters.dropped()
            frame = newer
        return frame

    def pin(self, image: Image) -> Image:
        """A captured frame, laid where the device reaches it soonest. For the capture thread: here it would cost frames."""
        engine = self._engine
        return image if engine is None or self.bypass.active else engine.pin(image)

    def _adopt(self) -> None:
        loaded = self._loader.loaded.take(0)
        if loaded is None:
            return
        if self._engine is not None and self._network is loaded.enhancer:  # it has worked while its stand-ins were loaded
            self._engine.lighter = loaded.lighter
            return
        try:
            self._engine = self._engine_with(loaded)
        except Exception as error:  # the engine that was there goes on, or the raw frame
            self._failed(error, loaded.wanted)
            return
        self._wanted, self._network = loaded.wanted, loaded.enhancer
        self.bypass.forget()
        self._governor.take(self._engine)
        self._name(loaded.enhancer)
        self.state.device = loaded.device_label
        self._recovered()

    def _engine_with(self, loaded: LoadedModel) -> Engine:
        """The engine with the new network: the same one, with the faces that it follows, where the device is the same."""
        if self._engine is not None and self._engine.device == loaded.device:
            self._engine.use(loaded.enhancer, loaded.lighter)
            return self._engine
        from gpen_live.engine.engine import Engine

        return Engine(loaded.device, loaded.detector, loaded.enhancer, lighter=loaded.lighter)

    def _name(self, enhancer: HostEnhancer | Enhancer) -> None:
        """The network in use, for the snapshot."""
        self.state.model_name, self.state.precision = enhancer.spec.name, enhancer.precision

    def _pass_on_or_drop(self, frame: Frame) -> None:
        try:
            self._pass_on(frame)
        except Exception as error:  # one frame that can't even be converted must not end the thread
            self._meters.dropped()
            self._failed(error)

    def _pass_on(self, frame: Frame) -> None:
        config, pixel_format = self._session.config, self.pixel_format
        begun = now()
        done, reason = self._enhanced(frame, config, PixelFormat.BGR if config.overlay else pixel_format)
        picture: Picture = done.picture if done is not None and not reason else HostPicture(frame.image)
        busy_ms = 0.0
        if done is not None:
            frame.times_ms.update(done.times_ms)
            busy_ms = done.busy_ms
        self._meters.busy(now(), busy_ms)
        faces = done.faces if done is not None else []
        self.state.faces = None if config.look.mode is Mode.FULL and not reason else len(faces)
        self.state.raw_reason = reason
        self._meters.processed(sum(face.weight > 0 for face in faces))
        start = now()
        try:
            shown, pixels = self._finished(picture, pixel_format, overlay=config.overlay)
        except Exception as error:  # a picture that can't be had any more is no reason to leave its frame out
            reason = self.state.raw_reason = self._failed(error)
            picture = HostPicture(frame.image)
            shown, pixels = self._finished(picture, pixel_format, overlay=config.overlay)
        else:
            if done is not None:
                self._recovered()
        end = now()
        frame.times_ms["convert"] = frame.times_ms.get("convert", 0.0) + (end - start) * 1e3
        image = shown.image() if shown.at_hand else None
        self._hand_over(Outgoing.of(frame, pixels, pixel_format, image, ready_at=end, enhanced=not reason))
        self._show(picture, frame, faces)
        self.bypass.end()
        self._duty_cycle.leave(begun, busy_ms)
        if done is not None and self._engine is not None and self._governor.worked(frame, begun, len(faces)):
            self._name(self._engine.enhancer)

    def _finished(self, picture: Picture, pixel_format: PixelFormat, *, overlay: bool) -> tuple[Picture, Array]:
        """The picture with all that viewers are to see, and its pixels as the sink takes them."""
        shown = HostPicture(self._with_overlay(picture.image())) if overlay else picture
        if not shown.at_hand:
            return shown, shown.pixels(pixel_format)
        image = shown.image()
        return shown, convert(image, pixel_format, self.buffer(Size.of(image), pixel_format))

    def _show(self, picture: Picture, frame: Frame, faces: Sequence[Face]) -> None:
        """For the window. What would have to come from the device does so only when somebody has looked at the last one."""
        if self.bypass.overtaken(frame.number) or not (picture.at_hand or self.preview.empty):
            return
        try:
            landmarks = tuple(face.landmarks for face in faces)
            self.preview.put(Preview(picture.image(), frame.image, frame.number, landmarks))
        except Exception as error:  # the frame itself is out
            self._board.note(as_plain(error, message("live.preview_failed", reason=reason_of(error))).message)

    def _with_overlay(self, image: Image) -> Image:
        try:
            return self.overlay(image) if self.overlay is not None else image
        except Exception as error:
            self._board.note(as_plain(error, message("live.overlay_failed", reason=reason_of(error))).message)
            return image

    def _raw(self, frame: Frame, reason: Message = STUCK) -> Outgoing:
        """A frame as it came, finished; also for the sender's thread, while this one is stuck."""
        self.state.raw_reason = reason
        picture, pixel_format = HostPicture(frame.image), self.pixel_format
        shown, pixels = self._finished(picture, pixel_format, overlay=self._session.config.overlay)
        self._show(picture, frame, [])
        return Outgoing.of(frame, pixels, pixel_format, shown.image(), ready_at=now(), enhanced=False)

    def _hand_over(self, outgoing: Outgoing) -> None:
        if self.bypass.overtaken(outgoing.number):
            self._meters.dropped()
            return
        if self._governor.backlog.replaces(outgoing.captured_at, waiting=not self.finished.empty):
            self.finished.leave_out_oldest()
        self.finished.put(outgoing)

    def _enhanced(self, frame: Frame, config: LiveConfig, pixel_format: PixelFormat) -> tuple[FrameResult | None, Message | None]:
        """The engine's frame, asked for in `pixel_format`, or the message that says why there is none."""
        if not config.look.enhance:
            return None, message("live.enhancement_off")
        if self._monitor.resting:
            return None, REASON
        engine = self._engine
        if engine is None:
            return None, self._board.read("model").message or message("live.model_loading")
        if frame.scene != self._scene:
            self._scene = frame.scene
            engine.new_scene()
        try:
            self._beauty.follow(engine, config.look)
            done = engine.process(frame.image, frame.media_time, config.look, pixel_format)
        except Exception as error:  # the raw frame goes out whatever happens in there
            return None, self._failed(error)
        finally:
            self._tell_notes(engine)
        self.state.beauty_trouble = self._beauty.trouble
        return done, done.raw_reason

    def _recovered(self) -> None:
        if self._failing:
            self._failing = None
            self._loader.tell_well(self.state.model_name)

    def _tell_notes(self, engine: Engine) -> None:
        while engine.notes:
            self._board.note(engine.notes.pop(0))

    def _failed(self, error: Exception, wanted: ModelRequest | None = None) -> Message:
        """Says a failure once, not once a frame; what the device can't carry any more (`wanted`, or what runs) is given up."""
        wanted = wanted or self._wanted
        if wanted is not None and (step := self._loader.step_down(error, wanted)):
            _log.error("the device failed: %s", step, exc_info=error)
            self._let_go(error)
            return step
        reason = error.message if isinstance(error, GpenLiveError) else message("live.engine_failed", reason=reason_of(error))
        if reason != self._failing:
            _log.error("frame goes out raw: %s", reason, exc_info=error)
            self._warn(reason)
        return reason

    def _warn(self, reason: Message, *, again: bool = False) -> None:
        told = message("live.raw_goes_out", cause=reason)
        self._board.write("model", Health.WARNING, self.state.model_name, told, again=again)
        self._failing = reason  # after it: the engine's thread may recover this very moment, and at its next frame takes it back

    def _let_go(self, error: Exception) -> None:
        """Until something else is loaded the raw frame goes out."""
        engine, self._engine, self._wanted, self._network, self._failing = self._engine, None, None, None, None
        self._governor.let_go()
        if failure_of(error) is Failure.LOST:
            keep_for_ever(engine)
