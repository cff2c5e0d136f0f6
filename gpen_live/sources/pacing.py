"""Real-time pacing for sources that aren't devices: frames appear when a camera would have delivered them."""

from __future__ import annotations

import time


class Pace:
    """Numbers the frames of a camera with a fixed rate; who comes late gets the current number, never a burst."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._start: float | None = None
        self._last = -1

    def next_number(self) -> int:
        """Waits until the next frame is due and returns its number (from 0, rising; numbers that were missed are left out)."""
        at = time.perf_counter()
        if self._start is None:
            self._start = at
        current = int((at - self._start) * self._fps)
        if current <= self._last:
            current = self._last + 1
            sleep_until(self._start + current / self._fps)
        self._last = current
        return current


def sleep_until(due: float) -> None:
    """Sleeps until `due` on `time.perf_counter`; returns at once when that has passed."""
    time.sleep(max(0.0, due - time.perf_counter()))
