"""The live pipeline: source -> slot -> the thread that owns the device -> slot -> clocked sender -> sink."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Frame, PixelFormat, Size
from gpen_live.live.budget.governor import QualityGovernor
from gpen_live.live.capture import Capture
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.loader import LoadedModel, Loader, ModelRequest
from gpen_live.live.pacing.clock import Sleep, now
from gpen_live.live.pacing.idle import IdleMonitor
from gpen_live.live.sender import Sender
from gpen_live.live.slot import Slot
from gpen_live.live.status.board import StatusBoard
from gpen_live.live.status.meters import WINDOW_S, Meters
from gpen_live.live.status.overlay import Overlay
from gpen_live.live.status.report import build_report
from gpen_live.live.status.snapshot import Snapshot
from gpen_live.live.worker import Outgoing, Preview, Worker
from gpen_live.sinks.base import Sink
from gpen_live.sources.base import Source

_JOIN_S = 6.0


@dataclass(frozen=True)
class Outside:
    """What the pipeline calls to reach the world, for those that bring their own frames, network or sink; None: the real thing.

    Args:
        open_source, open_sink: as the functions of these names in `gpen_live.sources` and `gpen_live.sinks`.
        load: gives the model that is wanted, warm.
        handed_over: is given each model that was loaded, and gives what is used.
    """

    open_source: Callable[..., Source] | None = None
    open_sink: Callable[..., Sink] | None = None
    load: Callable[[ModelRequest], LoadedModel] | None = None
    handed_over: Callable[[LoadedModel], LoadedModel] | None = None


class LivePipeline:
    """Ties the threads together; every method may be called from any thread and returns at once (but `stop`).

    Args:
        config: the user's first wishes; `change` replaces any of them while it runs.
        max_frames: end after so many captured frames.
        outside: see `Outside`.
    """

    def __init__(self, config: LiveConfig, *, max_frames: int | None = None, outside: Outside | None = None) -> None:
        outside = outside or Outside()
        self._config = config
        self._lock = threading.Lock()
        self._stop, self._ready = threading.Event(), threading.Event()
        self._model_attempt = 0
        self.board = StatusBoard()
        self.meters = Meters()
        self.started_at = now()
        self.preview: Slot[Preview] = Slot()
        # The second place is for threads that the system holds up now and then; the worker decides who may wait there.
        captured: Slot[Frame] = Slot(2)
        finished: Slot[Outgoing] = Slot(2)
        self._slots: tuple[Slot[Any], ...] = (captured, finished)
        self._model_ready = threading.Event()
        sleep = Sleep()
        self._loader = Loader(self.board, self._stop, self._model_ready, outside.load, outside.handed_over)
        self._capture = Capture(
            self._wishes, captured, self.meters, self.board, self._stop, self._ready, max_frames, sleep, outside.open_source
        )
        self._governor = QualityGovernor(self._wishes, self.meters, self.board, lambda: self._capture.output_fps)
        self._idle = IdleMonitor(self._wishes, lambda: self.board.read("sink").label, self._stop)
        self._worker = Worker(
            self._wishes,
            captured,
            finished,
            self.preview,
            self._loader,
            self.meters,
            self.board,
            self._stop,
            self._capture.ended,
            sleep,
            self._governor,
            lambda: self._idle.resting,
        )
        self._sender = Sender(
            self._wishes,
            finished,
            self._output,
            self._set_pixel_format,
            self.meters,
            self.board,
            self._stop,
            self._worker.idle,
            self._worker.bypass.next,
            sleep,
            outside.open_sink,
        )
        self._capture.pin = self._worker.pin
        self._worker.buffer = self._sender.buffer
        self._worker.overlay = Overlay(self.snapshot)
        self._threads: list[threading.Thread] = []

    @property
    def config(self) -> LiveConfig:
        """The user's present wishes."""
        return self._config

    def start(self, *, wait_for_model: bool = False) -> None:
        """Starts all threads. With `wait_for_model` the source is opened, but not read before the model is warm or has failed."""
        if self._threads:
            raise RuntimeError("the pipeline was started before")
        self.started_at = now()
        self._ask_for_model()
        if not wait_for_model:
            self._ready.set()
        for name, run in (
            ("capture", self._capture.run),
            ("engine", self._worker.run),
            ("sender", self._sender.run),
            ("loader", self._loader.run),
            ("rest", self._idle.run),
        ):
            self._threads.append(self._thread(name, run))
        if wait_for_model:
            self._threads.append(self._thread("wait-for-model", self._release))

    def change(self, **fields: Any) -> None:
        """Replaces wishes by their LiveConfig names; takes effect within a frame, models and sources once they are ready.

        Raises:
            TypeError: no such wish.
        """
        with self._lock:
            self._config = dataclasses.replace(self._config, **fields)
        self._ask_for_model()

    def retry(self, part: str) -> None:
        """Tries a part ("source", "model" or "sink") again after a failure."""
        if part == "source":
            self._capture.retry()
        elif part == "sink":
            self._sender.retry()
        elif part == "model":
            with self._lock:
                self._model_attempt += 1
            self._ask_for_model()
        else:
            raise ValueError(part)

    def set_seen(self, seen: bool) -> None:
        """Tells whether the window can be seen; never told, there is none."""
        self._idle.window = seen

    @property
    def finished(self) -> bool:
        """The source has ended and all of its frames are out."""
        return self._sender.done.is_set()

    def error(self) -> GpenLiveError | None:
        """The error of a part that failed and is not being tried again."""
        return self.board.error()

    def snapshot(self) -> Snapshot:
        """The state at this moment."""
        since = now() - WINDOW_S
        state = self._worker.state
        return Snapshot(
            source=self.board.read("source"),
            model=self.board.read("model"),
            sink=self.board.read("sink"),
            model_name=state.model_name,
            precision=state.precision,
            device=state.device,
            size=self._capture.output_size,
            stages=self.meters.stages(since),
            rates=self.meters.rates(since),
            counts=self.meters.counts(),
            faces=state.faces,
            busy=self.meters.busy_share(since),
            quality=self._governor.state,
            raw_reason=state.raw_reason,
        )

    def report(self) -> dict[str, object]:
        """The report of the whole run so far, ready for JSON."""
        return build_report(self._config, self.snapshot(), self.meters, self.board.notes())

    def stop(self) -> None:
        """Ends all threads and closes source and sink; a driver that hangs is left behind after seconds."""
        self._stop.set()
        for slot in self._slots:
            slot.close()
        deadline = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.05, deadline - time.monotonic()))

    def _wishes(self) -> LiveConfig:
        return self._config

    def _output(self) -> tuple[Size, float] | None:
        size = self._capture.output_size
        return None if size is None else (size, self._capture.output_fps)

    def _set_pixel_format(self, pixel_format: PixelFormat) -> None:
        self._worker.pixel_format = pixel_format

    def _ask_for_model(self) -> None:
        config = self._config
        self._loader.ask(ModelRequest(config.model, config.weights, config.device, self._model_attempt))

    def _release(self) -> None:
        while not self._stop.is_set() and not self._model_ready.wait(0.05):
            pass
        self._ready.set()

    @staticmethod
    def _thread(name: str, run: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=run, name=f"gpen-live-{name}", daemon=True)
        thread.start()
        return thread
