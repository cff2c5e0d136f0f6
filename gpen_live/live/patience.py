"""Which frames may wait for another one: those that will be in time all the same.

The system holds threads up now and then, above all on a busy machine; two frames are finished at once then, and none at the
next tick of the output. Where the budget allows, the second one waits for its own tick instead of taking the first one's place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpen_live.live.clock import now

_LATEST: Final = 0.2  # share that the latest frame has in how long one is expected to take
_IN_VAIN: Final = 45  # frames in a row that found another one waiting: it is not jitter that this guards against any more


class Patience:
    """Decides for the engine's thread. With a budget of 0 nobody waits, and the newest frame is always the next one.

    Args:
        budget_ms: from capture to sink. target_fps: the rate of the output. clock: seconds.
    """

    def __init__(self, budget_ms: Callable[[], float], target_fps: Callable[[], float], clock: Callable[[], float] = now) -> None:
        self._budget_ms, self._target_fps, self._clock = budget_ms, target_fps, clock
        self._work_s = 0.0
        self._in_vain = 0

    def worked(self, seconds: float) -> None:
        """A frame took so long on the engine's thread."""
        self._work_s += _LATEST * (seconds - self._work_s)

    def skips(self, captured_at: float) -> bool:
        """Whether a frame that was captured then is better left out than taken up before the one behind it."""
        return self._late(captured_at, 2 * self._work_s)

    def replaces(self, captured_at: float, *, waiting: bool) -> bool:
        """Whether a finished frame that was captured then takes the place of the one before it, if that is still `waiting`."""
        self._in_vain = self._in_vain + 1 if waiting else 0
        if waiting and (self._in_vain >= _IN_VAIN or self._late(captured_at, 2 / self._target_fps())):
            self._in_vain = 0
            return True
        return False

    def _late(self, captured_at: float, more_s: float) -> bool:
        return self._clock() + more_s - captured_at > self._budget_ms() * 1e-3
