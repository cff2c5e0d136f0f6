"""One frame after the other against the live pipeline's threads: how many frames a second each gets through."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpen_live.bench.clip import ClipSource, Feed
from gpen_live.bench.path import enhance, nv12
from gpen_live.bench.results import Flow
from gpen_live.bench.timing import Budget, Going
from gpen_live.errors import GpenLiveError
from gpen_live.export.video import VideoRun
from gpen_live.frame import Array, Image, PixelFormat, Size
from gpen_live.inference.device import describe_device
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.loader import LoadedModel, ModelRequest
from gpen_live.live.pacing.clock import now
from gpen_live.live.pipeline import Outside
from gpen_live.live.status.meters import Meters
from gpen_live.look import Look, Mode
from gpen_live.sinks.base import Sink

if TYPE_CHECKING:
    from gpen_live.engine.engine import Engine

ROUNDS = 3  # at least: serial and pipelined take turns, so that what slows the machine down meets both
SLOW_FPS = 2.0
_SLOW_S = 1 / SLOW_FPS
_MOST_TRIED = 10
_LEAD_IN = 3  # frames until a face that comes into view is enhanced; they don't count
FEWEST = 3  # frames a round: the rate is that of the intervals between
_POLL_S = 0.005
_HANG_S = 60.0


class _Nowhere(Sink):
    """Takes NV12, as a virtual camera does, and counts the frames."""

    label = "Bench"
    wants = PixelFormat.NV12

    def __init__(self) -> None:
        self.count = 0

    def send(self, pixels: Array, at: float) -> None:
        self.count += 1

    def close(self) -> None:
        """Nothing to finish."""


def time_flow(engine: Engine, mode: Mode, frames: Sequence[Image], feed: Feed, budget: Budget, going: Going) -> Flow | None:
    """Sends the same frames both ways in turn, medians over the turns; None when it was interrupted before both had one.

    Raises:
        GpenLiveError: a part of the pipeline failed.
    """
    frame_s = _frame_s(engine, mode, frames, going)
    share = _LEAD_IN + max(FEWEST, min(budget.most, int(budget.seconds / (2 * ROUNDS) / frame_s)))
    serial: list[float] = []
    pipelined: list[float] = []
    enhanced = 0
    end = now() + budget.seconds
    while going() and (len(serial) < (1 if frame_s > _SLOW_S else ROUNDS) or now() < end):
        serial.append(_serial(engine, mode, ClipSource(frames, feed, share), going))
        fps, better = _pipelined(engine, mode, ClipSource(frames, feed, share), share, going)
        pipelined.append(fps)
        enhanced += better
    turns = [(one, other) for one, other in zip(serial, pipelined, strict=True) if one and other]
    if not turns:
        return None
    serial_fps, pipelined_fps = (statistics.median(each) for each in zip(*turns, strict=True))
    return Flow(
        model=engine.enhancer.spec.name,
        mode=mode.value,
        feed=feed,
        frames=share * len(pipelined),
        enhanced=enhanced,
        serial_fps=round(serial_fps, 2),
        pipelined_fps=round(pipelined_fps, 2),
        gain_percent=round(100 * (pipelined_fps / serial_fps - 1), 1),
    )


def _frame_s(engine: Engine, mode: Mode, frames: Sequence[Image], going: Going) -> float:
    """Seconds of one frame, from the last of a few that warm the path up; slow ones are tried but once."""
    engine.new_scene()
    taken, enhanced = 0.0, 0
    for number in range(_MOST_TRIED):
        if going() and enhanced < 2 and not (enhanced and taken > _SLOW_S):
            start = now()
            enhanced += not enhance(engine, mode, frames[number % len(frames)], start).raw_reason
            taken = now() - start
    return max(taken, 1e-4)


def _serial(engine: Engine, mode: Mode, source: ClipSource, going: Going) -> float:
    """Enhanced frames per second: read, enhanced, converted, sent, then the next one."""
    engine.new_scene()
    sink, meters = _Nowhere(), Meters()
    while going() and (image := source.read()) is not None:
        done = enhance(engine, mode, image, now())
        sink.send(nv12(done), now())
        meters.sent(now(), sink.count, {}, enhanced=not done.raw_reason)
    return meters.rates().enhance


def _pipelined(engine: Engine, mode: Mode, source: ClipSource, count: int, going: Going) -> tuple[float, int]:
    """Enhanced frames per second with a thread each for reading, the network and sending; and how many there were."""
    sink = _Nowhere()

    def load(wanted: ModelRequest) -> LoadedModel:
        return LoadedModel(wanted, engine.device, describe_device(engine.device), engine.detector, engine.enhancer)

    def open_source(spec: str, **_: object) -> ClipSource:
        return source

    def open_sink(spec: str, *, size: Size, fps: float) -> Sink:
        return sink

    config = LiveConfig(look=Look(mode=mode), model=engine.enhancer.spec.name, device=str(engine.device), loop=False)
    outside = Outside(open_source=open_source, open_sink=open_sink, load=load)
    pipeline = VideoRun(config, max_frames=count, outside=outside)
    pipeline.start()
    moved, seen = now(), 0
    try:
        while not pipeline.finished and going():
            if (error := pipeline.error()) is not None:
                raise error
            if sink.count > seen:
                moved, seen = now(), sink.count
            elif now() > moved + _HANG_S:
                raise GpenLiveError("bench.stands_still")
            time.sleep(_POLL_S)
    finally:
        pipeline.stop()
    return pipeline.meters.rates().enhance, pipeline.meters.counts().enhanced
