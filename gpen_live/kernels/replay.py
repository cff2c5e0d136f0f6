"""Networks on a CUDA device as recorded graphs: one launch instead of a hundred. Imports torch: import this module late."""

from __future__ import annotations

import gc
import statistics
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from gpen_live.kernels.streams import RECORDING, stream_for

if TYPE_CHECKING:
    from gpen_live.inference.torch_network import Network

T = TypeVar("T")
_Pool = Any  # as `torch.cuda.graph_pool_handle` gives it; its type's name is PyTorch's own

_SHAPES = 4  # graphs that are kept
_WARM_UPS = 2
_REPLAYS = 9


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    pictures: Tensor
    previous: Tensor | None
    out: Tensor


class Replayed:
    """A network that is recorded when a shape first comes, and from then on replayed.

    Pictures are copied in, and out as a new tensor. For the thread that owns the device.

    Args:
        network: only launches work on the current stream, without waiting for it.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._recorded: OrderedDict[tuple[object, ...], _Recorded] = OrderedDict()

    def __call__(self, pictures: Tensor, previous: Tensor | None = None) -> Tensor:
        """As the network. Raises RuntimeError where it fails."""
        key = (tuple(pictures.shape), previous is None)
        if key not in self._recorded:
            self._recorded[key] = self._record(pictures, previous)
            if len(self._recorded) > _SHAPES:
                self._recorded.popitem(last=False)
        self._recorded.move_to_end(key)
        recorded = self._recorded[key]
        recorded.pictures.copy_(pictures)
        if recorded.previous is not None and previous is not None:
            recorded.previous.copy_(previous)
        recorded.graph.replay()
        return recorded.out.clone()

    def _record(self, pictures: Tensor, previous: Tensor | None) -> _Recorded:
        pictures = pictures.to(torch.float32).clone()
        previous = None if previous is None else previous.to(torch.float32).clone()
        graph, out = record(lambda: self._network(pictures, previous), self._device)
        return _Recorded(graph, pictures, previous, out)


def record(work: Callable[[], Tensor], device: torch.device) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    """What `work` launches as a graph, and where its result lies after each replay. Other threads may use the device meanwhile.

    Raises:
        RuntimeError: `work` fails, or does what can't be recorded.
    """
    stream = stream_for("record", device)
    stream.wait_stream(torch.cuda.current_stream(device))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            work()
        stream.synchronize()
        out = capture(graph, work)
    torch.cuda.current_stream(device).wait_stream(stream)
    return graph, out


def capture(graph: torch.cuda.CUDAGraph, work: Callable[[], T], pool: _Pool | None = None) -> T:
    """Records on the current stream what `work` launches, and returns what it returns.

    Other threads may go on with their own work on the device meanwhile. Not torch.cuda.graph: that collects garbage and empties
    the allocator's cache each time, which takes longer than the rest. Garbage waits instead: an old graph among it, freed in the
    middle, would break the recording.
    """
    with RECORDING, _no_garbage_collection():
        graph.capture_begin(pool=pool, capture_error_mode="thread_local")
        try:
            out = work()
        except BaseException:
            with suppress(RuntimeError):  # what went wrong first is what matters
                graph.capture_end()
            raise
        graph.capture_end()
    return out


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """For one at a time: it holds for all threads."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def graph_ms(work: Callable[[], Tensor], device: torch.device) -> float:
    """Median milliseconds of what `work` launches, replayed as a graph."""
    graph, _ = record(work, device)
    times = []
    stream = torch.cuda.current_stream(device)
    for _ in range(_REPLAYS):
        start = stream.record_event(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        graph.replay()
        end = stream.record_event(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        end.synchronize()
        times.append(float(start.elapsed_time(end)))
    return statistics.median(times[1:])  # the first replay uploads the graph
