"""The sender thread: ticks at the output's own clock, sends the newest finished frame, or the last one again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from gpen_live.errors import GpenLiveError, SinkError, reason_of
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.live.capture import Capture
from gpen_live.live.config import FIRST_OUTPUT
from gpen_live.live.opening import Departures, Opening
from gpen_live.live.outlet import Inbox, Outgoing
from gpen_live.live.pacing.clock import PhaseLock, Ticker, now
from gpen_live.live.session import Session
from gpen_live.live.status.board import as_plain
from gpen_live.live.status.output import OutputStatus
from gpen_live.live.status.snapshot import Health
from gpen_live.live.worker import Worker
from gpen_live.media.fit import fit
from gpen_live.media.pixel_formats import convert
from gpen_live.messages import message
from gpen_live.sinks import is_file, is_virtual_camera
from gpen_live.sinks.base import Sink
from gpen_live.system.atomic import free_name

RETRY_S = 1.0
_WAIT_S = 0.02
_GRACE = 0.2  # share of a period that a tick waits for a frame: nobody sees it, and all frames are younger by about as much
_CLOSE_S = 5.0  # a recording has long finished by then; a hanging driver is left behind


@dataclass(frozen=True)
class _SinkRequest:
    """What must be opened anew when it changes. `attempt` counts the user's retries."""

    sink: str
    size: Size
    fps: float
    attempt: int


@dataclass(frozen=True)
class Shared:
    """What the senders of one run share.

    Args:
        open_sink: as the function of this name in `gpen_live.sinks`.
        opened: called when another sink is open.
        departures: what is being closed. recorded: the names of the files that were recorded to.
    """

    open_sink: Callable[..., Sink]
    opened: Callable[[], None]
    departures: Departures = field(default_factory=Departures)
    recorded: set[str] = field(default_factory=set)


class Sender:
    """Runs the sender thread. `done` is set once the worker is idle, its last frame was sent and the sink closed.

    A virtual camera that has worked and fails is tried again until it is back. `sent` and `repeated` count frames that the output
    took, `repeated` those that it had before.

    Args:
        capture: knows the size and frame rate of the output. worker: makes the frames.
        spec: the output's name; another one is taken up within a frame.
    """

    def __init__(self, session: Session, capture: Capture, worker: Worker, shared: Shared, spec: str) -> None:
        self._session, self._meters, self._stop = session, session.meters, session.stop
        self._capture, self._worker, self.spec = capture, worker, spec
        self._shared, self._departures = shared, shared.departures
        self.inbox = Inbox()
        self.status = OutputStatus(session.board, FIRST_OUTPUT)
        self.sent = self.repeated = 0
        self.done = threading.Event()
        self._ended = threading.Event()
        self._sink: Sink | None = None
        self._opened: _SinkRequest | None = None
        self._wanted: _SinkRequest | None = None
        self._opening: Opening[Sink] | None = None
        self._attempt = 0
        self._lost: str | None = None  # the virtual camera that worked and went away
        self._retry_at: float | None = None
        self._newest = -1
        self._all_sent = False
        self._ticker: Ticker | None = None
        self._lock = PhaseLock(1.0)
        self._last: Outgoing | None = None
        self._given_at = 0.0

    def retry(self) -> None:
        """Opens the sink anew."""
        self._attempt += 1

    def buffer(self, size: Size, pixel_format: PixelFormat) -> Array | None:
        """Where a frame may be made so that the open sink takes it without a copy; see `Sink.buffer`. For the engine's thread."""
        sink, opened = self._sink, self._opened
        if sink is None or opened is None or opened.size != size or sink.wants is not pixel_format:
            return None
        return sink.buffer()

    @property
    def wants(self) -> PixelFormat | None:
        """The pixel format that the open sink takes; None while there is none."""
        sink = self._sink
        return None if sink is None else sink.wants

    @property
    def _first(self) -> bool:
        """Whether this is the output that the meters are about."""
        return self._worker.finished.first is self.inbox

    def end(self) -> None:
        """Has `run` close the output and end."""
        self._ended.set()

    def gave_up(self, error: GpenLiveError) -> None:
        """Tells that `run` keeps failing."""
        self.status.fail(self.status.now.label, error)

    def run(self) -> None:
        while not (self._stop.is_set() or self._ended.is_set() or self._all_sent):
            size, fps = self._capture.output_size, self._capture.output_fps
            if size is None:
                self._all_sent = self._worker.idle.is_set() or self._stop.wait(_WAIT_S)
                continue
            self._follow_wishes(size, fps)
            self._tick(fps if self._recording is None else self._recording.fps)
        self._show_last_to_its_end()
        self.let_go()
        if self._ended.is_set():
            self._leave_out_what_waits()
        self._departures.wait(_CLOSE_S)  # a recording is whole once its closing is done
        self.done.set()

    def _leave_out_what_waits(self) -> None:
        while (item := self.inbox.take(0)) is not None:
            self._worker.finished.left_out(self.inbox, item)

    def let_go(self) -> None:
        """Closes what is open; `run` opens it again."""
        self._abandon()
        self._close()
        self._wanted = None

    def _tick(self, fps: float) -> None:
        if self._ticker is None or abs(self._ticker.period * fps - 1) > 1e-6:
            self._ticker = Ticker(fps)
            self._lock = PhaseLock(self._ticker.period, grace=_GRACE * self._ticker.period)
        if not self._ticker.wait(self._stop):
            return
        at = now()
        fresh = self._send_next(_GRACE * self._ticker.period)
        if fresh is not None:
            wait = (at - fresh.ready_at) % self._ticker.period  # without the whole periods of one that stood behind another
            self._ticker.shift(self._lock.advice(wait))

    def _send_next(self, grace: float) -> Outgoing | None:
        """Sends the newest finished frame, which it returns; else a raw one past a stuck engine, or the last one again.

        A frame that is nearly finished is waited for, `grace` seconds at most: ticks that came after nearly every frame would
        make all of them wait for the few that take longer.
        """
        idle = self._worker.idle.is_set()  # read before the slot: no frame comes after it
        item = self.inbox.take(0 if idle else grace)
        if item is not None and self._is_late(item):
            self._worker.finished.left_out(self.inbox, item)
            item = None
        raw = self._past_the_engine() if item is None and self._first and not idle else None
        if item is not None:
            self._send_new(item)
        elif raw is not None:
            self._send_new(raw)
        elif idle:
            self._all_sent = True
        elif self._last is not None:
            self._repeat(self._last)
        return item

    def _repeat(self, item: Outgoing) -> None:
        if self._give(item):
            self.repeated += 1
            if self._first:
                self._meters.repeated(now())

    def _is_late(self, item: Outgoing) -> bool:
        """A newer one is out, or the system has slept since."""
        return item.number <= self._newest or item.captured_at < self._session.sleep.ended_at()

    def _past_the_engine(self) -> Outgoing | None:
        try:
            raw = None if self._ticker is None else self._worker.bypass.next(self._ticker.period)
            if raw is None:
                return None
            if self._is_late(raw):
                self._meters.dropped()
                return None
            self._worker.finished.share(raw)
            return raw
        except Exception as error:  # as if there had been none
            self._meters.dropped()
            self._session.board.note(as_plain(error, message("live.raw_failed", reason=reason_of(error))).message)
            return None

    def _send_new(self, item: Outgoing) -> None:
        self._last, self._newest = item, item.number
        start = now()
        given = self._give(item)
        end = now()
        if item.counted_by is not self.inbox:
            if given and self._first:  # it was not when the frame was handed over: another output has counted it
                self._meters.repeated(end)
            return
        if not self._first:  # nor is it any longer
            self._meters.dropped()
            return
        if not given:
            self._meters.not_sent(end, item.times_ms, enhanced=item.enhanced)
            return
        item.times_ms["send"] = (end - start) * 1e3
        item.times_ms["end_to_end"] = (end - item.captured_at) * 1e3
        self._meters.sent(end, item.number, item.times_ms, enhanced=item.enhanced)

    def _give(self, item: Outgoing) -> bool:
        """Gives a frame to the sink; False, with the reason on the board, when there is no sink to take it."""
        if self._sink is None or self._opened is None:
            return False
        at = now()
        try:
            item = self._suited(item, self._opened.size, self._sink.wants)
            self._sink.send(item.pixels, at)
        except Exception as error:
            self._fail(self._sink, self._opened.sink, error)
            return False
        self._shared.recorded.add(self._opened.sink)
        self._last, self._given_at = item, at
        self.sent += 1
        return True

    def _fail(self, sink: Sink, spec: str, error: Exception) -> None:
        self._close()
        if not is_virtual_camera(spec):
            self.status.fail(sink.label, error)
            return
        plain = as_plain(error, message("live.failed", name=sink.label, reason=reason_of(error)))
        self.status.write(Health.WARNING, sink.label, message("live.output_lost", cause=plain.message))
        self._lost, self._retry_at = spec, now() + RETRY_S

    @staticmethod
    def _suited(item: Outgoing, size: Size, pixel_format: PixelFormat) -> Outgoing:
        """The frame as the open sink takes it, where it was finished for another one or another size."""
        if item.size == size and item.pixel_format is pixel_format:
            return item
        image = item.bgr()
        if item.size != size:
            image = fit(image, size)
        return replace(item, image=image, size=size, pixels=convert(image, pixel_format), pixel_format=pixel_format)

    def _follow_wishes(self, size: Size, fps: float) -> None:
        sink = self.spec
        if self._lost is not None and sink != self._lost:
            self._lost = self._retry_at = None
        if self._retry_at is not None and now() >= self._retry_at:
            self._retry_at = None
            self._attempt += 1
        wanted = _SinkRequest(sink, size, fps, self._attempt)
        if self._recording is not None and (wanted.sink, wanted.attempt) == (self._recording.sink, self._recording.attempt):
            wanted = self._recording  # a recording keeps its size and rate to its end
        if wanted != self._wanted:
            self._wanted = wanted
            self._start_opening(wanted)
        if self._opening is not None and self._opening.done:
            opening, self._opening = self._opening, None
            self._adopt(wanted, opening)

    @property
    def _recording(self) -> _SinkRequest | None:
        """The open sink, if it is a file."""
        return self._opened if self._opened is not None and is_file(self._opened.sink) else None

    def _start_opening(self, wanted: _SinkRequest) -> None:
        self._abandon()
        if self._opened is not None and wanted.sink == self._opened.sink:
            self._close()  # a virtual camera can't be opened twice
        if self._lost is None:
            self.status.write(Health.STARTING, wanted.sink)
        self._opening = Opening(wanted.sink, lambda: self._open(wanted), after=self._departures.of(wanted.sink))

    def _open(self, wanted: _SinkRequest) -> Sink:
        # What this run has recorded is not written over: the next recording gets a name of its own.
        again = is_file(wanted.sink) and wanted.sink in self._shared.recorded
        spec = str(free_name(Path(wanted.sink), first=2)) if again else wanted.sink
        return self._shared.open_sink(spec, size=wanted.size, fps=wanted.fps)

    def _adopt(self, wanted: _SinkRequest, opening: Opening[Sink]) -> None:
        self._close()
        if opening.opened is None and self._lost == wanted.sink:  # its note stays
            self._retry_at = now() + RETRY_S
            return
        self._lost = None
        if opening.opened is None:
            self.status.fail(wanted.sink, opening.error or SinkError("live.unopened", name=wanted.sink))
            return
        self._sink, self._opened = opening.opened, wanted
        if wanted.sink != "none":
            self._session.timers.hold()
        self._shared.opened()
        self.status.write(Health.OK if wanted.sink != "none" else Health.OFF, self._sink.label)

    def _abandon(self) -> None:
        """Nobody waits any longer for what is being opened: it is closed once it is open."""
        if self._opening is not None:
            opening, self._opening = self._opening, None
            self._departures.start(opening.spec, lambda: self._close_late(opening.wait()))

    def _close(self) -> None:
        if self._sink is not None and self._opened is not None:
            sink, spec = self._sink, self._opened.sink
            self._sink = self._opened = None
            if spec != "none":
                self._session.timers.give_back()
            # Finishing a recording takes longer than a tick.
            self._departures.start(spec, lambda: self._close_late(sink))

    def _close_late(self, sink: Sink | None) -> None:
        if sink is None:
            return
        try:
            sink.close()
        except Exception as error:
            plain = as_plain(error, message("live.failed", name=sink.label, reason=reason_of(error)))
            if self._sink is None and self._lost is None:
                self.status.fail(sink.label, plain)
            else:  # another one has taken over and is well
                self._session.board.note(plain.message)

    def _show_last_to_its_end(self) -> None:
        """A recording's last picture stays until now: the run may end right after the system has held it up."""
        recording, last = self._recording, self._last
        if recording is None or last is None:
            return
        if now() - self._given_at > 1.5 / recording.fps:
            self._repeat(last)
