"""A face network on the processor: NumPy in and out, in the fastest way that is good enough on this very machine.

PyTorch is imported only where it is what runs the network.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np

from gpen_live.errors import reason_of
from gpen_live.inference import measurements as store
from gpen_live.inference.autotune_cpu import (
    SLOW_S,
    Candidate,
    Contest,
    HostNetwork,
    Pictures,
    Way,
    most_threads,
    sample_crop,
    thread_counts,
)
from gpen_live.inference.device import CPU, cpu_name
from gpen_live.inference.enhancer import NetworkError
from gpen_live.messages import Message
from gpen_live.models.registry import ModelSpec

_HASTY_S, _PATIENT_S = 0.07, 0.5
"""Seconds for the timing of one candidate."""
_SEEN_SIDE = 8
_SAME: Final = 0.5
"""Levels of 0..255 by which the sample's picture, in cells of 1/8 of its side, may differ from the one that was measured."""
_CALMER: Final = 0.5
"""A call in less than this share of the time that was measured: the machine was busy then."""


class HostEnhancer:
    """Turns face crops into enhanced ones.

    One thread calls it. `size` is the side of its crops in pixels, `template` where a face lies in them, `stride` what the
    sides of a whole frame must be multiples of (None: it takes squares of `size` alone), `memory` whether it also looks at its
    last pictures. `runtime` is what it runs in ("OpenVINO", "PyTorch"), `precision` the arithmetic ("fp32", "bf16", "int8"),
    `threads` how many it computes a crop with, `candidates` what was measured to choose them, `warm_up_s` how many seconds that
    took, and `notes` are messages for the user about what could not be used.

    Args:
        ways: how it can run, the most exact first; before `warm_up` the first one is used. Let go of once one is chosen.
        in_pytorch: gives more ways, which are asked for only where none of `ways` runs, or all are to be measured.
    """

    def __init__(
        self,
        spec: ModelSpec,
        ways: Sequence[Way],
        *,
        stride: int | None = None,
        memory: bool = False,
        in_pytorch: Callable[[], Sequence[Way]] = tuple,
    ) -> None:
        self.spec = spec
        self.device = CPU
        self.size, self.template = spec.size, spec.architecture.template
        self.stride = stride
        self.memory = memory
        self.runtime: str = ways[0].runtime if ways else "PyTorch"
        self.precision = ways[0].precision if ways else "fp32"
        self.threads: int | None = None
        self.candidates: list[Candidate] = []
        self.notes: list[Message] = []
        self.warm_up_s = 0.0
        self._ways, self._in_pytorch = tuple(ways), in_pytorch
        self._network: HostNetwork | None = None

    def warm_up(self, *, thorough: bool = False, fingerprint: str = "") -> None:
        """Finds the way to run: runtime, precision (bf16, for light networks 8 bits too) and number of threads.

        Having the instructions or the cores is no proof that they are faster. Small networks are often fastest on one thread,
        which also leaves the others to the streamer's game. What was measured is in `candidates`.

        Args:
            thorough: measure every candidate with every number of threads, for as long as it takes; else only the fastest of
                one thread is tried with more of them, so that a light network is ready in about a second, and GPEN gets all.
            fingerprint: tells the weights from others', so that a winner found while the machine had nothing else to do is
                remembered: the next start takes it at once and proves it with a call. Empty: nothing is remembered.

        Raises:
            NetworkError: it runs in no way.
        """
        if self.candidates:  # chosen already
            return
        start = time.perf_counter()
        key = _key(fingerprint) if fingerprint and not thorough else ""
        if not (key and self._take_remembered(store.recall(key))):
            contest = self._take_fastest(thorough)
            if key and contest.steady and not self.notes:  # what went wrong is tried again, and told again
                assert contest.picture is not None
                store.remember(key, _to_remember(self.candidates, contest.picture))
        self._ways, self._in_pytorch = (), tuple
        self.use_threads()
        self.warm_up_s = time.perf_counter() - start

    def _take_fastest(self, thorough: bool) -> Contest:
        """Takes the winner of all ways, as they were measured now."""
        budget_s = _PATIENT_S if thorough or len(self._ways) == 1 else _HASTY_S
        contest = Contest(
            self.size,
            memory=self.memory,
            budget_s=budget_s,
            notes=self.notes,
            wanted="int8" if self.spec.float_model is not None else None,  # who asks for 8 bits gets them, where they run
            tolerance=self.spec.architecture.tolerance,
        )
        # One thread has no chance with a large network, and would take seconds to show it.
        first, *more = thread_counts() if thorough or not self.spec.architecture.heavy else (most_threads(),)
        try:
            self._enter(contest, self._ways, (first, *more) if thorough else (first,))
            if thorough or not contest.runs:
                self._enter(contest, self._in_pytorch(), (first, *more) if thorough else (first,))
            if not thorough:
                ahead = contest.leading_way
                for threads in more:
                    contest.enter(ahead, threads)
            self.candidates, self._network = contest.best()
        except RuntimeError as error:
            raise NetworkError("network.failed", name=self.spec.name, reason=reason_of(error)) from error
        self._take(next(one for one in self.candidates if one.chosen))
        return contest

    @staticmethod
    def _enter(contest: Contest, ways: Sequence[Way], counts: Sequence[int]) -> None:
        for way in ways:
            for threads in counts:
                contest.enter(way, threads)

    def _take(self, chosen: Candidate) -> None:
        self.runtime, self.precision, self.threads = chosen.runtime, chosen.precision, chosen.threads

    def _take_remembered(self, remembered: object) -> bool:
        """Whether the way that won earlier could be taken: it runs, gives the same picture, and was not measured in a hurry."""
        candidates, seen = _read(remembered)
        chosen = next((one for one in candidates if one.chosen), None)
        if chosen is None or chosen.threads is None:
            return False
        kind = chosen.runtime, chosen.precision
        way = next((one for one in self._ways if (one.runtime, one.precision) == kind), None)
        if way is None:
            return False
        crop = sample_crop(self.size)
        before = crop if self.memory else None
        try:
            network = way.make(chosen.threads)
            now, ms = _timed(lambda: network(crop, before))
            if ms < SLOW_S * 1e3:
                _, ms = _timed(lambda: network(crop, before))  # at speed
        except RuntimeError:
            return False
        if not np.abs(_cells(now) - seen).max() < _SAME or ms < _CALMER * chosen.ms:
            return False
        self.candidates, self._network = candidates, network
        self._take(chosen)
        return True

    def use_threads(self, *, whole_frame: bool = False) -> None:
        """Sets PyTorch's number of threads, which belongs to the calling thread, to what suits a crop, or a whole frame.

        OpenVINO has threads of its own, and knows by a picture's shape how many to use.
        """
        if self.runtime == "PyTorch":
            import torch

            torch.set_num_threads(most_threads() if whole_frame or self.threads is None else self.threads)

    def surround(self, around: Callable[[HostNetwork], HostNetwork]) -> None:
        """Puts what `around` makes of the network in its place: for those who watch or disturb it, before its first use."""
        self._network = around(self._made())

    def __call__(self, pictures: Pictures, previous: Pictures | None = None) -> Pictures:
        """The enhanced pictures: N x 3 x H x W, float32 RGB in [-1, 1], as `pictures`.

        `previous`: what came out for the frame before, for networks with a memory; None: there is none.

        Raises:
            NetworkError: the network failed, or its pictures are of another shape or not finite.
        """
        try:
            out = self._made()(pictures, previous if self.memory else None)
        except RuntimeError as error:
            raise NetworkError("network.failed", name=self.spec.name, reason=reason_of(error)) from error
        if out.shape != pictures.shape:
            raise NetworkError("network.shape", name=self.spec.name, shape=out.shape)
        if not (np.isfinite(out.min()) and np.isfinite(out.max())):
            raise NetworkError("network.not_finite", name=self.spec.name)
        return out.clip(-1, 1)

    def _made(self) -> HostNetwork:
        if self._network is None:
            self._network = (self._ways or self._in_pytorch())[0].make(most_threads())
        return self._network


def _key(fingerprint: str) -> str:
    """Under which the winner is remembered: other weights, another processor or another OpenVINO are measured again."""
    try:
        version = importlib.metadata.version("openvino")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    return " | ".join(("processor", fingerprint, cpu_name(), f"{most_threads()} cores", f"openvino {version}"))


def _timed(work: Callable[[], Pictures]) -> tuple[Pictures, float]:
    """What the work gives, and the milliseconds that it takes."""
    start = time.perf_counter()
    done = work()
    return done, (time.perf_counter() - start) * 1e3


def _cells(pictures: Pictures) -> Pictures:
    """What a picture shows, coarsely: the mean of each of 8 x 8 cells and each colour, in levels of 0..255."""
    planes = np.ascontiguousarray(pictures[0].clip(-1, 1).transpose(1, 2, 0))
    cells = cv2.resize(planes, (_SEEN_SIDE, _SEEN_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float32).ravel() * 127.5


def _to_remember(candidates: Sequence[Candidate], picture: Pictures) -> dict[str, object]:
    rows = [[c.runtime, c.precision, c.threads, c.ms, c.chosen, c.error_mean, c.error_max] for c in candidates]
    return {"candidates": rows, "seen": [round(float(level), 2) for level in _cells(picture)]}


def _read(remembered: object) -> tuple[list[Candidate], Pictures]:
    """What `HostEnhancer` remembered; nothing where the file holds something else, as anything may have written to it."""
    nothing: tuple[list[Candidate], Pictures] = ([], np.full(3 * _SEEN_SIDE**2, np.nan, np.float32))
    if not isinstance(remembered, Mapping):
        return nothing
    rows, seen = remembered.get("candidates"), remembered.get("seen")
    if not isinstance(rows, list) or not isinstance(seen, list) or len(seen) != 3 * _SEEN_SIDE**2:
        return nothing
    if not all(map(_is_number, seen)) or not all(map(_is_candidate, rows)):
        return nothing
    return [Candidate(*row) for row in rows], np.array(seen, np.float32)


def _is_candidate(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != 7:
        return False
    runtime, precision, threads, ms, chosen, error_mean, error_max = row
    whole = isinstance(threads, int) and not isinstance(threads, bool) and 0 < threads <= most_threads()
    words = isinstance(runtime, str) and isinstance(precision, str)
    return words and whole and isinstance(chosen, bool) and all(map(_is_number, (ms, error_mean, error_max)))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
