"""The ways in which a network can run on this processor, and how long each takes here. In NumPy; PyTorch is one of the ways."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import psutil

from gpen_live.errors import reason_of
from gpen_live.messages import Message, message
from gpen_live.models.architectures import LIGHT, Tolerance

Pictures = npt.NDArray[np.float32]
"""N x 3 x H x W, RGB, about [-1, 1]."""

HostNetwork = Callable[[Pictures, "Pictures | None"], Pictures]
"""Pictures and the ones before (None where there are none, or the network has no memory) to enhanced pictures, not clamped.

RuntimeError where it fails.
"""

_WARM_UPS = 2
_LEAST_TIMED, _MOST_TIMED = 3, 9
_MOST_THREADS = 8
CLEARLY = 0.9
"""A less exact way takes the place of another one only below this share of its time: less is noise."""
STEADY = 1.3
"""The median of a way's timings over its best one: above, other programs had a hand in them."""
SLOW_S = 0.5
"""A call that takes longer is not repeated: it was measured well enough."""


@dataclass(frozen=True)
class Candidate:
    """One way to run a network, and the median milliseconds of one crop.

    `threads`: of the processor; None on other devices. Errors are the picture's distance from float32's, in levels of 0..255.
    """

    runtime: str
    precision: str
    threads: int | None
    ms: float
    chosen: bool = False
    error_mean: float = 0.0
    error_max: float = 0.0


@dataclass(frozen=True)
class Way:
    """A candidate not yet measured. `make` prepares its network, for so many threads; RuntimeError where it can't run here."""

    runtime: Literal["PyTorch", "OpenVINO"]
    precision: str
    make: Callable[[int], HostNetwork]


class Contest:
    """Measures ways one after the other and finds the fastest that is good enough. Holds one network at a time: some are large.

    `picture` is what the best way so far makes of `sample_crop`, if any runs. `steady` is False once a way's timings were so far
    apart that the machine must have been busy with something else.

    Args:
        size: of a crop in pixels.
        memory: whether the network gets its last picture too.
        budget_s: seconds for the timing of one way.
        notes: gets a message about each way that can't be used.
        wanted: only ways in this precision may win, if any of them runs.
        tolerance: how far a way's picture may be from the first one's.
    """

    def __init__(
        self,
        size: int,
        *,
        memory: bool,
        budget_s: float,
        notes: list[Message],
        wanted: str | None = None,
        tolerance: Tolerance = LIGHT,
    ) -> None:
        self._memory = memory
        self._budget_s = budget_s
        self._notes = notes
        self._wanted = wanted
        self._tolerance = tolerance
        self._crop = sample_crop(size)
        self._truth: Pictures | None = None
        self._candidates: list[Candidate] = []
        self._leader: tuple[int, Way] | None = None
        self._made: HostNetwork | None = None
        self.picture: Pictures | None = None
        self.steady = True

    def enter(self, way: Way, threads: int) -> None:
        """Measures one way. It is left out where it does not run here or gives another picture than the first one."""
        self._made = None
        try:
            network = way.make(threads)
            start = time.perf_counter()
            picture = network(self._crop, self._crop if self._memory else None).clip(-1, 1)
            first_s = time.perf_counter() - start
            if self._truth is None:
                self._truth = picture
            error = np.abs(picture - self._truth) * 127.5
            near = float(error.mean()) < self._tolerance.mean and float(error.max()) < self._tolerance.most
            ms = self._time(network) if near and first_s < SLOW_S else round(first_s * 1e3, 3)
        except RuntimeError as error_:
            self._notes.append(
                message("network.fails_on_processor", runtime=way.runtime, precision=way.precision, reason=reason_of(error_))
            )
            return
        if not near:
            self._notes.append(message("network.other_pictures", runtime=way.runtime, precision=way.precision))
            return
        errors = round(float(error.mean()), 4), round(float(error.max()), 3)
        candidate = Candidate(way.runtime, way.precision, threads, ms, error_mean=errors[0], error_max=errors[1])
        if self._leader is None or self._beats(candidate, self._candidates[self._leader[0]]):
            self._leader = (len(self._candidates), way)
            self._made, self.picture = network, picture
        self._candidates.append(candidate)

    def _beats(self, new: Candidate, old: Candidate) -> bool:
        """The more exact and fewer threads come first, and stay unless clearly beaten."""
        if (new.precision == self._wanted) != (old.precision == self._wanted):
            return new.precision == self._wanted
        return new.ms < CLEARLY * old.ms

    def _time(self, network: HostNetwork) -> float:
        """Median milliseconds of one crop, after a warm-up."""
        taken: list[float] = []
        end = time.perf_counter() + self._budget_s
        least, most = _WARM_UPS + _LEAST_TIMED, _WARM_UPS + _MOST_TIMED
        while len(taken) < least or (len(taken) < most and time.perf_counter() < end):
            start = time.perf_counter()
            network(self._crop, self._crop if self._memory else None)
            taken.append((time.perf_counter() - start) * 1e3)
        timed = taken[_WARM_UPS:]
        middle = statistics.median(timed)
        self.steady = self.steady and middle < STEADY * min(timed)
        return round(middle, 3)

    @property
    def runs(self) -> bool:
        """Whether any way runs so far."""
        return self._leader is not None

    @property
    def leading_way(self) -> Way:
        """The best way so far.

        Raises:
            RuntimeError: none runs.
        """
        return self._ahead()[1]

    def _ahead(self) -> tuple[int, Way]:
        if self._leader is None:
            raise RuntimeError(" ".join(note.what for note in self._notes) or "there is no way to run it")
        return self._leader

    def best(self) -> tuple[list[Candidate], HostNetwork]:
        """All candidates, the chosen one marked, and its network: the one that was measured, or made anew.

        Raises:
            RuntimeError: none runs.
        """
        chosen, way = self._ahead()
        threads = self._candidates[chosen].threads
        assert threads is not None
        network = self._made if self._made is not None else way.make(threads)
        return [replace(one, chosen=i == chosen) for i, one in enumerate(self._candidates)], network


def sample_crop(size: int) -> Pictures:
    """A crop as smooth as a face with a little noise, 1 x 3 x size x size in [-1, 1]; always the same."""
    random = np.random.default_rng(0)
    coarse = random.uniform(-0.8, 0.8, (8, 8, 3)).astype(np.float32)
    smooth = np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    noisy = smooth + 0.05 * random.standard_normal((size, size, 3), np.float32)
    return np.ascontiguousarray(noisy.clip(-1, 1).transpose(2, 0, 1)[None])


def thread_counts() -> Iterator[int]:
    """The numbers of threads worth a try: one, which leaves the other cores to the streamer's game, and most."""
    yield from sorted({1, most_threads()})


def most_threads() -> int:
    """As many as there are cores, within reason."""
    return min(_MOST_THREADS, psutil.cpu_count(logical=False) or 1)
