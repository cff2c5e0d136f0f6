"""Resting: while nobody sees the picture, the network has nothing to do, and the machine's fans neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpen_live.live.config import Resting, output_parts
from gpen_live.live.session import Session
from gpen_live.messages import message
from gpen_live.sinks import is_file, is_virtual_camera
from gpen_live.sinks.readers import readers
from gpen_live.sinks.vcam import device_in

REASON: Final = message("live.idle")

_PATIENCE_S: Final = 2.0  # for a window that is hidden for a moment, and a program that opens its camera anew
_SOON_S: Final = 0.03  # between two looks while it rests: who comes is noticed within a frame
_LATER_S: Final = 0.25
_DEAR: Final = 20  # where looking takes long, it is done for a twentieth of the time at most


def nobody_sees(resting: Resting, sink: str, window: bool | None, read_by: int | None) -> bool:
    """Whether there is nobody to see the picture.

    Args:
        resting: the user's wish. sink: the pipeline's name for the output.
        window: whether the window can be seen; None without one.
        read_by: how many programs read the virtual camera; None where that is not known.
    """
    if window or resting is Resting.NEVER:
        return False
    if sink == "none":
        return window is False  # without window and output it runs to be measured
    if is_file(sink):
        return False  # a recording is seen later
    return read_by == 0 if read_by is not None else resting is Resting.HIDDEN and window is False


class IdleMonitor:
    """Watches who sees the picture, in a thread of its own (`run`). `window`, whether it can be seen, is set by whoever has one.

    Args:
        count: see `gpen_live.sinks.readers.readers`.
    """

    def __init__(self, session: Session, count: Callable[[str], int | None] = readers) -> None:
        self._session, self._count, self._clock = session, count, session.clock
        self.window: bool | None = None
        self._rests = False
        self._unseen_since: float | None = None

    @property
    def resting(self) -> bool:
        """Whether the network has nothing to do now."""
        return self._rests and not self.window

    def run(self) -> None:
        wait_s = _LATER_S
        try:
            while not self._session.stop.wait(wait_s):
                start = self._clock()
                self.look()
                wait_s = max(_SOON_S if self.resting else _LATER_S, _DEAR * (self._clock() - start))
        finally:  # who doesn't look doesn't know
            self._unseen_since, self._rests = None, False

    def _read_by(self, spec: str, part: str) -> int | None:
        device = device_in(self._session.board.read(part).label) if is_virtual_camera(spec) else None
        return None if device is None else self._count(device)

    def look(self) -> None:
        """Looks once. Resting begins after two seconds that nobody saw anything, and ends at once."""
        config = self._session.config
        matters = not self.window and config.rest is not Resting.NEVER
        unseen = matters and all(
            nobody_sees(config.rest, spec, self.window, self._read_by(spec, part))
            for spec, part in output_parts(config.sinks).items()
        )
        if not unseen:
            self._unseen_since, self._rests = None, False
            return
        if self._unseen_since is None:
            self._unseen_since = self._clock()
        self._rests = self._clock() - self._unseen_since >= _PATIENCE_S
