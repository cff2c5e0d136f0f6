"""Where the frame path's work runs: a CUDA stream with graphs and page-locked memory, or the CPU, at once.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TypeVar
from weakref import WeakSet, WeakValueDictionary

import torch
from torch import Tensor

from gpen_live.frame import Array
from gpen_live.inference.failures import keep_for_ever
from gpen_live.kernels.replay import capture
from gpen_live.kernels.streams import give_memory_back

_CHUNKS = 4
_COPYING_THREADS = 4  # more do not copy faster, and take cores from the streamer's game
_WARM_UPS = 3
_RECENT = 8  # pieces of page-locked memory that are not freed yet: sender and window have let go of them by then

Work = Callable[[], None]
T = TypeVar("T")


class DeviceStream(ABC):
    """One queue of work on a device, used by one thread."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.recorded = 0
        """How often something was recorded so far: such a frame takes its time, once."""

    @abstractmethod
    def working(self) -> AbstractContextManager[object]:
        """Within it, PyTorch's work goes to this stream."""

    @abstractmethod
    def host(self, *shape: int, dtype: torch.dtype) -> Tensor:
        """Memory of the host that the device reads and writes by itself."""

    def view(self, memory: Tensor) -> Array:
        """What `host` gave, for those outside, as long as they look at it."""
        array: Array = memory.numpy()
        return array

    @abstractmethod
    def upload(self, image: Tensor, staging: Tensor, frame: Tensor) -> None:
        """Copies a frame (H x W x 3, on the host) to the device; `staging` is such memory as `host` gives, of its shape."""

    @abstractmethod
    def record(self, work: Work) -> Work:
        """Runs `work` to warm it up and returns what repeats it, with the same tensors, at little cost to the host."""

    def beside(self, work: Callable[[], T], others: Sequence[Work]) -> T:
        """What `work` returns, and `others` done: they need nothing of each other, and may run at the same time."""
        for other in others:
            other()
        return work()

    @abstractmethod
    def mark(self, name: str) -> None:
        """Notes when the work given so far is done."""

    @abstractmethod
    def wait(self, name: str) -> None:
        """Waits for a mark."""

    @abstractmethod
    def settle(self) -> None:
        """Waits until nothing uses the memory any more, whatever became of the work. Never raises RuntimeError."""

    @abstractmethod
    def abandon(self) -> None:
        """The device is lost: nothing that it may have to do with is freed any more, wherever it is still looked at."""

    @abstractmethod
    def between(self, start: str, end: str) -> float:
        """Milliseconds between two marks that were waited for."""


class CudaStream(DeviceStream):
    """A CUDA stream. What is recorded becomes CUDA graphs, all with one pool of memory: they never run at the same time.

    Recording has a stream of its own: PyTorch may note on the frames' stream, from any thread and at any time, that page-locked
    memory is free again, and that would become a part of the graph.
    """

    def __init__(self, device: torch.device, stream: torch.cuda.Stream) -> None:
        super().__init__(device)
        self._stream = stream
        self._recorder = torch.cuda.Stream(device, priority=stream.priority)  # type: ignore[no-untyped-call]
        self._sides: list[torch.cuda.Stream] = []
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()
        self._events: dict[str, torch.cuda.Event] = {}
        self._lent: WeakValueDictionary[int, Tensor | Array] = WeakValueDictionary()
        self._recent: deque[Tensor] = deque()
        self._numbers = itertools.count()
        torch.set_num_threads(min(_COPYING_THREADS, torch.get_num_threads()))

    def working(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._stream)

    def host(self, *shape: int, dtype: torch.dtype) -> Tensor:
        """Page-locked memory.

        PyTorch keeps it once nobody looks at it any more, and gives it out again: after some frames nothing is allocated, and
        no picture is written over that sender or window still hold.
        """
        memory = torch.empty(shape, dtype=dtype, pin_memory=True)
        self._recent.append(memory)
        self._lent[next(self._numbers)] = memory
        return memory

    def view(self, memory: Tensor) -> Array:
        array = super().view(memory)
        self._lent[next(self._numbers)] = array  # its memory outlives the tensor
        return array

    def upload(self, image: Tensor, staging: Tensor, frame: Tensor) -> None:
        """In bands, each on its way while the next one is staged; a frame that lies in page-locked memory goes directly."""
        if image.is_pinned():
            frame.copy_(image, non_blocking=True)
            return
        for band, staged, there in zip(image.chunk(_CHUNKS), staging.chunk(_CHUNKS), frame.chunk(_CHUNKS), strict=True):
            staged.copy_(band)
            there.copy_(staged, non_blocking=True)

    def record(self, work: Work) -> Work:
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        if not self._graphs:  # a pool ends with the last graph that used it
            self._pool = torch.cuda.graph_pool_handle()
        with torch.cuda.stream(self._recorder):
            for _ in range(_WARM_UPS):
                work()
            self._recorder.synchronize()
            capture(graph, work, self._pool)
        self._graphs.add(graph)
        give_memory_back()  # the graph has memory of its own: what warming up took is not needed any more
        self.recorded += 1
        return graph.replay

    def beside(self, work: Callable[[], T], others: Sequence[Work]) -> T:
        """On streams of their own, which branch off the current one and come back to it: so it is in the graph."""
        here = torch.cuda.current_stream(self.device)
        while len(self._sides) < len(others):
            self._sides.append(torch.cuda.Stream(self.device, priority=here.priority))  # type: ignore[no-untyped-call]
        sides = self._sides[: len(others)]
        for side, other in zip(sides, others, strict=True):
            side.wait_stream(here)
            with torch.cuda.stream(side):
                other()
        done = work()
        for side in sides:
            here.wait_stream(side)
        return done

    def mark(self, name: str) -> None:
        event = self._events.get(name)
        if event is None:
            event = self._events[name] = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(self._stream)

    def wait(self, name: str) -> None:
        self._events[name].synchronize()
        while len(self._recent) > _RECENT:  # the device is well: now they may go, see `keep_for_ever`
            self._recent.popleft()

    def settle(self) -> None:
        with suppress(RuntimeError):  # what failed has been told
            self._stream.synchronize()
            give_memory_back()

    def abandon(self) -> None:
        keep_for_ever([self, *(lent() for lent in self._lent.valuerefs())])  # copied at once: another thread may stage a frame

    def between(self, start: str, end: str) -> float:
        return float(self._events[start].elapsed_time(self._events[end]))


class HostStream(DeviceStream):
    """The CPU: all work is done at once, where it is called."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self._marks: dict[str, float] = {}

    def working(self) -> AbstractContextManager[object]:
        return nullcontext()

    def host(self, *shape: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(shape, dtype=dtype)

    def upload(self, image: Tensor, staging: Tensor, frame: Tensor) -> None:
        frame.copy_(image)

    def record(self, work: Work) -> Work:
        self.recorded += 1
        return work

    def mark(self, name: str) -> None:
        self._marks[name] = time.perf_counter()

    def wait(self, name: str) -> None:
        """Nothing to wait for."""

    def settle(self) -> None:
        """Nothing to wait for."""

    def abandon(self) -> None:
        """The processor is not lost."""

    def between(self, start: str, end: str) -> float:
        return (self._marks[end] - self._marks[start]) * 1e3
