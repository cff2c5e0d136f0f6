"""Timing work that repeats: warm, with rotated inputs, for a bounded time, until it is interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gpen_live.inference.device import Device, synchronize
from gpen_live.live.status.snapshot import Quantiles

Going = Callable[[], bool]
"""Asked before each run; False ends a measurement with what it has."""


@dataclass(frozen=True)
class Budget:
    """How long one measurement may take: `seconds` after its warm-up, but at least `least` and at most `most` runs.

    The warm-up is one run, and more, up to `warm_ups`, while they take no more than a quarter of that time.
    """

    seconds: float
    least: int
    most: int
    warm_ups: int

    def estimate(self, run_s: float) -> float:
        """Seconds that it takes if one run takes `run_s`."""
        warm_up_s = max(run_s, min(self.warm_ups * run_s, self.seconds / 4))
        return max(min(self.seconds, self.most * run_s), self.least * run_s) + warm_up_s

    def warm(self, done: int, spent_s: float) -> bool:
        """Whether `done` runs of warm-up, which took `spent_s`, are enough."""
        return done >= self.warm_ups or (done > 0 and spent_s > self.seconds / 4)

    def left(self, done: int, end: float) -> bool:
        """Whether another run is due after `done` of them; `end`: start plus `seconds`, by `time.perf_counter`."""
        return done < self.least or (done < self.most and time.perf_counter() < end)


FULL = Budget(seconds=3.0, least=5, most=1000, warm_ups=3)
QUICK = Budget(seconds=1.0, least=3, most=200, warm_ups=2)


@dataclass
class Timed:
    """Milliseconds of each run; seconds of all runs together by the wall clock, and of this process on all cores."""

    ms: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0


def repeat(work: Callable[[int], object], device: Device, budget: Budget, going: Going) -> Timed:
    """Times `work`, which gets the number of the run to choose its input by, and is waited for on the device."""
    begin, done = time.perf_counter(), 0
    while not budget.warm(done, time.perf_counter() - begin) and going():
        work(done)
        synchronize(device)
        done += 1
    timed = Timed()
    begin, cpu = time.perf_counter(), time.process_time()
    end = begin + budget.seconds
    while budget.left(len(timed.ms), end) and going():
        start = time.perf_counter()
        work(len(timed.ms))
        synchronize(device)
        timed.ms.append((time.perf_counter() - start) * 1e3)
    timed.wall_s, timed.cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    return timed


def quantiles(values: Sequence[float]) -> Quantiles:
    """Of at least one value, rounded to a microsecond."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return Quantiles(*(round(float(v), 3) for v in (p50, p95, p99, max(values))))
