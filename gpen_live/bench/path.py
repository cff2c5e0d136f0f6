"""The frame path by its stages: a frame in memory in, NV12 in memory out, one frame after the other."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpen_live.bench.results import PathTime
from gpen_live.bench.timing import Budget, Going, quantiles
from gpen_live.frame import Array, Image, PixelFormat
from gpen_live.inference.device import synchronize
from gpen_live.live.status.snapshot import grade
from gpen_live.look import Beauty, Look, Mode

if TYPE_CHECKING:
    from gpen_live.engine.engine import Engine
    from gpen_live.engine.result import FrameResult

OFF = "off"
"""The name of no beauty at all."""

_TURNS = 4  # of each look, where there are several: what slows the machine down meets all of them
_COMING = 3  # frames until a face that comes into view is enhanced; without a network they tell nothing
_NOTHING = Beauty()
_PLAIN = {OFF: _NOTHING}
_FPS = 30  # what the frames' capture times say


def enhance(engine: Engine, mode: Mode, image: Image, at: float, beauty: Beauty = _NOTHING) -> FrameResult:
    """The engine's frame in a mode, captured at `at` seconds, as the live pipeline calls it."""
    return engine.process(image, at, Look(mode=mode, beauty=beauty), PixelFormat.NV12)


def nv12(done: FrameResult) -> Array:
    """The finished frame for the virtual camera."""
    return done.picture.pixels(PixelFormat.NV12)


def time_path(
    engine: Engine,
    mode: Mode,
    frames: Sequence[Image],
    budget: Budget,
    going: Going,
    beauties: Mapping[str, Beauty] = _PLAIN,
) -> list[PathTime]:
    """Times the engine on `frames`, around and around, with each of `beauties` (by name) in turns.

    Without those that were interrupted before the first frame was timed.
    """
    turns = _TURNS if len(beauties) > 1 else 1
    share = dataclasses.replace(
        budget, seconds=budget.seconds / turns, least=-(-budget.least // turns), most=-(-budget.most // turns)
    )
    found = {name: _Samples() for name in beauties}
    for _ in range(turns):
        for name, beauty in beauties.items():
            _take_turn(engine, mode, beauty, frames, share, going, found[name])
    return [samples.summary(engine, mode, name) for name, samples in found.items() if samples.totals]


@dataclass
class _Samples:
    """Milliseconds of each frame, in all, of the processor's cores and by stage, and how many were enhanced."""

    totals: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    enhanced: int = 0

    def summary(self, engine: Engine, mode: Mode, beauty: str) -> PathTime:
        frame_ms = quantiles(self.totals)
        return PathTime(
            model=engine.enhancer.spec.name,
            mode=mode.value,
            frames=len(self.totals),
            enhanced=self.enhanced,
            stages_ms={stage: quantiles(values) for stage, values in self.stages.items()},
            frame_ms=frame_ms,
            fps=round(1e3 / frame_ms.p50, 1),
            grade=grade(frame_ms.p50),
            beauty=beauty,
            cpu_ms=round(statistics.median(self.cpu), 3),
        )


def _take_turn(
    engine: Engine,
    mode: Mode,
    beauty: Beauty,
    frames: Sequence[Image],
    budget: Budget,
    going: Going,
    samples: _Samples,
) -> None:
    engine.new_scene()
    timed, number, warm = 0, 0, False
    begin = time.perf_counter()
    end = begin + budget.seconds
    while budget.left(timed, end) and going():
        cpu, start = time.process_time(), time.perf_counter()
        done = enhance(engine, mode, frames[number % len(frames)], number / _FPS, beauty)
        before = time.perf_counter()
        nv12(done)
        synchronize(engine.device)
        finished = time.perf_counter()
        number += 1
        if not warm:
            warm = budget.warm(number, finished - begin) and not (done.raw_reason and number <= _COMING)
            end = finished + budget.seconds
            continue
        timed += 1
        done.times_ms["convert"] = done.times_ms.get("convert", 0.0) + (finished - before) * 1e3
        samples.totals.append((finished - start) * 1e3)
        samples.cpu.append((time.process_time() - cpu) * 1e3)
        samples.enhanced += not done.raw_reason
        for stage, value in done.times_ms.items():
            samples.stages.setdefault(stage, []).append(value)
