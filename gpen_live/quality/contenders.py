"""Who is measured: the input itself, networks as the product runs them, and simple filters, all behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from gpen_live.quality.clips import as_bytes
from gpen_live.quality.competitors import Filter, best_strength

if TYPE_CHECKING:
    import torch

    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer

Batch = npt.NDArray[np.float32]
"""One frame of several faces: N x H x W x 3, RGB in [0, 1]."""
Kind = Literal["input", "network", "competitor"]

RUN = 8
"""Frames after which a network with a memory counts as steady."""
LAST = 2
"""Frames at the end of a clip that are looked at."""
FIRST_FRAME = " (first frame)"
"""What is behind a network's name when it has seen no frame before."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of a table.

    Args:
        name: as in the tables.
        kind: what it is.
        remembers: it wants RUN frames, in their order.
        run: a clip (a Batch for each frame) to what becomes of its LAST frames.
        tune: shown some faces and their truth, sets itself to its best strength and returns that; None: there is nothing to set.
    """

    name: str
    kind: Kind
    remembers: bool
    run: Callable[[Sequence[Batch]], list[Batch]]
    tune: Callable[[Batch, Batch], float] | None = None


def the_input() -> Contender:
    """What comes out when nothing is done."""
    return Contender("input", "input", False, lambda clip: list(clip[-LAST:]))


def competitor(name: str, one: Filter) -> Contender:
    """A simple filter, at its first strength until it is tuned."""
    strength = one.strengths[0]

    def tune(seen: Batch, truth: Batch) -> float:
        nonlocal strength
        strength = best_strength(one, list(map(as_bytes, seen)), list(map(as_bytes, truth)))
        return strength

    def filtered(batch: Batch) -> Batch:
        return np.stack([one.work(as_bytes(picture), strength) for picture in batch]).astype(np.float32) / 255

    return Contender(name, "competitor", False, lambda clip: [filtered(batch) for batch in clip[-LAST:]], tune)


def network(enhancer: HostEnhancer | Enhancer) -> list[Contender]:
    """A network, through the product's own path. One with a memory counts twice: steady, and with no frame before.

    The memory is fed with the network's last picture as it is, even where the scene has moved since: that is the hard case, which
    a tracked face meets only in part.
    """

    def alone(clip: Sequence[Batch]) -> list[Batch]:
        return [_to_batch(out) for out in _run(enhancer, clip[-LAST:], remember=False)]

    def steady(clip: Sequence[Batch]) -> list[Batch]:
        return [_to_batch(out) for out in _run(enhancer, clip, remember=True)[-LAST:]]

    name = enhancer.spec.name
    if not getattr(enhancer, "memory", False):
        return [Contender(name, "network", False, alone)]
    return [Contender(name, "network", True, steady), Contender(name + FIRST_FRAME, "network", False, alone)]


def _run(enhancer: HostEnhancer | Enhancer, clip: Sequence[Batch], *, remember: bool) -> list[torch.Tensor]:
    import torch

    from gpen_live.inference.tensors import on_tensors

    call, device = on_tensors(enhancer), enhancer.device.torch()
    enhancer.use_threads()
    outs: list[torch.Tensor] = []
    with torch.inference_mode():
        for batch in clip:
            x = torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous().to(device) * 2 - 1
            outs.append(call(x, outs[-1] if remember and outs else None))
    return outs


def _to_batch(out: torch.Tensor) -> Batch:
    pictures = ((out.float() + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    return np.ascontiguousarray(pictures, np.float32)
