"""The pipeline's one clock, and the output's steady ticks on it."""

from __future__ import annotations

import cmath
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

_SAFE_WAIT_S = 0.002
_MARGIN = 1.25  # of how much later than the median the latest tenth, or thirtieth, of the frames is
_RARE = 0.2  # share of a period that the latest thirtieth may ask for
_SPREAD = 0.45  # share of a period
_ASLEEP_S = 0.3  # the two clocks are not read at the same moment


def _clock(name: str) -> Callable[[], float]:
    """The system's clock of that name; where there is none, Python's finest (`time.monotonic` steps by 16 ms on Windows)."""
    clock: int | None = getattr(time, name, None)
    return time.perf_counter if clock is None else partial(time.clock_gettime, clock)


# Linux and macOS have a clock that stands still while the system sleeps, which is Python's, and one that goes on; Windows'
# performance counter goes on.
now = _clock({"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC_RAW"}.get(sys.platform, ""))
"""Seconds on a monotonic clock of high resolution that no change of date touches and that goes on while the system sleeps."""


def awake() -> float:
    """Seconds on a monotonic clock that stands still while the system sleeps."""
    if sys.platform != "win32":
        return time.perf_counter()
    import ctypes

    ticks = ctypes.c_ulonglong()  # of 100 ns
    ctypes.windll.kernel32.QueryUnbiasedInterruptTime(ctypes.byref(ticks))
    return ticks.value * 1e-7


class Sleep:
    """Notices that the system has slept. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead = now() - awake()
        self._ended_at = -math.inf

    def ended_at(self) -> float:
        """When the last sleep was over (on `now`): what was captured before shows what was before. Minus infinity: no sleep."""
        with self._lock:
            at = now()
            ahead = at - awake()
            if ahead > self._ahead + _ASLEEP_S:
                self._ended_at = at
            self._ahead = ahead
            return self._ended_at


class Ticker:
    """Ticks at `fps` on the monotonic clock without drift; a late tick is skipped, never made up for in a burst."""

    def __init__(self, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"frame rate {fps} is not positive")
        self.period = 1.0 / fps
        self._start = now()
        self._count = 0
        self.missed = 0

    def next_tick(self, at: float) -> float:
        """The time of the next tick after `at`; counts the ticks in between as missed."""
        due = self._start + (self._count + 1) * self.period
        if at >= due + self.period:
            late = int((at - due) / self.period)
            self.missed += late
            self._count += late
            due += late * self.period
        self._count += 1
        return due

    def shift(self, seconds: float) -> None:
        """Moves all coming ticks by `seconds` (negative: earlier), by a hundredth of a period at most."""
        self._start += max(-0.01 * self.period, min(0.01 * self.period, seconds))

    def wait(self, stop: threading.Event) -> bool:
        """Sleeps until the next tick; False at once when `stop` is set."""
        at = now()
        return not stop.wait(max(0.0, self.next_tick(at) - at))


class PhaseLock:
    """Finds how to shift the ticks so that frames wait for them as shortly as is safe.

    Between a source and an output of one rate the wait is constant, anything up to a whole period, by the accident of when each
    was started; and with rates that differ by a little it drifts until a frame is dropped or repeated. A second-order loop is
    not needed: each tick is moved by a hundredth of a period at most, which no viewer sees, until nearly all frames are there
    just before their tick. Waits lie on a circle: a frame that was late for its tick has the longest one to the next. Where waits
    are spread over the period (rates that don't match) there is nothing to lock on to.

    Args:
        period: of the ticks, in seconds.
        grace: how long after its tick a frame may come and still be sent with it; the ticks move forward by as much.
        frames: how many of the newest ones count.
    """

    def __init__(self, period: float, *, grace: float = 0.0, frames: int = 48) -> None:
        self._period, self._grace = period, grace
        self._waits: deque[float] = deque(maxlen=frames)

    def advice(self, wait: float) -> float:
        """Seconds to shift the ticks by, given how long the newest frame has waited for its tick."""
        self._waits.append(wait)
        count = len(self._waits)
        if count < (self._waits.maxlen or 0) // 2:
            return 0.0
        centre = _circular_mean(self._waits, self._period)
        around = sorted(self._short_way(each - centre) for each in self._waits)
        low, middle, high = around[count // 10], around[count // 2], around[-1 - count // 10]
        if high - low > _SPREAD * self._period:
            return 0.0
        # Of frames that are late now and then, once a second, the margin covers the small delays, and never all of them.
        rare = min(middle - around[count // 30], _RARE * self._period)
        margin = _SAFE_WAIT_S + max(0.0, _MARGIN * max(middle - low, rare) - self._grace)
        limit = 0.01 * self._period
        shift = max(-limit, min(limit, 0.5 * self._short_way(margin - (centre + middle))))
        for i in range(count):
            self._waits[i] += shift  # what they would have been
        return shift

    def _short_way(self, seconds: float) -> float:
        """From minus half a period to half a period."""
        return (seconds + self._period / 2) % self._period - self._period / 2


def _circular_mean(times: Iterable[float], period: float) -> float:
    turn = 2j * math.pi / period
    return cmath.phase(sum(cmath.exp(turn * time) for time in times)) * period / (2 * math.pi)
