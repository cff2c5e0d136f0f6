"""A video through the network as fast as the machine can: every frame, in order, without a clock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Final, TypeVar, cast

from gpen_live.engine.result import HostPicture
from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.frame import Array, Frame, Image, PixelFormat, Size
from gpen_live.inference.failures import Failure, failure_of, keep_for_ever
from gpen_live.live.capture import plausible
from gpen_live.live.config import FIRST_OUTPUT, LiveConfig, output_parts
from gpen_live.live.models.beauty import BeautyLoader
from gpen_live.live.models.loader import LoadedModel, Loader, ModelRequest
from gpen_live.live.pacing.clock import now
from gpen_live.live.pacing.duty_cycle import DutyCycle
from gpen_live.live.pipeline import Outside
from gpen_live.live.session import Session
from gpen_live.live.status.board import as_plain
from gpen_live.live.status.meters import WINDOW_S
from gpen_live.live.status.overlay import Overlay
from gpen_live.live.status.report import build_report
from gpen_live.live.status.snapshot import Health, OutputState, Snapshot
from gpen_live.live.supervisor import Supervisor
from gpen_live.live.worker import WorkerState
from gpen_live.look import Mode
from gpen_live.media.fit import fit
from gpen_live.messages import Message, message
from gpen_live.sinks import open_sink
from gpen_live.sinks.base import Sink
from gpen_live.sources import open_source
from gpen_live.sources.base import Source

if TYPE_CHECKING:
    from gpen_live.engine.engine import Engine
    from gpen_live.engine.result import FrameResult

T = TypeVar("T")

_AHEAD: Final = 2  # frames: reading, the network and sending overlap
_LOOK_S: Final = 0.1
_JOIN_S: Final = 6.0
_log = logging.getLogger(__name__)


@dataclass
class _Output:
    """An open sink, its name on the command line, its part of the board, and the frames that it took."""

    spec: str
    part: str
    sink: Sink
    sent: int = 0


@dataclass(frozen=True)
class _Finished:
    """A finished frame in all the formats that the outputs take."""

    frame: Frame
    pixels: dict[PixelFormat, Array]
    enhanced: bool


class VideoRun:
    """Sends every frame of a source to a sink, enhanced. `start`, then look at it as at a `LivePipeline`.

    Args:
        config: of its wishes, those about time (`budget_ms`, `rest`) have no meaning here.
        max_frames: end after so many.
        outside: see `Outside`.
    """

    def __init__(self, config: LiveConfig, *, max_frames: int | None = None, outside: Outside | None = None) -> None:
        outside = outside or Outside()
        session = self._session = Session(config)
        self.board, self.meters = session.board, session.meters
        self._max_frames = max_frames
        self._open_source, self._open_sink = outside.open_source or open_source, outside.open_sink or open_sink
        self._loader = Loader(session, outside.load, outside.handed_over)
        self._loads = Supervisor(session)
        self._beauty = BeautyLoader(self.board.note, outside.open_stage)
        self._thread = threading.Thread(target=self._run, name="gpen-live-video", daemon=True)
        self._done = threading.Event()
        self._engine: Engine | None = None
        self._wanted = ModelRequest(config.model, config.weights, config.device)
        self._state = WorkerState()
        self._size: Size | None = None
        self._outputs: tuple[_Output, ...] = ()
        self._failing: Message | None = None
        self._overlay = Overlay(self.snapshot) if config.overlay else None

    def start(self) -> None:
        """Loads the model, then begins with the first frame."""
        self._loader.ask(self._wanted)
        self._loads.start("loader", "model", self._loader.run, gave_up=self._loader.gave_up)
        self._thread.start()

    @property
    def finished(self) -> bool:
        """All frames are out, and the sink is closed."""
        return self._done.is_set()

    def error(self, *, every: bool = True) -> GpenLiveError | None:
        """What ended it, if anything did: any output does."""
        return self.board.error(every=True)

    def snapshot(self) -> Snapshot:
        """The state at this moment."""
        since, state = now() - WINDOW_S, self._state
        return Snapshot(
            source=self.board.read("source"),
            model=self.board.read("model"),
            sink=self.board.read(FIRST_OUTPUT),
            outputs=tuple(OutputState(each.spec, each.part, self.board.read(each.part), each.sent) for each in self._outputs),
            model_name=state.model_name,
            precision=state.precision,
            device=state.device,
            size=self._size,
            stages=self.meters.stages(since),
            rates=self.meters.rates(since),
            counts=self.meters.counts(),
            faces=state.faces,
            busy=self.meters.busy_share(since),
            raw_reason=state.raw_reason,
        )

    def report(self) -> dict[str, object]:
        """The report of the whole run so far, ready for JSON."""
        return build_report(self._session.config, self.snapshot(), self.meters, self.board.notes())

    def stop(self) -> None:
        """Ends after the frame under way, and closes source and sink."""
        self._session.stop.set()
        self._thread.join(_JOIN_S)
        self._loads.join(_JOIN_S)

    def _run(self) -> None:
        try:
            self._send_all()
        except _ToldError:
            pass
        except Exception as error:  # noqa: BLE001  whatever it is, the user must hear of it
            self.board.fail("model", self._state.model_name, error)
        finally:
            self._done.set()

    def _send_all(self) -> None:
        config = self._session.config
        with ExitStack() as stack:
            with self._telling("source", config.source):
                source = self._open_source(config.source, size=config.size, fps=config.fps, realtime=False, loop=config.loop)
                stack.callback(source.close)
            self.board.write("source", Health.OK, source.label)
            self._size = config.size or source.size
            for spec, part in output_parts(config.sinks).items():
                with self._telling(part, spec):
                    sink = self._open_sink(spec, size=self._size, fps=config.fps or plausible(source.fps))
                output = _Output(spec, part, sink)
                self._outputs = (*self._outputs, output)
                stack.callback(self._close, output)
                self.board.write(part, Health.OFF if spec == "none" else Health.OK, sink.label)
            if not self._take_model():
                return
            with closing(_ahead(self._finished(source), self._session.stop)) as frames:
                for frame in frames:
                    self._send(frame)

    def _frames(self, source: Source) -> Generator[Frame, None, None]:
        number = 0
        while self._max_frames is None or number < self._max_frames:
            start = now()
            with self._telling("source", source.label):
                image = source.read()
            if image is None:
                return
            at = now()
            self.meters.captured(at)
            media_time = at if source.media_time is None else source.media_time
            assert self._size is not None
            yield Frame(self._pinned(fit(image, self._size)), number, at, media_time, {"capture": (at - start) * 1e3})
            number += 1

    def _finished(self, source: Source) -> Generator[_Finished, None, None]:
        """The thread that asks for these owns the device."""
        formats = tuple(dict.fromkeys(output.sink.wants for output in self._outputs))
        room = DutyCycle.until(self._session.stop, lambda: self._session.config.leave_room)
        with closing(_ahead(self._frames(source), self._session.stop)) as frames:
            for frame in frames:
                begun = now()
                done, reason = self._enhanced(frame, PixelFormat.BGR if self._overlay else formats[0])
                yield self._converted(frame, done, reason, formats)
                room.leave(begun, done.busy_ms if done is not None else 0.0)

    def _enhanced(self, frame: Frame, pixel_format: PixelFormat) -> tuple[FrameResult | None, Message | None]:
        """The engine's frame, or why there is none. What its device can't carry gives way to something smaller."""
        look = self._session.config.look
        if not look.enhance:
            return None, message("live.enhancement_off")
        while self._engine is not None:
            try:
                self._beauty.follow(self._engine, look, wait=True)
                done = self._engine.process(frame.image, frame.media_time, look, pixel_format)
                return done, done.raw_reason
            except Exception as error:  # noqa: BLE001  the raw frame goes out whatever happens in there
                if not self._loader.step_down(error, self._wanted):
                    return None, self._failed(error)
                if failure_of(error) is Failure.LOST:
                    keep_for_ever(self._engine)
                self._engine = None
            finally:
                self._tell_notes()
            self._loader.go_on()
            self._take_model()
        return None, self.board.read("model").message or message("live.model_loading")

    def _converted(
        self, frame: Frame, done: FrameResult | None, reason: Message | None, formats: tuple[PixelFormat, ...]
    ) -> _Finished:
        start = now()
        picture = done.picture if done is not None and not reason else HostPicture(frame.image)
        if self._overlay is not None:
            picture = HostPicture(self._overlay(picture.image()))
        pixels = {pixel_format: picture.pixels(pixel_format) for pixel_format in formats}
        end = now()
        if done is not None:
            frame.times_ms.update(done.times_ms)
            self.meters.busy(end, done.busy_ms)
        frame.times_ms["convert"] = frame.times_ms.get("convert", 0.0) + (end - start) * 1e3
        faces = done.faces if done is not None else []
        whole = self._session.config.look.mode is Mode.FULL and not reason
        self._state.faces, self._state.raw_reason = None if whole else len(faces), reason
        self.meters.processed(sum(face.weight > 0 for face in faces))
        return _Finished(frame, pixels, enhanced=not reason)

    def _send(self, finished: _Finished) -> None:
        frame, start = finished.frame, now()
        for output in self._outputs:
            with self._telling(output.part, output.sink.label):
                output.sink.send(finished.pixels[output.sink.wants], frame.media_time)
            output.sent += 1
        end = now()
        frame.times_ms["send"] = (end - start) * 1e3
        frame.times_ms["end_to_end"] = (end - frame.captured_at) * 1e3
        self.meters.sent(end, frame.number, frame.times_ms, enhanced=finished.enhanced)

    def _take_model(self) -> bool:
        """Waits for the model that was asked for; False: the run has ended before.

        Raises:
            _ToldError: there is none.
        """
        while not self._session.stop.is_set():
            loaded = self._loader.loaded.take(_LOOK_S)
            if loaded is not None:
                self._engine, self._wanted = self._engine_with(loaded), loaded.wanted
                self._state.model_name, self._state.precision = loaded.enhancer.spec.name, loaded.enhancer.precision
                self._state.device = loaded.device_label
                return True
            if self.board.error(every=True) is not None:
                raise _ToldError
        return False

    @staticmethod
    def _engine_with(loaded: LoadedModel) -> Engine:
        from gpen_live.engine.engine import Engine

        return Engine(loaded.device, loaded.detector, loaded.enhancer)

    def _pinned(self, image: Image) -> Image:
        try:
            return image if self._engine is None else self._engine.pin(image)
        except Exception as error:  # noqa: BLE001  it serves as it is
            self.board.note(as_plain(error, message("live.pin_failed", reason=reason_of(error))).message)
            return image

    def _tell_notes(self) -> None:
        while self._engine is not None and self._engine.notes:
            self.board.note(self._engine.notes.pop(0))

    def _failed(self, error: Exception) -> Message:
        """Says why frames go out raw: once, not once a frame."""
        reason = error.message if isinstance(error, GpenLiveError) else message("live.engine_failed", reason=reason_of(error))
        if reason != self._failing:
            self._failing = reason
            _log.error("frames go out raw: %s", reason, exc_info=error)
            self.board.write("model", Health.WARNING, self._state.model_name, message("live.raw_goes_out", cause=reason))
        return reason

    def _close(self, output: _Output) -> None:
        with self._telling(output.part, output.sink.label):
            output.sink.close()

    @contextmanager
    def _telling(self, part: str, label: str) -> Iterator[None]:
        """What fails in here is the part's failure, and ends the run."""
        try:
            yield
        except Exception as error:
            self.board.fail(part, label, error)
            raise _ToldError from error


class _ToldError(Exception):
    """It is on the board."""


def _ahead(items: Generator[T, None, None], stop: threading.Event) -> Generator[T, None, None]:
    """`items`, made by a thread of its own, which is a few of them ahead; ends early when `stop` is set."""
    queue: Queue[tuple[bool, T | None, Exception | None]] = Queue(_AHEAD)
    over = threading.Event()

    def put(more: bool, item: T | None = None, error: Exception | None = None) -> bool:
        while not (over.is_set() or stop.is_set()):
            with suppress(Full):
                queue.put((more, item, error), timeout=_LOOK_S)
                return True
        return False

    def make() -> None:
        try:
            with closing(items):
                for item in items:
                    if not put(True, item):
                        return
        except Exception as error:  # noqa: BLE001  who waits for the next one must hear of it
            put(False, error=error)
        else:
            put(False)

    thread = threading.Thread(target=make, name="gpen-live-ahead", daemon=True)
    thread.start()
    try:
        while not stop.is_set():
            try:
                more, item, error = queue.get(timeout=_LOOK_S)
            except Empty:
                continue
            if error is not None:
                raise error
            if not more:
                return
            yield cast(T, item)
    finally:
        over.set()
        thread.join(_JOIN_S)
