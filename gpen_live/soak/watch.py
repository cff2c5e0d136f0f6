"""What the soak sees of the frames, by itself and from outside: a number on each at the source, read again at the sink."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from gpen_live.frame import Array, Image
from gpen_live.live.pacing.clock import now
from gpen_live.live.status.meters import quantiles
from gpen_live.live.status.snapshot import Quantiles
from gpen_live.soak import stamp

_REMEMBERED = 4096  # frames whose time of capture is known: far more than can be under way
_BLACK = 6.0  # mean brightness, 0 to 255
_GRID = 24  # pixels between those that are looked at


@dataclass
class Span:
    """From the first to the last of some moments, in seconds."""

    first: float | None = None
    last: float = 0.0

    def add(self, at: float) -> None:
        self.first = at if self.first is None else self.first
        self.last = at

    def slip_ms(self, fps: float) -> float:
        """How much later the last one came than a clock of `fps` ticks, counted from the first; half a tick at most."""
        ticks = 0.0 if self.first is None else (self.last - self.first) * fps
        return (ticks - round(ticks)) / fps * 1e3


@dataclass
class Seen:
    """What went by since the last look. `pause_s`, `still_s`: the longest time without a frame, and without a new one.

    Both leave out what a fault excuses: see `Watch.excuse`. `capture`, `output`: the times of their first and last frame.
    """

    captured: int = 0
    sent: int = 0
    fresh: int = 0
    pause_s: float = 0.0
    still_s: float = 0.0
    capture: Span = field(default_factory=Span)
    output: Span = field(default_factory=Span)


class Watch:
    """Counts at source and sink. `backwards` counts frames older than one before them, `unreadable` those without a number.

    Bounded: an hour takes no more memory than a minute.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times = np.zeros(_REMEMBERED)
        self._number = 0
        self._last = -1
        self._seen = Seen()
        self._latencies: list[float] = []
        self._sent_at: float | None = None
        self._fresh_at: float | None = None
        self._pause_excused = self._still_excused = self._disturbed = False
        self.backwards = 0
        self.unreadable = 0
        self.black = 0
        self.first_sent_at: float | None = None
        self.newest_captured_at = 0.0
        """When the newest frame at the sink was captured."""

    def captured(self, image: Image, at: float) -> None:
        """A frame came from the source `at` this moment: gives it its number."""
        with self._lock:
            number, self._number = self._number, self._number + 1
            self._times[number % _REMEMBERED] = at
            self._seen.captured += 1
            self._seen.capture.add(at)
        stamp.write(image, number)

    def sent(self, brightness: Array, at: float) -> None:
        """The sink took a frame `at` this moment, of this brightness: H x W, 0 to 255."""
        number = stamp.read(brightness)
        dark = float(brightness[::_GRID, ::_GRID].mean()) < _BLACK
        with self._lock:
            self._pass(at)
            self._seen.sent += 1
            self._seen.output.add(at)
            self._sent_at = at
            if self.first_sent_at is None:
                self.first_sent_at = self._fresh_at = at
            self.black += dark
            if number is None:
                self.unreadable += 1
            elif number > self._last:
                self._last = number
                self._fresh(number, at)
            else:
                self.backwards += number < self._last

    def _fresh(self, number: int, at: float) -> None:
        self._seen.fresh += 1
        self._fresh_at = at
        self.newest_captured_at = float(self._times[number % _REMEMBERED])
        if not self._disturbed:
            self._latencies.append((at - self.newest_captured_at) * 1e3)

    def _pass(self, at: float) -> None:
        """How long the viewer has been waiting, at most, until `at`."""
        if self._sent_at is not None and not self._pause_excused:
            self._seen.pause_s = max(self._seen.pause_s, at - self._sent_at)
        if self._fresh_at is not None and not self._still_excused:
            self._seen.still_s = max(self._seen.still_s, at - self._fresh_at)

    def excuse(self, *, disturbed: bool, pause: bool = False, still: bool = False) -> None:
        """From now on latencies don't count (`disturbed`), and the output may pause, or show the last frame again."""
        with self._lock:
            self._pass(now())
            self._disturbed, self._pause_excused, self._still_excused = disturbed, pause, still

    def look(self) -> Seen:
        """What went by since the last look."""
        with self._lock:
            self._pass(now())
            seen, self._seen = self._seen, Seen()
            return seen

    def latencies(self) -> tuple[int, Quantiles]:
        """How many frames came through undisturbed since this was last asked for, and their milliseconds from source to sink."""
        with self._lock:
            values, self._latencies = self._latencies, []
        return len(values), quantiles(np.array(values))
