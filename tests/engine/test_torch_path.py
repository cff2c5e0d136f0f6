"""PyTorch's frame path on a device that bears one thread at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import Engine
from gpen_live.engine.paths.torch import TorchPath
from gpen_live.inference import device as devices
from gpen_live.inference.device import Device
from gpen_live.look import Look, Mode
from tests.engine.networks import on_tensors
from tests.engine.stages import TensorMove, wavy
from tests.engine.test_engine import Brighter, Known


class OneThread(Device):
    """In place of Apple's GPU: computes on the processor."""

    def torch(self) -> torch.device:
        return torch.device("cpu")


class InTurns(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notices work that is given to the device by a thread whose turn it isn't."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[Any], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        assert devices._TURNS["mps"]._is_owned(), f"{func} out of turn"  # type: ignore[attr-defined]
        self.work += 1
        return func(*args, **(kwargs or {}))


def test_a_frame_s_work_is_done_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    device, known = OneThread("mps"), Known(160, 120)
    enhancer = on_tensors(Brighter(), device, 64)
    engine = Engine(device, known, enhancer, TorchPath(device, known, enhancer, [TensorMove(wavy)]))
    engine.effort = Effort(enhance_every=2)
    image = np.full((300, 560, 3), 100, np.uint8)
    with InTurns() as watched:
        for number in range(6):
            for mode in Mode:
                done = engine.process(image, number / 30, Look(mode=mode))
        assert not done.raw_reason
    assert watched.work > 100
