"""The ways in which a network can run on this processor, and how long each takes here."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import psutil

from gpen_live.nets.quantised import Quantised

if TYPE_CHECKING:
    import torch

    from gpen_live.inference.openvino.network import Precision
    from gpen_live.nets.gpen import Gpen

    Network = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    """Pictures and the ones before (None where there are none, or the network has no memory) to enhanced pictures."""

_WARM_UPS = 2
_LEAST_TIMED, _MOST_TIMED = 3, 9
_MOST_THREADS = 8
CLEARLY = 0.9
"""A less exact way takes the place of another one only below this share of its time: less is noise."""
_SLOW_S = 0.5
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
class Tolerance:
    """How far a picture may be from PyTorch's in float32, in levels of 0..255: on average, and in any one value."""

    mean: float
    most: float


LIGHT: Final = Tolerance(mean=4.0, most=64.0)
"""A light network's 8 bits differ by about 1, by 6 somewhere; what is wrong differs by tens."""

STRICT: Final = Tolerance(mean=0.5, most=8.0)
"""Nobody sees such a difference. For networks that were not trained to be rounded."""


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

    from gpen_live.nets.gpen import Gpen
    from gpen_live.nets.torch_graph import Residual
    from gpen_live.nets.torch_graph import network as as_network

    found = [Way("PyTorch", "fp32", lambda _: torch_network(network, memory=memory))]
    if isinstance(network, Gpen):
        return found + _ways_of_gpen(network, notes)
    if not isinstance(network, Residual):
        return found
    bf16 = _cpu_has_bf16()
    if bf16:
        half = copy.deepcopy(network).to(torch.bfloat16)
        found.append(Way("PyTorch", "bf16", lambda _: torch_network(half, memory=memory)))
    from gpen_live.inference.openvino.network import OpenVinoNetwork, RuntimeMissingError, library

    try:
        library()
    except RuntimeMissingError as error:
        notes.append(str(error))
        return found

    def vino(precision: Precision, threads: int) -> Network:
        eight = quantised if precision == "int8" else None
        run = OpenVinoNetwork(
            as_network(network) if eight is None else eight.network,
            precision,
            size=size,
            threads=threads,
            most_threads=most_threads(),
            ranges=None if eight is None else eight.ranges,
        )
        return lambda x, before: torch.from_numpy(run(x.numpy(), None if before is None else before.numpy()))

    found.insert(1, Way("OpenVINO", "fp32", lambda threads: vino("fp32", threads)))
    if bf16:
        found.append(Way("OpenVINO", "bf16", lambda threads: vino("bf16", threads)))
    if quantised is not None:
        found.append(Way("OpenVINO", "int8", lambda threads: vino("int8", threads)))
    return found


def _ways_of_gpen(network: Gpen, notes: list[str]) -> list[Way]:
    """Beside PyTorch in fp32. Each makes its copy of the weights when its turn comes, and not before: they are large."""
    import torch

    from gpen_live.inference.openvino.gpen import OpenVinoGpen
    from gpen_live.inference.openvino.network import RuntimeMissingError, library

    bf16 = _cpu_has_bf16()
    try:
        library()
    except RuntimeMissingError as error:
        notes.append(str(error))
        half = Way("PyTorch", "bf16", lambda _: torch_network(copy.deepcopy(network).to(torch.bfloat16), memory=False))
        return [half] if bf16 else []
    found = [Way("OpenVINO", "fp32", lambda threads: OpenVinoGpen(network, "fp32", threads=threads))]
    if bf16:
        found.append(Way("OpenVINO", "bf16", lambda threads: OpenVinoGpen(network, "bf16", threads=threads)))
    return found


class Contest:
    """Measures ways one after the other and finds the fastest that is good enough. Holds one network at a time: some are large.

    Args:
        size: of a crop in pixels.
        memory: whether the network gets its last picture too.
        budget_s: seconds for the timing of one way.
        notes: gets a sentence about each way that can't be used.
        wanted: only ways in this precision may win, if any of them runs.
        tolerance: how far a way's picture may be from the first one's.
    """

    def __init__(
        self,
        size: int,
        *,
        memory: bool,
        budget_s: float,
        notes: list[str],
        wanted: str | None = None,
        tolerance: Tolerance = LIGHT,
    ) -> None:
        self._memory = memory
        self._budget_s = budget_s
        self._notes = notes
        self._wanted = wanted
        self._tolerance = tolerance
        self._crop = sample_crop(size)
        self._truth: torch.Tensor | None = None
        self._candidates: list[Candidate] = []
        self._leader: tuple[int, Way] | None = None
        self._made: Network | None = None

    def enter(self, way: Way, threads: int) -> None:
        """Measures one way. It is left out where it does not run here or gives another picture than the first one."""
        import torch

        torch.set_num_threads(threads)
        self._made = None
        try:
            network = way.make(threads or 1)
            start = time.perf_counter()
            picture = network(self._crop, self._crop if self._memory else None).float().clamp(-1, 1)
            first_s = time.perf_counter() - start
            if self._truth is None:
                self._truth = picture
            error = (picture - self._truth).abs() * 127.5
            near = float(error.mean()) < self._tolerance.mean and float(error.max()) < self._tolerance.most
            ms = self._time(network) if near and first_s < _SLOW_S else round(first_s * 1e3, 3)
        except RuntimeError as error_:
            self._notes.append(
                f"{way.runtime} in {way.precision} fails on this processor ({(str(error_).splitlines() or ['?'])[0]})."
            )
            return
        if not near:
            self._notes.append(
                f"{way.runtime} in {way.precision} gives other pictures than PyTorch on this processor; it is not used."
            )
            return
        errors = round(float(error.mean()), 4), round(float(error.max()), 3)
        candidate = Candidate(way.runtime, way.precision, threads, ms, error_mean=errors[0], error_max=errors[1])
        if self._leader is None or self._beats(candidate, self._candidates[self._leader[0]]):
            self._leader = (len(self._candidates), way)
            self._made = network
        self._candidates.append(candidate)

    def _beats(self, new: Candidate, old: Candidate) -> bool:
        """The more exact and fewer threads come first, and stay unless clearly beaten."""
        if (new.precision == self._wanted) != (old.precision == self._wanted):
            return new.precision == self._wanted
        return new.ms < CLEARLY * old.ms

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

    @property
    def leader(self) -> Candidate:
        """The best so far.

        Raises:
            RuntimeError: none runs.
        """
        if self._leader is None:
            raise RuntimeError(" ".join(self._notes) or "there is no way to run it")
        return self._candidates[self._leader[0]]

    def best(self) -> tuple[list[Candidate], Network]:
        """All candidates, the chosen one marked, and its network: the one that was measured, or made anew.

        Raises:
            RuntimeError: none runs.
        """
        threads = self.leader.threads
        assert self._leader is not None
        chosen, way = self._leader
        network = self._made if self._made is not None else way.make(threads or 1)
        return [replace(one, chosen=i == chosen) for i, one in enumerate(self._candidates)], network


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
