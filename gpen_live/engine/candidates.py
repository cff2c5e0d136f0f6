"""The ways in which a network can run on this processor, and how long each takes here."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import psutil

from gpen_live.nets.quantised import Quantised

if TYPE_CHECKING:
    import torch

    from gpen_live.engine.runtimes.vino import Precision

    Network = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    """Pictures and the ones before (None where there are none, or the network has no memory) to enhanced pictures."""

_WARM_UPS = 2
_LEAST_TIMED, _MOST_TIMED = 3, 9
_MOST_THREADS = 8
_CLEARLY = 0.9
_FARTHEST = 4.0
"""Levels of 0..255 by which a picture may differ on average from PyTorch's in float32; 8 bits differ by about 1."""


@dataclass(frozen=True)
class Candidate:
    """One way to run a network, and the median milliseconds of one crop."""

    runtime: Literal["PyTorch", "OpenVINO"]
    precision: str
    threads: int
    ms: float
    chosen: bool = False


@dataclass(frozen=True)
class Way:
    """A candidate not yet measured. `make` prepares its network, for so many threads; RuntimeError where it can't run here."""

    runtime: Literal["PyTorch", "OpenVINO"]
    precision: str
    make: Callable[[int], Network]


def torch_network(network: torch.nn.Module, *, memory: bool) -> Network:
    """The network as PyTorch calls it."""

    def run(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
        out: torch.Tensor = network(pictures, previous) if memory else network(pictures)
        return out

    return run


def ways(network: torch.nn.Module, size: int, quantised: Quantised | None, *, memory: bool, notes: list[str]) -> list[Way]:
    """All ways to run `network` on this processor, the most exact first; what is missing is told in `notes`.

    Args:
        network: on the CPU, in float32.
        size: of its crops in pixels.
        quantised: the same network in 8 bits, if there is one.
    """
    import torch

    from gpen_live.nets.lite import Lite

    found = [Way("PyTorch", "fp32", lambda _: torch_network(network, memory=memory))]
    if not isinstance(network, Lite):
        return found
    bf16 = _cpu_has_bf16()
    if bf16:
        half = copy.deepcopy(network).to(torch.bfloat16)
        found.append(Way("PyTorch", "bf16", lambda _: torch_network(half, memory=memory)))
    from gpen_live.engine.runtimes.vino import RuntimeMissingError, VinoNetwork, library

    try:
        library()
    except RuntimeMissingError as error:
        notes.append(str(error))
        return found

    def vino(precision: Precision, threads: int) -> Network:
        eight = quantised if precision == "int8" else None
        return VinoNetwork(
            network if eight is None else eight.network,
            precision,
            size=size,
            threads=threads,
            most_threads=most_threads(),
            ranges=None if eight is None else eight.ranges,
        )

    found.insert(1, Way("OpenVINO", "fp32", lambda threads: vino("fp32", threads)))
    if bf16:
        found.append(Way("OpenVINO", "bf16", lambda threads: vino("bf16", threads)))
    if quantised is not None:
        found.append(Way("OpenVINO", "int8", lambda threads: vino("int8", threads)))
    return found


class Contest:
    """Measures ways one after the other and keeps the fastest network that is good enough."""

    def __init__(self, size: int, *, memory: bool, budget_s: float, notes: list[str]) -> None:
        self._memory = memory
        self._budget_s = budget_s
        self._notes = notes
        self._crop = sample_crop(size)
        self._truth: torch.Tensor | None = None
        self._runs: list[tuple[Candidate, Network]] = []

    def enter(self, way: Way, threads: int) -> None:
        """Measures one way. It is left out where it does not run here or gives another picture than the first one."""
        import torch

        torch.set_num_threads(threads)
        try:
            network = way.make(threads)
            picture = network(self._crop, self._crop if self._memory else None).float()
            if self._truth is None:
                self._truth = picture.clone()
            error = float((picture - self._truth).abs().mean()) * 127.5
            ms = self._time(network)
        except RuntimeError as error_:
            self._notes.append(
                f"{way.runtime} in {way.precision} fails on this processor ({(str(error_).splitlines() or ['?'])[0]})."
            )
            return
        if not error < _FARTHEST:
            self._notes.append(f"{way.runtime} in {way.precision} gives wrong pictures on this processor; it is not used.")
            return
        self._runs.append((Candidate(way.runtime, way.precision, threads, ms), network))

    def _time(self, network: Network) -> float:
        """Median milliseconds of one crop, after a warm-up."""
        taken: list[float] = []
        end = time.perf_counter() + self._budget_s
        least, most = _WARM_UPS + _LEAST_TIMED, _WARM_UPS + _MOST_TIMED
        while len(taken) < least or (len(taken) < most and time.perf_counter() < end):
            start = time.perf_counter()
            network(self._crop, self._crop if self._memory else None)
            taken.append((time.perf_counter() - start) * 1e3)
        return round(statistics.median(taken[_WARM_UPS:]), 3)

    def best(self, precision: str | None = None) -> tuple[list[Candidate], Network]:
        """All candidates, the chosen one marked, and its network; only those in `precision` may win, if any of them runs.

        Raises:
            RuntimeError: none runs.
        """
        allowed = [i for i, (one, _) in enumerate(self._runs) if one.precision == precision] or range(len(self._runs))
        winner: int | None = None
        for i in allowed:
            # The more exact and fewer threads come first, and stay unless clearly beaten.
            if winner is None or self._runs[i][0].ms < _CLEARLY * self._runs[winner][0].ms:
                winner = i
        if winner is None:
            raise RuntimeError(" ".join(self._notes) or "there is no way to run it")
        return [replace(one, chosen=i == winner) for i, (one, _) in enumerate(self._runs)], self._runs[winner][1]


def sample_crop(size: int) -> torch.Tensor:
    """A crop as smooth as a face with a little noise, 1 x 3 x size x size in [-1, 1]; always the same."""
    import torch

    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8, generator=generator) * 1.6 - 0.8
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
    return (smooth + 0.05 * torch.randn(1, 3, size, size, generator=generator)).clamp(-1, 1)


def thread_counts() -> Iterator[int]:
    """The numbers of threads worth a try: one, which leaves the other cores to the streamer's game, and most."""
    yield from sorted({1, most_threads()})


def most_threads() -> int:
    """As many as there are cores, within reason."""
    return min(_MOST_THREADS, psutil.cpu_count(logical=False) or 1)


def _cpu_has_bf16() -> bool:
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
