"""Meters: how long each stage takes and how often things happen, in bounded memory, written by the pipeline's threads."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from gpen_live.frame import STAGES, in_order
from gpen_live.live.status.snapshot import Counts, Quantiles, Rates

Samples = npt.NDArray[np.float64]

_KEPT = 1 << 16  # samples kept a stage: 36 minutes at 30 fps; 1 MB a stage with their times
_MOST_STAGES = 32
WINDOW_S = 2.0  # what the overlay shows


class Series:
    """The latest samples of one quantity with the time of each, in a ring; times never go back."""

    def __init__(self, kept: int = _KEPT) -> None:
        # Filled, not only asked for: else memory would seem to grow for the first half an hour.
        self._at = np.full(kept, 0.0)
        self._value = np.full(kept, 0.0)
        self._count = 0

    def add(self, at: float, value: float = 0.0) -> None:
        place = self._count % len(self._at)
        self._at[place], self._value[place] = at, value
        self._count += 1

    def times(self, since: float = -np.inf) -> Samples:
        """The times of the samples taken after `since`, oldest first."""
        at = self._unrolled(self._at)
        return at[np.searchsorted(at, since, side="right") :]

    def values(self, since: float = -np.inf) -> Samples:
        """The samples taken after `since`, oldest first."""
        start = np.searchsorted(self._unrolled(self._at), since, side="right")
        return self._unrolled(self._value)[start:]

    def _unrolled(self, ring: Samples) -> Samples:
        if self._count <= len(ring):
            return ring[: self._count]
        place = self._count % len(ring)
        return np.concatenate([ring[place:], ring[:place]])


def quantiles(values: Samples) -> Quantiles:
    """p50, p95, p99 and the largest of `values` (zeros when empty)."""
    if not len(values):
        return Quantiles()
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return Quantiles(float(p50), float(p95), float(p99), float(values.max()))


def rate(times: Samples) -> float:
    """Events per second from their times: 0 for fewer than two."""
    if len(times) < 2 or times[-1] <= times[0]:
        return 0.0
    return float((len(times) - 1) / (times[-1] - times[0]))


class Meters:
    """All meters of one run. Any thread may write and read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages = {stage: Series() for stage in STAGES}
        self._captured, self._enhanced, self._sent, self._fresh = Series(), Series(), Series(), Series()
        self._busy = Series()
        self._counts = dict.fromkeys(("captured", "enhanced", "sent", "dropped", "repeated", "raw", "out_of_order"), 0)
        self._faces = 0
        self._processed = 0
        self._last_number = -1
        self.first_sent_at: float | None = None

    def captured(self, at: float) -> None:
        with self._lock:
            self._counts["captured"] += 1
            self._captured.add(at)

    def processed(self, faces: int) -> None:
        """A frame left the engine with so many faces in it."""
        with self._lock:
            self._processed += 1
            self._faces += faces

    def busy(self, at: float, ms: float) -> None:
        """The device worked for `ms` milliseconds on the frame that left the engine at `at`."""
        with self._lock:
            self._busy.add(at, ms)

    def busy_share(self, since: float = -np.inf) -> float:
        """The share of the time, 0 to 1, for which the device worked: between the first frame's end and the last one's."""
        with self._lock:
            times, values = self._busy.times(since), self._busy.values(since)
        if len(times) < 2 or times[-1] <= times[0]:
            return 0.0
        return float(values[1:].sum()) * 1e-3 / float(times[-1] - times[0])

    def dropped(self, frames: int = 1) -> None:
        with self._lock:
            self._counts["dropped"] += frames

    def sent(self, at: float, number: int, times_ms: dict[str, float], *, enhanced: bool) -> None:
        """The sink took the frame `number` for the first time at `at`."""
        with self._lock:
            self._counts["sent"] += 1
            self._counts["enhanced" if enhanced else "raw"] += 1
            self._counts["out_of_order"] += number <= self._last_number
            self._last_number = number
            self._sent.add(at)
            self._fresh.add(at)
            if enhanced:
                self._enhanced.add(at)
            self._time(at, times_ms)
            if self.first_sent_at is None:
                self.first_sent_at = at

    def not_sent(self, at: float, times_ms: dict[str, float], *, enhanced: bool) -> None:
        """A finished frame found no sink: it is dropped, but how long its stages took and how often still holds."""
        with self._lock:
            self._counts["dropped"] += 1
            if enhanced:
                self._enhanced.add(at)
            self._time(at, times_ms)

    def _time(self, at: float, times_ms: dict[str, float]) -> None:
        for stage, value in times_ms.items():
            if stage not in self._stages and len(self._stages) < _MOST_STAGES:
                self._stages[stage] = Series()
            if stage in self._stages:
                self._stages[stage].add(at, value)

    def repeated(self, at: float) -> None:
        """The sink took the last frame once more."""
        with self._lock:
            self._counts["sent"] += 1
            self._counts["repeated"] += 1
            self._sent.add(at)

    def counts(self) -> Counts:
        with self._lock:
            return Counts(**self._counts)

    def faces_per_frame(self) -> float:
        with self._lock:
            return self._faces / self._processed if self._processed else 0.0

    def rates(self, since: float = -np.inf) -> Rates:
        with self._lock:
            series = (self._captured, self._enhanced, self._sent, self._fresh)
            return Rates(*(rate(one.times(since)) for one in series))

    def recent(self, stage: str, since: float) -> Quantiles:
        """Quantiles of one stage, over the samples after `since`."""
        with self._lock:
            series = self._stages.get(stage)
            return Quantiles() if series is None else quantiles(series.values(since))

    def within(self, budget_ms: float) -> float:
        """The share of the frames, 0 to 1, that were at the sink within so many milliseconds of their capture."""
        with self._lock:
            values = self._stages["end_to_end"].values()
        return float((values <= budget_ms).mean()) if len(values) else 1.0

    def stages(self, since: float = -np.inf) -> dict[str, Quantiles]:
        """Quantiles of each stage, in the order in which a frame meets them; one that did not run is left at zeros."""
        with self._lock:
            return {stage: quantiles(self._stages[stage].values(since)) for stage in in_order(self._stages)}
