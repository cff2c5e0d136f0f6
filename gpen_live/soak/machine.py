"""What this process holds, and how busy it and its machine are."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

import psutil

CORES: Final = psutil.cpu_count() or 1


@dataclass(frozen=True)
class Holding:
    """Memory in MB, counts, and the share of the machine's cores that anyone keeps busy, and that we do, 0 to 1."""

    memory_mb: float
    gpu_mb: float
    handles: int
    threads: int
    children: int
    load: float
    own: float


class Machine:
    """Looks at this process; the loads are those since the last look."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.look()

    def look(self) -> Holding:
        with self._process.oneshot():
            memory_mb = self._process.memory_info().rss / 1e6
            handles = _handles(self._process)
            threads = self._process.num_threads()
            own = self._process.cpu_percent() / 100 / CORES
        children = len(self._process.children(recursive=True))
        return Holding(memory_mb, _gpu_mb(), handles, threads, children, psutil.cpu_percent() / 100, own)


def _handles(process: psutil.Process) -> int:
    """Open handles, or file descriptors, as the system calls them."""
    if sys.platform == "win32":
        return process.num_handles()
    return process.num_fds()


def _gpu_mb() -> float:
    """The GPU memory that this process's PyTorch holds; 0 without either."""
    if "torch" not in sys.modules:
        return 0.0
    import torch  # waits for a thread that is importing it this very moment

    if torch.cuda.is_available():
        return float(sum(torch.cuda.memory_reserved(i) for i in range(torch.cuda.device_count()))) / 1e6
    return float(torch.mps.driver_allocated_memory()) / 1e6 if torch.backends.mps.is_available() else 0.0
