"""The frame path by its stages: a frame in memory in, NV12 in memory out, one frame after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpen_live.bench.results import PathTime
from gpen_live.bench.timing import Budget, Going, quantiles
from gpen_live.frame import Array, Image, PixelFormat
from gpen_live.inference.device import synchronize
from gpen_live.live.status.snapshot import grade
from gpen_live.look import Look, Mode

if TYPE_CHECKING:
    from gpen_live.engine.engine import Engine
    from gpen_live.engine.result import FrameResult

_COMING = 3  # frames until a face that comes into view is enhanced; without a network they tell nothing
_FPS = 30  # what the frames' capture times say


def enhance(engine: Engine, mode: Mode, image: Image, at: float) -> FrameResult:
    """The engine's frame in a mode, captured at `at` seconds, as the live pipeline calls it."""
    return engine.process(image, at, Look(mode=mode), PixelFormat.NV12)


def nv12(done: FrameResult) -> Array:
    """The finished frame for the virtual camera."""
    return done.picture.pixels(PixelFormat.NV12)


def time_path(engine: Engine, mode: Mode, frames: Sequence[Image], budget: Budget, going: Going) -> PathTime | None:
    """Times the engine on `frames`, around and around; None when it was interrupted before the first frame was timed."""
    engine.new_scene()
    stages: dict[str, list[float]] = {}
    totals: list[float] = []
    enhanced, number, warm = 0, 0, False
    begin = time.perf_counter()
    end = begin + budget.seconds
    while budget.left(len(totals), end) and going():
        start = time.perf_counter()
        done = enhance(engine, mode, frames[number % len(frames)], number / _FPS)
        before = time.perf_counter()
        nv12(done)
        synchronize(engine.device)
        finished = time.perf_counter()
        number += 1
        if not warm:
            warm = budget.warm(number, finished - begin) and not (done.raw_reason and number <= _COMING)
            end = finished + budget.seconds
            continue
        done.times_ms["convert"] = done.times_ms.get("convert", 0.0) + (finished - before) * 1e3
        totals.append((finished - start) * 1e3)
        enhanced += not done.raw_reason
        for stage, value in done.times_ms.items():
            stages.setdefault(stage, []).append(value)
    if not totals:
        return None
    frame_ms = quantiles(totals)
    return PathTime(
        model=engine.enhancer.spec.name,
        mode=mode.value,
        frames=len(totals),
        enhanced=enhanced,
        stages_ms={stage: quantiles(values) for stage, values in stages.items()},
        frame_ms=frame_ms,
        fps=round(1e3 / frame_ms.p50, 1),
        grade=grade(frame_ms.p50),
    )
