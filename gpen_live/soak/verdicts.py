"""What the figures of a soak say about each promise, in plain words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gpen_live.soak.results import Latency, Sample, Soak

MEMORY_MB: Final = 20.0
"""What may be added after the warm-up."""
STANDSTILL_S: Final = 1.0
"""For which the output may pause, or show an old frame, where no fault excuses it."""
_HANDLES, _THREADS, _CHILDREN = 2.0, 2.0, 0.0  # more: a network on more threads, what was being opened; a leak is one a fault
_DRIFT_MS = 3600.0  # in an hour: a frame in a thousand
_RATE = 0.99
_OTHERS = 0.25  # share of the machine that other programs may take before they are to blame
_P99_SHARE, _P99_MS = 1.25, 5.0  # noise of a machine that others use too
_FEWEST = 12  # samples, to say anything about growth
_MINUTES = 4


@dataclass(frozen=True)
class Verdict:
    """A promise and what became of it. `figure` is what was measured.

    `held` None: it can't be told, as the run was too short, or the machine too busy with other programs.
    """

    promise: str
    held: bool | None
    figure: str


@dataclass(frozen=True)
class Growth:
    """How much more is held in the last third of the time than in the first.

    `first`, `last`: the least that is held in each (the tenth percentile). Memory comes and goes with models and modes; what
    leaks never goes, so it lifts the least. `slope`, per hour: Theil and Sen's line through all of it, the median of the slopes
    between all pairs of points, which single peaks don't move.
    """

    first: float
    last: float
    slope: float

    @property
    def grown(self) -> float:
        return self.last - self.first

    @property
    def over_all(self) -> float:
        """In the whole time: from the middle of the first third to that of the last one is two thirds of it."""
        return 1.5 * self.grown


def judge(soak: Soak) -> list[Verdict]:
    """All verdicts, in the order in which a reader wants them."""
    return [
        _ran_on(soak),
        _never_frozen(soak),
        _never_black(soak),
        _in_order(soak),
        _recovered(soak),
        _memory(soak, "Memory", lambda one: one.memory_mb),
        *([_memory(soak, "GPU memory", lambda one: one.gpu_mb)] if any(one.gpu_mb for one in soak.samples) else []),
        _no_leaks(soak),
        _no_drift(soak),
        _rate(soak),
        _latency(soak),
    ]


def as_json(soak: Soak) -> dict[str, object]:
    """The figures as JSON has them, and the verdicts, for whoever reads them without us."""
    return {**dataclasses.asdict(soak), "verdicts": [dataclasses.asdict(one) for one in judge(soak)]}


def growth(samples: Sequence[Sample], quantity: Callable[[Sample], float]) -> Growth | None:
    """How `quantity` grew; None where there are too few samples."""
    if len(samples) < _FEWEST:
        return None
    from scipy.stats import theilslopes

    values = [quantity(one) for one in samples]
    third = len(values) // 3
    first, last = (float(np.percentile(part, 10)) for part in (values[:third], values[-third:]))
    slope = theilslopes(values, [one.at_s / 3600 for one in samples]).slope
    return Growth(first, last, float(slope))


def p99s(latencies: Sequence[Latency]) -> tuple[float, float] | None:
    """p99 in milliseconds in the first and in the last tenth of the minutes (medians); None where there are too few."""
    if len(latencies) < _MINUTES:
        return None
    tenth = max(2, len(latencies) // 10)
    first, last = ([one.p99_ms for one in part] for part in (latencies[:tenth], latencies[-tenth:]))
    return float(np.median(first)), float(np.median(last))


def settled_latencies(soak: Soak) -> list[Latency]:
    """Those after the warm-up."""
    return [one for one in soak.latencies if soak.warm_s is not None and one.at_s >= soak.warm_s]


def _too_short(promise: str) -> Verdict:
    return Verdict(promise, None, "the run was too short to tell: growth counts once each fault has happened")


def _ran_on(soak: Soak) -> Verdict:
    return Verdict("It runs to the end", not soak.trouble, soak.trouble or f"{soak.frames} frames captured")


def _never_frozen(soak: Soak) -> Verdict:
    pause, still = (max((value(one) for one in soak.samples), default=math.inf) for value in (_pause, _still))
    return Verdict(
        f"The output never stands still for more than {STANDSTILL_S:g} s, but for a camera or an output that is gone",
        max(pause, still) <= STANDSTILL_S,
        f"at most {pause:.2f} s without a frame, {still:.2f} s without a new one",
    )


def _pause(sample: Sample) -> float:
    return sample.pause_s


def _still(sample: Sample) -> float:
    return sample.still_s


def _never_black(soak: Soak) -> Verdict:
    return Verdict(
        "No black and no damaged frame goes out",
        soak.black == soak.unreadable == 0,
        f"{soak.black} black, {soak.unreadable} without their number",
    )


def _in_order(soak: Soak) -> Verdict:
    return Verdict("No frame goes out after a newer one", soak.backwards == 0, f"{soak.backwards} did")


def _recovered(soak: Soak) -> Verdict:
    promise = "After each fault all is well again in time, by itself"
    if not soak.events:
        return Verdict(promise, None, "there was no fault")
    late = [one for one in soak.events if one.helped or one.back_s is None or one.back_s > one.limit_s]
    if late:
        kinds = sorted({one.kind for one in late})
        return Verdict(promise, False, f"{len(late)} of {len(soak.events)} were not: {', '.join(kinds)}")
    slowest = max(soak.events, key=lambda one: (one.back_s or 0) / one.limit_s)
    return Verdict(
        promise,
        True,
        f"{len(soak.events)} faults; the slowest for what is allowed was {slowest.kind}: "
        f"{slowest.back_s:.2f} s of {slowest.limit_s:g} s",
    )


def _memory(soak: Soak, what: str, quantity: Callable[[Sample], float]) -> Verdict:
    promise = f"{what} grows by less than {MEMORY_MB:g} MB after the warm-up"
    samples = soak.settled
    found = growth(samples, quantity)
    if found is None:
        return _too_short(promise)
    hours = (samples[-1].at_s - samples[0].at_s) / 3600
    return Verdict(
        promise,
        found.over_all < MEMORY_MB,
        f"{found.over_all:+.1f} MB in {_long(hours)}: at least {found.first:.0f} held in its first third, "
        f"{found.last:.0f} in its last; trend {found.slope:+.1f} MB an hour",
    )


def _no_leaks(soak: Soak) -> Verdict:
    promise = "No handles, threads or processes are left behind"
    quantities: tuple[tuple[str, Callable[[Sample], float], float], ...] = (
        ("handles", lambda one: one.handles, _HANDLES),
        ("threads", lambda one: one.threads, _THREADS),
        ("processes", lambda one: one.children, _CHILDREN),
    )
    found = [(name, growth(soak.settled, quantity), most) for name, quantity, most in quantities]
    told = [(name, one, most) for name, one, most in found if one is not None]
    if not told:
        return _too_short(promise)
    held = all(one.grown <= most for _, one, most in told)
    return Verdict(promise, held, ", ".join(f"{name} {one.first:.0f} to {one.last:.0f}" for name, one, _ in told))


def drift_ms(samples: Sequence[Sample]) -> tuple[float, float]:
    """By how many milliseconds an hour capture and output run late on the monotonic clock: the medians of all samples."""

    def of(slip: Callable[[Sample], float]) -> float:
        return float(np.median([slip(one) / one.seconds * 3600 for one in samples]))

    return of(lambda one: one.capture_slip_ms), of(lambda one: one.output_slip_ms)


def _no_drift(soak: Soak) -> Verdict:
    promise = f"Capture and output clock don't drift apart by more than {_DRIFT_MS / 1e3:g} s in an hour, a frame in a thousand"
    samples = soak.settled
    if len(samples) < _FEWEST:
        return _too_short(promise)
    capture, output = drift_ms(samples)
    captured, sent, fresh, dropped = (
        sum(value) for value in zip(*((one.captured, one.sent, one.fresh, one.dropped) for one in samples), strict=True)
    )
    return Verdict(
        promise,
        abs(output - capture) <= _DRIFT_MS,
        f"{output - capture:+.0f} ms in an hour (capture {capture:+.0f}, output {output:+.0f}); of {captured} frames "
        f"{dropped} were left out, {sent - fresh} shown twice",
    )


def rate_held(samples: Sequence[Sample], fps: float) -> float | None:
    """Ticks of the output that were kept, of those that the monotonic clock asks for; None without any."""
    seconds = sum(one.seconds for one in samples)
    return sum(one.sent for one in samples) / (seconds * fps) if seconds else None


def _rate(soak: Soak) -> Verdict:
    promise = f"The output keeps its {soak.fps:g} frames a second by the monotonic clock"
    samples = soak.settled
    held = rate_held(samples, soak.fps)
    if held is None:
        return _too_short(promise)
    fresh = sum(one.fresh for one in samples) / sum(one.seconds for one in samples)
    others = _others(samples)
    figure = f"{held:.2%} of its ticks; {fresh:.2f} new frames a second; others took {others:.0%} of the machine"
    return Verdict(promise, True if held >= _RATE else None if others > _OTHERS else False, figure)


def _latency(soak: Soak) -> Verdict:
    promise = "Latency at the end is no worse than at the start (p99, first and last tenth, without faults)"
    found = p99s(settled_latencies(soak))
    if found is None:
        return _too_short(promise)
    start, end = found
    allowed = start * _P99_SHARE + _P99_MS
    tenth = max(3, len(soak.settled) // 10)
    others = [_others(part) for part in (soak.settled[:tenth], soak.settled[-tenth:])]
    figure = (
        f"{start:.1f} ms, then {end:.1f} ms (up to {allowed:.1f} passes for noise); others took {others[0]:.0%}, then "
        f"{others[1]:.0%} of the machine"
    )
    busier = others[1] > others[0] + 0.1
    return Verdict(promise, True if end <= allowed else None if busier else False, figure)


def _others(samples: Sequence[Sample]) -> float:
    """The share of the machine that other programs took, on average."""
    return float(np.mean([one.others for one in samples])) if samples else 0.0


def _long(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
