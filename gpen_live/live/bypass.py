"""Past an engine that is stuck: while it does not come back from a frame, the newest captured ones go out raw."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from gpen_live.frame import Frame
from gpen_live.live.pacing.clock import awake
from gpen_live.live.slot import Slot
from gpen_live.messages import message

T = TypeVar("T")

STUCK = message("live.stuck")
_GRACE_S = 0.25  # a busy machine holds a thread up for as long now and then
_GRACE_PERIODS = 3
_GRACE_USUAL = 3  # in times of what a frame usually takes: a network that is always slow is not stuck
_TOLD_AFTER_S = 1.0  # a hiccup is bridged, but not worth a message
_FIRST_TOLD_AFTER_S = 5.0  # nor is a network's first frame, for which much is prepared
_KEPT = 5


class Bypass(Generic[T]):
    """Watches how long the engine's thread has been at its present frame.

    Args:
        captured: where frames wait for the engine. raw: finishes one as it came, for the sink.
        told: called once, when the engine has been stuck for a while. dropped: called for each frame that is left out.
        clock: seconds; what the system sleeps through is no waiting.
    """

    def __init__(
        self,
        captured: Slot[Frame],
        raw: Callable[[Frame], T],
        told: Callable[[], None],
        dropped: Callable[[], None],
        clock: Callable[[], float] = awake,
    ) -> None:
        self._captured, self._raw, self._tell, self._drop, self._clock = captured, raw, told, dropped, clock
        self._usual: deque[float] = deque(maxlen=_KEPT)
        self._since: float | None = None
        self._counts = False
        self._told = False
        self._newest = -1
        self.active = False
        """Frames go past the engine at present."""

    def begin(self, *, counts: bool) -> None:
        """For the engine's thread, before all that it does for one frame. `counts`: how long it takes is typical of frames."""
        self._counts = counts
        self._since = self._clock()

    def end(self) -> None:
        """For the engine's thread, when it is done; a second call does nothing."""
        since, self._since = self._since, None
        if since is not None:
            self.active = self._told = False
            if self._counts:
                self._usual.append(self._clock() - since)

    def forget(self) -> None:
        """Another network: what is usual is not known yet."""
        self._usual.clear()

    def overtaken(self, number: int) -> bool:
        """Whether a newer frame than this one went past the engine: it is too late for it."""
        return number < self._newest

    def next(self, period: float) -> T | None:
        """For the sender, which has no finished frame: the newest one, raw, if the engine is stuck. `period`: of the output."""
        since = self._since
        if since is None:
            return None
        taken = self._clock() - since
        if taken <= max(_GRACE_S, _GRACE_PERIODS * period, _GRACE_USUAL * self._usual_s()):
            return None
        frame = self._captured.take(0)
        if frame is None:
            return None
        while (newer := self._captured.take(0)) is not None:
            self._drop()
            frame = newer
        self._newest, self.active = frame.number, True
        if taken > (_TOLD_AFTER_S if self._usual else _FIRST_TOLD_AFTER_S) and not self._told:
            self._told = True
            self._tell()
        return self._raw(frame)

    def _usual_s(self) -> float:
        """What the slower ones of the last frames took; the slowest alone may have been stuck."""
        return sorted((0.0, 0.0, *self._usual.copy()))[-2]
