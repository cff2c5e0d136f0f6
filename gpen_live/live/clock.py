"""The pipeline's one clock, and the output's steady ticks on it."""

from __future__ import annotations

import math
import threading
import time

now = time.perf_counter
"""Seconds on a monotonic clock of high resolution (`time.monotonic` steps by 16 ms on Windows before Python 3.13)."""


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

    def wait(self, stop: threading.Event) -> bool:
        """Sleeps until the next tick; False at once when `stop` is set."""
        at = now()
        return not stop.wait(max(0.0, self.next_tick(at) - at))
