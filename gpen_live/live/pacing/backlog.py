"""Which frames may wait for another one: those that will be in time all the same.

The system holds threads up now and then, above all on a busy machine; two frames are finished at once then, and none at the
next tick of the output. Where the budget allows, the second one waits for its own tick instead of taking the first one's place.
A line that has formed stays as long as it is, and all frames in it are older by one period: so it is only kept where hold-ups
follow on each other, which is where it is worth that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from gpen_live.live.pacing.clock import now

_LATEST: Final = 0.2  # share that the latest frame has in how long one is expected to take
_FEWEST, _MOST = 2, 48  # frames in a row that find another one waiting, before one is left out
_CALM_S: Final = 2.0  # without a hold-up: they are rarer than was thought


class BacklogPolicy:
    """Decides for the engine's thread. With a budget of 0 nobody waits, and the newest frame is always the next one.

    Args:
        budget_ms: from capture to sink. target_fps: the rate of the output. clock: seconds.
    """

    def __init__(self, budget_ms: Callable[[], float], target_fps: Callable[[], float], clock: Callable[[], float] = now) -> None:
        self._budget_ms, self._target_fps, self._clock = budget_ms, target_fps, clock
        self._captured, self._finished = _Backlog(clock), _Backlog(clock)
        self._work_s = 0.0

    def worked(self, seconds: float) -> None:
        """A frame took so long on the engine's thread."""
        self._work_s += _LATEST * (seconds - self._work_s)

    def skips(self, captured_at: float, *, waiting: bool) -> bool:
        """Whether a frame that was captured then is left out for the one behind it, if there is one `waiting`."""
        return self._captured.too_long(waiting=waiting) or (waiting and self._late(captured_at, 2 * self._work_s))

    def replaces(self, captured_at: float, *, waiting: bool) -> bool:
        """Whether a finished frame that was captured then takes the place of the one before it, if that is still `waiting`."""
        return self._finished.too_long(waiting=waiting) or (waiting and self._late(captured_at, 2 / self._target_fps()))

    def _late(self, captured_at: float, more_s: float) -> bool:
        return self._clock() + more_s - captured_at > self._budget_ms() * 1e-3


class _Backlog:
    """How long a line of two is kept.

    For few frames; twice as many each time that a hold-up shows it was given up too soon, half as many for each calm while.
    A hold-up that finds the line takes the frame that waits, and leaves another one waiting: it costs nothing at the output.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept = _FEWEST
        self._in_a_row = 0
        self._held_up_at = -math.inf
        self._given_up = False

    def too_long(self, *, waiting: bool) -> bool:
        """Told for each frame whether another one was waiting; whether one is to be left out now."""
        if not waiting:
            self._in_a_row = 0
            return False
        if self._in_a_row == 0:
            self._begin(self._clock())
        self._in_a_row += 1
        if self._in_a_row < self._kept:
            return False
        self._in_a_row, self._given_up = 0, True
        return True

    def _begin(self, at: float) -> None:
        calm = min((at - self._held_up_at) / _CALM_S, _MOST)
        if calm > 1:
            self._kept = max(self._kept >> int(calm), _FEWEST)
        elif self._given_up:
            self._kept = min(2 * self._kept, _MOST)
        self._held_up_at, self._given_up = at, False
