"""A network alone: one crop at a time, several crops in turn."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gpen_live.bench.proof import prove
from gpen_live.bench.results import NetworkTime
from gpen_live.bench.timing import Budget, Going, quantiles, repeat
from gpen_live.inference.autotune_cpu import sample_crop
from gpen_live.inference.enhancer import NetworkError
from gpen_live.live.status.snapshot import grade

if TYPE_CHECKING:
    import torch

    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer
    from gpen_live.inference.tensors import TensorNetwork

INPUTS = 8  # rotated, so that no cache holds the answer


def crops(size: int, device: Device) -> list[torch.Tensor]:
    """Different pictures, 1 x 3 x size x size in [-1, 1], as smooth as faces with a little noise; always the same."""
    import torch

    sample = torch.from_numpy(sample_crop(size))
    return [torch.roll(sample, (i * size // INPUTS, i * size // (2 * INPUTS)), (2, 3)).to(device.torch()) for i in range(INPUTS)]


def time_network(enhancer: HostEnhancer | Enhancer, budget: Budget, going: Going, *, own_weights: bool) -> NetworkTime | None:
    """Times one loaded network; None when it was interrupted before the first run."""
    import torch

    from gpen_live.inference.tensors import on_tensors

    call = on_tensors(enhancer)
    with torch.inference_mode():
        pictures = crops(enhancer.size, enhancer.device)
        enhancer.use_threads()

        def work(i: int) -> torch.Tensor:
            return call(pictures[i % INPUTS], pictures[(i - 1) % INPUTS] if enhancer.memory else None)

        timed = repeat(work, enhancer.device, budget, going)
        if not timed.ms:
            return None
        proof = prove(work, enhancer.device, timed)
        four_ms = _four_faces(call, enhancer, pictures, budget, going) if enhancer.device.type == "cuda" else None
    times = quantiles(timed.ms)
    return NetworkTime(
        model=enhancer.spec.name,
        size=enhancer.size,
        runtime=enhancer.runtime,
        precision=enhancer.precision,
        threads=enhancer.threads,
        runs=len(timed.ms),
        network_ms=times,
        fps=round(1e3 / times.p50, 1),
        grade=grade(times.p50),
        own_weights=own_weights,
        proof=proof,
        candidates=[dataclasses.asdict(one) for one in enhancer.candidates],
        notes=[note.text for note in enhancer.notes],
        four_faces_ms=four_ms,
    )


def _four_faces(
    call: TensorNetwork, enhancer: HostEnhancer | Enhancer, pictures: list[torch.Tensor], budget: Budget, going: Going
) -> float | None:
    """Median milliseconds of four crops at once; None when it was interrupted, or there is no room for them."""
    import torch

    batches = [torch.cat([pictures[(i + k) % INPUTS] for k in range(4)]) for i in range(2)]

    def work(i: int) -> torch.Tensor:
        return call(batches[i % 2], batches[(i - 1) % 2] if enhancer.memory else None)

    try:
        timed = repeat(work, enhancer.device, budget, going)
    except (NetworkError, RuntimeError):
        return None
    return quantiles(timed.ms).p50 if timed.ms else None
