"""CUDA streams by their role, and what only one thread may do at a time. Imports torch: import this module late.

PyTorch hands out a device's streams in turn from a pool of 32: whoever asks for one each time soon shares it with another thread,
whose work a recording would then swallow. So each thread has one for each role, and keeps it.
"""

from __future__ import annotations

import threading
from typing import Final, Literal

import torch

Role = Literal["record", "beside", "background"]

RECORDING: Final = threading.RLock()
"""Held while a graph is recorded, and while the allocator gives memory back to the device: each would disturb the other."""

_own = threading.local()


def stream_for(role: Role, device: torch.device) -> torch.cuda.Stream:
    """The stream that this thread keeps for a role; of the default priority, which is the lowest."""
    streams: dict[tuple[Role, torch.device], torch.cuda.Stream] = _own.__dict__.setdefault("streams", {})
    if (role, device) not in streams:
        streams[role, device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return streams[role, device]


def give_memory_back() -> None:
    """Lets go of the device's memory that PyTorch keeps for later: the card is shared with a game."""
    with RECORDING:
        torch.cuda.empty_cache()
