"""The sender thread: ticks at the output's own clock, sends the newest finished frame, or the last one again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from gpen_live.engine.convert import convert
from gpen_live.frame import PixelFormat, Size
from gpen_live.live.board import Board
from gpen_live.live.clock import PhaseLock, Ticker, now
from gpen_live.live.config import LiveConfig
from gpen_live.live.meters import Meters
from gpen_live.live.slot import Slot
from gpen_live.live.status import Health
from gpen_live.live.worker import Outgoing
from gpen_live.sinks import open_sink
from gpen_live.sinks.base import Sink

_WAIT_S = 0.02
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Wanted:
    """What must be opened anew when it changes. `attempt` counts the user's retries."""

    sink: str
    size: Size
    fps: float
    attempt: int


class Sender:
    """Runs the sender thread. `done` is set once the worker is idle and its last frame was sent.

    Args:
        output: size and frame rate of the output, or None while they are not known yet.
        layout_wanted: told the layout that the open sink takes.
    """

    def __init__(
        self,
        config: Callable[[], LiveConfig],
        inbox: Slot[Outgoing],
        output: Callable[[], tuple[Size, float] | None],
        layout_wanted: Callable[[PixelFormat], None],
        meters: Meters,
        board: Board,
        stop: threading.Event,
        worker_idle: threading.Event,
    ) -> None:
        self._config, self._inbox, self._output, self._layout_wanted = config, inbox, output, layout_wanted
        self._meters, self._board, self._stop, self._worker_idle = meters, board, stop, worker_idle
        self.done = threading.Event()
        self._sink: Sink | None = None
        self._opened: _Wanted | None = None
        self._attempt = 0
        self._ticker: Ticker | None = None
        self._lock = PhaseLock(1.0)
        self._last: Outgoing | None = None

    def retry(self) -> None:
        """Opens the sink anew."""
        self._attempt += 1

    def run(self) -> None:
        try:
            while not self._stop.is_set() and not self.done.is_set():
                output = self._output()
                if output is None:
                    self.done.set() if self._worker_idle.is_set() else self._stop.wait(_WAIT_S)
                    continue
                size, fps = output
                self._follow_wishes(size, fps)
                if self._config().realtime:
                    self._tick(fps)
                else:
                    self._send_next(0.05)
        finally:
            self._close()
            self.done.set()

    def _tick(self, fps: float) -> None:
        if self._ticker is None or abs(self._ticker.period * fps - 1) > 1e-6:
            self._ticker = Ticker(fps)
            self._lock = PhaseLock(self._ticker.period)
        if not self._ticker.wait(self._stop):
            return
        at = now()
        fresh = self._send_next(0)
        if fresh is not None:
            self._ticker.shift(self._lock.advice(at - fresh.ready_at))

    def _send_next(self, timeout: float) -> Outgoing | None:
        """Sends the newest frame, which it returns, or the last one again."""
        idle = self._worker_idle.is_set()  # read before the slot: no frame comes after it
        item = self._inbox.take(0 if idle else timeout)
        if item is not None:
            self._send_new(item)
        elif idle:
            self.done.set()
        elif self._last is not None and self._config().realtime and self._give(self._last):
            self._meters.repeated(now())
        return item

    def _send_new(self, item: Outgoing) -> None:
        self._last = item
        start = now()
        if not self._give(item):
            self._meters.not_sent(now(), item.times_ms)
            return
        end = now()
        item.times_ms["send"] = (end - start) * 1e3
        item.times_ms["end_to_end"] = (end - item.captured_at) * 1e3
        self._meters.sent(end, item.number, item.times_ms, enhanced=item.enhanced)

    def _give(self, item: Outgoing) -> bool:
        """Gives a frame to the sink; False, with the reason on the board, when there is no sink to take it."""
        if self._sink is None or self._opened is None or Size.of(item.image) != self._opened.size:
            return False
        try:
            if item.layout is not self._sink.wants:  # finished before the sink changed
                item.pixels, item.layout = convert(item.image, self._sink.wants), self._sink.wants
            self._sink.send(item.pixels)
        except Exception as error:
            self._board.fail("sink", self._sink.label, error)
            self._close()
            return False
        return True

    def _follow_wishes(self, size: Size, fps: float) -> None:
        wanted = _Wanted(self._config().sink, size, fps, self._attempt)
        if wanted == self._opened:
            return
        self._close()
        self._opened = wanted
        self._board.write("sink", Health.STARTING, wanted.sink)
        try:
            self._sink = open_sink(wanted.sink, size=size, fps=fps)
        except Exception as error:
            self._board.fail("sink", wanted.sink, error)
            return
        self._layout_wanted(self._sink.wants)
        self._board.write("sink", Health.OK if wanted.sink != "none" else Health.OFF, self._sink.label)

    def _close(self) -> None:
        if self._sink is not None:
            sink, self._sink = self._sink, None
            try:
                sink.close()
            except Exception as error:
                self._board.fail("sink", sink.label, error)
