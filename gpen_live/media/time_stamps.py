"""From moments on a clock to a film's time stamps."""

from __future__ import annotations

from fractions import Fraction

TIME_BASE = Fraction(1, 60_000)
"""Seconds of one unit: frames of all usual rates last a whole number of them, and MPEG-4 part 2 knows none much finer."""


class TimeStamps:
    """Counts from the first moment on, in units of TIME_BASE; each stamp is later than the one before it.

    Moments that go back are those of another clock (a film that starts again, another film): its first frame follows after one
    period.
    """

    def __init__(self, fps: float) -> None:
        self._period = 1 / fps
        self._origin: float | None = None
        self._at = 0.0
        self._last = -1

    def stamp(self, at: float) -> int:
        """The stamp of the next frame, which belongs to the moment `at`, in seconds."""
        if self._origin is None:
            self._origin = at
        elif at <= self._at:
            self._origin += at - (self._at + self._period)
        self._at = at
        self._last = max(self._last + 1, round((at - self._origin) / TIME_BASE))
        return self._last
