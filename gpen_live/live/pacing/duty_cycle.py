"""Leaving room for a game: the device works for us only a share of the time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gpen_live.live.pacing.clock import now

_LOOK_S = 0.05
_LONGEST_S = 0.5


class DutyCycle:
    """Holds the engine back between frames, so that the device is busy for a share of the time at most.

    Args:
        share: the share of the time, 0 to 1, that is to be left, at this moment; whatever it says, a tenth is used.
        clock: seconds. pause: waits for so many seconds; True when there is no more to wait for.
    """

    def __init__(self, share: Callable[[], float], pause: Callable[[float], bool], clock: Callable[[], float] = now) -> None:
        self._share, self._pause, self._clock = share, pause, clock

    @classmethod
    def until(cls, stop: threading.Event, share: Callable[[], float]) -> DutyCycle:
        """One that holds nobody back once `stop` is set."""
        return cls(share, stop.wait)

    def leave(self, started_at: float, busy_ms: float) -> None:
        """Waits after a frame that was begun at `started_at` and kept the device busy for `busy_ms`.

        What a frame left unused, it does not lend to the next one: room in time is what a game needs, not room on average. And no
        frame is waited for longer than half a second, however long the one before took: a picture that stands is worse.
        """
        latest = self._clock() + _LONGEST_S
        while True:
            used = max(0.1, 1.0 - self._share())
            left = min(started_at + busy_ms * 1e-3 / used, latest) - self._clock()
            if used >= 1.0 or left <= 0 or self._pause(min(left, _LOOK_S)):  # the user may change his mind meanwhile
                return
