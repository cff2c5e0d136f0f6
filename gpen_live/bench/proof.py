"""Whether the device that is named did the work: a library that falls back to the processor says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil

from gpen_live.bench.results import Proof
from gpen_live.bench.timing import Timed
from gpen_live.inference.device import Device, peak_memory_mb, synchronize

if TYPE_CHECKING:
    import torch

_PROFILED = 3  # runs
_LEAST_GPU = 0.05
"""Of a run's time; a network launched kernel by kernel leaves most of it to the processor, one that runs elsewhere all."""
_LEAST_CORES = 0.5


def prove(work: Callable[[int], torch.Tensor], device: Device, timed: Timed) -> Proof:
    """What the timed runs, and on CUDA a few more under the profiler, say about where `work` runs.

    Args:
        work: as it was timed; returns its output.
        timed: at least one run.
    """
    wall_ms, cpu_ms = (seconds * 1e3 / len(timed.ms) for seconds in (timed.wall_s, timed.cpu_s))
    output = work(0)
    if output.device != device.torch():
        sentence = f"The output lies on {output.device}, not on {device}: something else did the work."
        return Proof(sentence, False, round(wall_ms, 3), round(cpu_ms, 3))
    if device.type == "cpu":
        return on_processor(wall_ms, cpu_ms)
    device_ms = _busy_ms(work, device) if device.type == "cuda" else None
    return on_gpu(wall_ms, cpu_ms, device_ms, peak_memory_mb(device), str(device))


def on_processor(wall_ms: float, cpu_ms: float) -> Proof:
    """The CPU time of this process must account for the work."""
    cores = cpu_ms / wall_ms
    sentence = f"CPU time per run {cpu_ms:.1f} of {wall_ms:.1f} ms: {cores:.1f} of {psutil.cpu_count() or 1} cores worked."
    if cores < _LEAST_CORES:
        sentence += " That is too little: another program has the processor, or something else did the work."
    return Proof(sentence, cores >= _LEAST_CORES, round(wall_ms, 3), round(cpu_ms, 3))


def on_gpu(wall_ms: float, cpu_ms: float, device_ms: float | None, device_mb: float, device: str) -> Proof:
    """The GPU's own record of its kernels must account for the work; where there is none, its memory must hold the network."""
    held = f"the output on {device}, {device_mb:.0f} MB of its memory held"
    if device_ms is None:
        holds = device_mb > 1
        sentence = f"No profiler here to ask; {held}, {cpu_ms:.2f} ms of CPU time per run of {wall_ms:.2f} ms."
    else:
        holds = device_ms >= _LEAST_GPU * wall_ms and device_mb > 1
        sentence = f"The GPU's kernels took {device_ms:.2f} of {wall_ms:.2f} ms per run, by its profiler; {held}."
    if not holds:
        sentence += " That is too little: something else did the work."
    return Proof(
        sentence,
        holds,
        round(wall_ms, 3),
        round(cpu_ms, 3),
        device_ms=None if device_ms is None else round(device_ms, 3),
        device_mb=round(device_mb, 1),
    )


def _busy_ms(work: Callable[[int], object], device: Device) -> float | None:
    """How long the GPU computes in one run; None where the profiler does not even see a kernel that is known to run."""
    import torch

    known = torch.ones(256, 256, device=device.torch())
    if not _recorded_ms(lambda _: known @ known, device):
        return None
    return _recorded_ms(work, device)


def _recorded_ms(work: Callable[[int], object], device: Device) -> float:
    from torch.profiler import ProfilerActivity, profile

    try:
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            for i in range(_PROFILED):
                work(i)
            synchronize(device)
    except (RuntimeError, AssertionError):  # not built for it, no permission, or another profiler is at it
        return 0.0
    kernels = [event for event in profiler.events() or () if event.device_type.name == "CUDA"]
    return sum(float(event.self_device_time_total) for event in kernels) / 1e3 / _PROFILED  # it counts in microseconds
