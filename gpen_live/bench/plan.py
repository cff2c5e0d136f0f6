"""What will be measured, step by step, and how long it takes: said before it starts, and bounded by the steps' budgets."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gpen_live.bench.flow import FEWEST, ROUNDS, SLOW_FPS
from gpen_live.bench.timing import Budget, Going
from gpen_live.frame import Size
from gpen_live.inference.device import Device, synchronize
from gpen_live.models.registry import ModelSpec

_GFLOP: Final = {
    "gpen-256": 17.4,
    "gpen-512": 276.0,
    "gpen-1024": 347.0,
    "gpen-2048": 420.0,
    "lite-256": 2.0,
    "lite-256-int8": 2.0,
    "lite-512": 8.0,
}
"""Work of one crop, or as much of the probe's convolutions as take the same time."""

_LEAST_RUN_S = 0.002
_FRAME_S = 0.025  # of a 1280x720 frame, beside the network, on a processor
_FRAME_PIXELS = 1280 * 720
_UPSTREAM_SLOWER = 2.5

Seconds = float


@dataclass(frozen=True)
class Step:
    """One measurement: what it is, how long it takes at a guess, and the work, which asks whether it may go on."""

    title: str
    seconds: Seconds
    work: Callable[[Going], None]


@dataclass(frozen=True)
class Guess:
    """How long things take on this device, from its speed in GFLOP/s. A guess, for the announcement and the bar alone."""

    gflops: float
    gpu: bool
    size: Size

    def run_s(self, spec: ModelSpec) -> Seconds:
        """One crop."""
        return max(_LEAST_RUN_S, _GFLOP.get(spec.name, 300.0) / self.gflops)

    def frame_s(self, spec: ModelSpec, *, full: bool) -> Seconds:
        """One frame; in full-frame mode a light network takes all of it."""
        pixels = self.size.width * self.size.height
        times = pixels / spec.size**2 if full and spec.architecture.any_size else 1.0
        return self.run_s(spec) * times + _FRAME_S * pixels / _FRAME_PIXELS

    def load_s(self, spec: ModelSpec, *, thorough: bool) -> Seconds:
        """From the file to a network at speed. What is chosen from is timed: a light network's many ways, on processors alone."""
        read_s = 0.5 + spec.parameters / 40e6
        if self.gpu:
            return read_s + (6.0 if spec.architecture.heavy else 2.0)
        ways = (10 if thorough else 6) if not spec.architecture.heavy else 2
        each_s = max(0.5 if thorough or spec.architecture.heavy else 0.1, 6 * self.run_s(spec))
        return read_s + ways * each_s

    def flow_s(self, spec: ModelSpec, budget: Budget, *, full: bool) -> Seconds:
        """Serial and pipelined, fed in one way; a face that comes into view costs a frame each."""
        frame_s = self.frame_s(spec, full=full)
        turn_s = 2 * ((FEWEST + 1) * frame_s + 0.1)
        least_s = turn_s if frame_s > 1 / SLOW_FPS else ROUNDS * turn_s
        return max(budget.seconds + turn_s, least_s) + 2 * frame_s

    def process_s(self, spec: ModelSpec) -> Seconds:
        """A process of its own that loads a network and a few frames."""
        return (8.0 if self.gpu else 5.0) + self.load_s(spec, thorough=False) + 3 * self.frame_s(spec, full=False)

    def rival_s(self, spec: ModelSpec, budget: Budget) -> Seconds:
        """A process of its own in which both networks take turns."""
        pair_s = (1 + _UPSTREAM_SLOWER) * self.run_s(spec)
        return (8.0 if self.gpu else 5.0) + self.load_s(spec, thorough=False) + budget.estimate(pair_s) + 2 * pair_s


def total(steps: Sequence[Step]) -> Seconds:
    """Of all steps."""
    return sum(step.seconds for step in steps)


def in_words(seconds: Seconds) -> str:
    """A duration for people."""
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def gflops(device: Device) -> float:
    """How fast the device convolves, from a fraction of a second of it."""
    import torch

    channels, side, runs = 128, 64, 5
    with torch.inference_mode():
        picture = torch.ones(1, channels, side, side, device=device.torch())
        weight = torch.ones(channels, channels, 3, 3, device=device.torch())
        taken = []
        for _ in range(runs):
            start = time.perf_counter()
            torch.nn.functional.conv2d(picture, weight, padding=1)
            synchronize(device)
            taken.append(time.perf_counter() - start)
    return float(2 * channels**2 * 9 * side**2 / statistics.median(taken[1:]) / 1e9)


def run(steps: Sequence[Step], going: Callable[[Seconds, str], bool]) -> bool:
    """Does the steps in turn; False when it was ended before the last one was done.

    Args:
        going: told the seconds of work done, by the steps' guesses, and what is on; answers whether to go on.
    """
    done: Seconds = 0.0
    for step in steps:
        start = time.perf_counter()

        def asked(step: Step = step, start: float = start, done: Seconds = done) -> bool:
            return going(done + min(time.perf_counter() - start, step.seconds), step.title)

        if not asked():
            return False
        step.work(asked)
        done += step.seconds
    return going(done, "")
