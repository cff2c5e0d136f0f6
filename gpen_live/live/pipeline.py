"""The live pipeline: source -> slot -> the thread that owns the device -> slot -> clocked sender -> sink."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Image
from gpen_live.live.budget.governor import QualityGovernor
from gpen_live.live.capture import Capture
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.beauty import Open
from gpen_live.live.models.loader import LoadedModel, Loader, ModelRequest
from gpen_live.live.outputs import Outputs
from gpen_live.live.pacing.clock import now
from gpen_live.live.pacing.idle import IdleMonitor
from gpen_live.live.session import Session
from gpen_live.live.status.meters import WINDOW_S
from gpen_live.live.status.overlay import Overlay
from gpen_live.live.status.report import build_report
from gpen_live.live.status.snapshot import Snapshot
from gpen_live.live.supervisor import Supervisor
from gpen_live.live.worker import Worker
from gpen_live.media.picture_file import write_picture
from gpen_live.sinks import check_distinct
from gpen_live.sinks.base import Sink
from gpen_live.sources.base import Source
from gpen_live.system.atomic import free_name

_JOIN_S = 6.0


@dataclass(frozen=True)
class Outside:
    """What the pipeline calls to reach the world, for those that bring their own frames, network or sink; None: the real thing.

    Args:
        open_source, open_sink: as the functions of these names in `gpen_live.sources` and `gpen_live.sinks`.
        load: gives the model that is wanted, warm.
        handed_over: is given each model that was loaded, and gives what is used.
        open_stage: gives the stage that draws beauty on a device, as `gpen_live.beauty.stage.open_stage`.
    """

    open_source: Callable[..., Source] | None = None
    open_sink: Callable[..., Sink] | None = None
    load: Callable[[ModelRequest], LoadedModel] | None = None
    handed_over: Callable[[LoadedModel], LoadedModel] | None = None
    open_stage: Open | None = None


class LivePipeline:
    """Ties the threads together; every method may be called from any thread and returns at once (but `stop`).

    Args:
        config: the user's first wishes; `change` replaces any of them while it runs.
        max_frames: end after so many captured frames.
        outside: see `Outside`.
    """

    def __init__(self, config: LiveConfig, *, max_frames: int | None = None, outside: Outside | None = None) -> None:
        check_distinct(config.sinks)
        outside = outside or Outside()
        session = self._session = Session(config)
        self.board, self.meters = session.board, session.meters
        self._lock = threading.Lock()
        self._model_attempt = 0
        self.started_at = now()
        self._loader = Loader(session, outside.load, outside.handed_over)
        self._capture = Capture(session, max_frames=max_frames, opener=outside.open_source)
        self._governor = QualityGovernor(session, lambda: self._capture.output_fps)
        self._idle = IdleMonitor(session)
        self._worker = Worker(session, self._capture, self._loader, self._governor, self._idle, outside.open_stage)
        self._outputs = Outputs(session, self._capture, self._worker, outside.open_sink)
        self._capture.pin = self._worker.pin
        self._worker.buffer = self._outputs.buffer
        self._worker.overlay = Overlay(self.snapshot)
        self.preview = self._worker.preview
        self._threads = Supervisor(session)
        self._started = False

    @property
    def config(self) -> LiveConfig:
        """The user's present wishes."""
        return self._session.config

    def start(self, *, wait_for_model: bool = False) -> None:
        """Starts all threads. With `wait_for_model` the source is opened, but not read before the model is warm or has failed."""
        if self._started:
            raise RuntimeError("the pipeline was started before")
        self._started = True
        self.started_at = now()
        self._ask_for_model()
        if wait_for_model:
            self._capture.ready = self._loader.ready
        else:
            self._capture.ready.set()
        start = self._threads.start
        start("capture", "source", self._capture.run, instead=lambda over: self._capture.let_go())
        start("engine", "model", self._worker.run, gave_up=self._worker.gave_up, instead=self._worker.run_raw)
        self._outputs.start(self._threads)
        start("loader", "model", self._loader.run, gave_up=self._loader.gave_up)
        start("idle monitor", "", self._idle.run, gave_up=lambda error: self.board.note(error.message))

    def change(self, **fields: Any) -> None:
        """Replaces wishes by their LiveConfig names; takes effect within a frame, models and sources once they are ready.

        Raises:
            TypeError: no such wish.
            UsageError: two of the `sinks` would send to one device or file.
        """
        check_distinct(fields.get("sinks", ()))
        self._session.change(**fields)
        self._outputs.follow()
        self._ask_for_model()

    def retry(self, part: str) -> None:
        """Tries a part ("source", "model" or "sink") again after a failure."""
        if part == "source":
            self._capture.retry()
        elif part == "sink":
            self._outputs.retry()
        elif part == "model":
            with self._lock:
                self._model_attempt += 1
            self._ask_for_model()
        else:
            raise ValueError(part)
        self._threads.revive(part)

    def set_seen(self, seen: bool) -> None:
        """Tells whether the window can be seen; never told, there is none."""
        self._idle.window = seen

    @property
    def finished(self) -> bool:
        """The source has ended and all of its frames are out."""
        return self._outputs.done

    def error(self, *, every: bool = False) -> GpenLiveError | None:
        """The error of a part that failed and is not being tried again; see `StatusBoard.error`."""
        return self.board.error(every=every)

    def snapshot(self) -> Snapshot:
        """The state at this moment."""
        since = now() - WINDOW_S
        state = self._worker.state
        return Snapshot(
            source=self.board.read("source"),
            model=self.board.read("model"),
            sink=self.board.read("sink"),
            outputs=self._outputs.states(),
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
            beauty_trouble=state.beauty_trouble,
        )

    def snapshot_image(self) -> Image:
        """See `Outputs.snapshot_image`."""
        return self._outputs.snapshot_image()

    def save_snapshot(self, folder: Path, ending: str = ".png") -> Path:
        """Saves the newest finished frame under a name of its own, such as "GPEN Live 2026-01-31 12.59.59.png".

        Args:
            ending: .png, .jpg or another one that `write_picture` knows.

        Raises:
            GpenLiveError: there is no frame yet, or it can't be written.
        """
        path = free_name(folder / f"{datetime.now():GPEN Live %Y-%m-%d %H.%M.%S}{ending}")
        write_picture(path, self.snapshot_image())
        return path

    def report(self) -> dict[str, object]:
        """The report of the whole run so far, ready for JSON."""
        return build_report(self.config, self.snapshot(), self.meters, self.board.notes())

    def stop(self) -> None:
        """Ends all threads and closes source and sink; a driver that hangs is left behind after seconds."""
        self._session.stop.set()
        self._capture.frames.close()
        self._worker.finished.close()
        self._threads.join(_JOIN_S)

    def _ask_for_model(self) -> None:
        config = self.config
        self._loader.ask(ModelRequest(config.model, config.weights, config.device, self._model_attempt))
