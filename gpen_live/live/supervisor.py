"""The pipeline's threads: each is watched, so that none ends unseen."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.live.session import Session
from gpen_live.messages import Message, message

_CALM_S: Final = 60.0  # after so long without a failure, the one before counts no more
_LOOK_S: Final = 0.1
_log = logging.getLogger(__name__)


class SecondChance:
    """What has failed is tried once more; given up where it fails again within a minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed_at = -math.inf
        self.given_up = False

    def after(self, error: Exception, name: str) -> Message:
        """`name` has failed: says so, and what becomes of it."""
        _log.error("the %s failed", name, exc_info=error)
        before, self._failed_at = self._failed_at, self._clock()
        self.given_up = self._failed_at - before <= _CALM_S
        return message("live.switched_off" if self.given_up else "live.restarted", name=name, reason=reason_of(error))


class Supervisor:
    """Runs threads until the session stops.

    One that raises is noted on the board and started once more, with what it has open. If that does not help it is given up,
    which the board says, until `revive`.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._threads: list[_Supervised] = []

    def start(
        self,
        name: str,
        part: str,
        run: Callable[[], None],
        *,
        gave_up: Callable[[GpenLiveError], None] | None = None,
        instead: Callable[[Callable[[], bool]], None] | None = None,
    ) -> None:
        """Starts a thread.

        Args:
            name: for people, in "The ... thread failed". part: of the board, to which it belongs.
            run: its work; called again after it has raised.
            gave_up: told when it is given up; None: its part has failed.
            instead: what is done in its place once it is given up, until what it is given returns True.
        """

        def failed(error: GpenLiveError) -> None:
            self._session.board.fail(part, self._session.board.read(part).label, error)

        thread = _Supervised(self._session, name, part, run, gave_up or failed, instead)
        thread.start()
        self._threads = [each for each in self._threads if each.is_alive()]  # without those of outputs that are gone
        self._threads.append(thread)

    def revive(self, part: str) -> None:
        """Tries again what was given up of a part."""
        for thread in self._threads:
            if thread.part == part:
                thread.revived.set()

    def join(self, seconds: float) -> None:
        """Waits until all threads have ended, up to so many seconds in all."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.05, deadline - time.monotonic()))


class _Supervised(threading.Thread):
    def __init__(
        self,
        session: Session,
        name: str,
        part: str,
        run: Callable[[], None],
        gave_up: Callable[[GpenLiveError], None],
        instead: Callable[[Callable[[], bool]], None] | None,
    ) -> None:
        super().__init__(name=f"gpen-live-{name}", daemon=True)
        self.part, self.revived = part, threading.Event()
        self._session, self._what, self._work, self._gave_up, self._instead = session, f"{name} thread", run, gave_up, instead
        self._chance = SecondChance(session.clock)

    def run(self) -> None:
        while not self._session.stop.is_set():
            self.revived.clear()
            try:
                self._work()
                return
            except Exception as error:
                told = self._chance.after(error, self._what)
                if self._chance.given_up:
                    self._give_up(told)
                else:
                    self._session.board.note(told)

    def _give_up(self, told: Message) -> None:
        self._gave_up(GpenLiveError(told))
        try:
            if self._instead is not None:
                self._instead(self._over)
        except Exception:
            _log.exception("what is done in place of the %s failed too", self._what)
        while not self._over():
            self.revived.wait(_LOOK_S)
        self._chance = SecondChance(self._session.clock)

    def _over(self) -> bool:
        return self.revived.is_set() or self._session.stop.is_set()
