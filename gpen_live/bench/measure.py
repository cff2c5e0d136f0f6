"""Measurements on this machine: networks alone, and the frame path's stages."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.engine.candidates import Candidate
from gpen_live.engine.device import choose_device, describe_device, synchronize
from gpen_live.engine.engine import Engine, load_detector
from gpen_live.engine.enhancer import Enhancer, load_enhancer
from gpen_live.errors import WeightsError
from gpen_live.frame import Image, Size
from gpen_live.live.status import Quantiles, grade
from gpen_live.models.registry import ModelSpec, get
from gpen_live.sources import open_source

if TYPE_CHECKING:
    import torch

_WARM_UP = 5
_INPUTS = 8  # rotated, so that no cache holds the answer
_LEAST_RUNS, _MOST_RUNS, _BUDGET_S = 5, 200, 6.0
_FRAMES = 60
_FRAME_SIZE = Size(1280, 720)


@dataclass(frozen=True)
class NetworkTime:
    """One network alone on one crop, in milliseconds. `own_weights` is False where it ran with untrained ones.

    `candidates` are the ways to run it that were measured on this processor, the chosen one marked; none on other devices.
    `notes` say what could not be used.
    """

    model: str
    size: int
    runtime: str
    precision: str
    threads: int | None
    load_s: float
    runs: int
    network_ms: Quantiles
    fps: float
    grade: str
    own_weights: bool
    candidates: list[Candidate]
    notes: list[str]


@dataclass(frozen=True)
class PathTime:
    """The frame path on the demo camera at 1280x720, without waiting for a camera or a tick, in milliseconds by stage."""

    model: str
    mode: str
    frames: int
    stages_ms: dict[str, Quantiles]
    frame_ms: Quantiles
    fps: float


@dataclass(frozen=True)
class Bench:
    """All measurements of one run."""

    device: str
    frame_size: str
    networks: list[NetworkTime]
    paths: list[PathTime]


def run_bench(models: list[str], device_name: str, say: Callable[[str], None]) -> Bench:
    """Measures each model on the device; `say` is told what comes next.

    Raises:
        UsageError, DeviceError: as `choose_device`. WeightsError: the detector's file is missing.
    """
    device = choose_device(device_name)
    frames = list(_frames())
    networks, paths = [], []
    detector = load_detector(device)
    for i, name in enumerate(models):
        say(f"{name} ({i + 1} of {len(models)})")
        start = time.perf_counter()
        enhancer, own = untrained_or_own(get(name), device)
        load_s = time.perf_counter() - start
        networks.append(_network(enhancer, load_s, own))
        engine = Engine(device, detector, enhancer)
        for mode in ("roi", "full"):
            say(f"{name}: {mode}")
            engine.new_scene()
            paths.append(_path(engine, mode, frames))
    return Bench(describe_device(device), str(_FRAME_SIZE), networks, paths)


def untrained_or_own(spec: ModelSpec, device: torch.device) -> tuple[Enhancer, bool]:
    """The model with its own weights, or with untrained ones where they are not there: as much arithmetic either way."""
    try:
        return load_enhancer(spec.name, None, device, thorough=True), True
    except WeightsError:
        if spec.shipped:
            raise
    from gpen_live.nets.gpen import VARIANTS, Gpen

    enhancer = Enhancer(Gpen(**VARIANTS[spec.name]), spec, device)
    enhancer.warm_up(thorough=True)
    return enhancer, False


def _network(enhancer: Enhancer, load_s: float, own: bool) -> NetworkTime:
    import torch

    with torch.inference_mode():
        torch.manual_seed(0)
        crops = [torch.rand(1, 3, enhancer.size, enhancer.size, device=enhancer.device) * 2 - 1 for _ in range(_INPUTS)]
        taken = _repeat(lambda i: enhancer(crops[i % _INPUTS]), enhancer.device)
    times = _quantiles(taken)
    return NetworkTime(
        model=enhancer.spec.name,
        size=enhancer.size,
        runtime=enhancer.runtime,
        precision=enhancer.precision,
        threads=enhancer.threads,
        load_s=round(load_s, 3),
        runs=len(taken),
        network_ms=times,
        fps=round(1e3 / times.p50, 1),
        grade=grade(times.p50),
        own_weights=own,
        candidates=enhancer.candidates,
        notes=enhancer.notes,
    )


def _repeat(work: Callable[[int], object], device: torch.device) -> list[float]:
    """Milliseconds of each run of `work`, after a warm-up, for a few seconds."""
    for i in range(_WARM_UP):
        work(i)
    synchronize(device)
    taken: list[float] = []
    end = time.perf_counter() + _BUDGET_S
    while len(taken) < _LEAST_RUNS or (len(taken) < _MOST_RUNS and time.perf_counter() < end):
        start = time.perf_counter()
        work(len(taken))
        synchronize(device)
        taken.append((time.perf_counter() - start) * 1e3)
    return taken


def _path(engine: Engine, mode: str, frames: list[Image]) -> PathTime:
    stages: dict[str, list[float]] = {}
    totals: list[float] = []
    end = time.perf_counter() + _BUDGET_S
    for i, frame in enumerate(frames * 2):
        start = time.perf_counter()
        done = engine.enhance_frame(frame, i / 30, 1.0) if mode == "full" else engine.enhance_faces(frame, i / 30, 1.0)
        total = (time.perf_counter() - start) * 1e3
        if i < _WARM_UP and len(frames) > _WARM_UP:
            continue
        totals.append(total)
        for stage, value in done.times_ms.items():
            stages.setdefault(stage, []).append(value)
        if time.perf_counter() > end and len(totals) >= _LEAST_RUNS:
            break
    return PathTime(
        model=engine.enhancer.spec.name,
        mode=mode,
        frames=len(totals),
        stages_ms={stage: _quantiles(values) for stage, values in stages.items()},
        frame_ms=_quantiles(totals),
        fps=round(1e3 / statistics.median(totals), 1),
    )


def _frames() -> Iterator[Image]:
    source = open_source("demo", size=_FRAME_SIZE, fps=30.0, realtime=False)
    try:
        for _ in range(_FRAMES):
            frame = source.read()
            assert frame is not None
            yield frame
    finally:
        source.close()


def _quantiles(values: list[float]) -> Quantiles:
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return Quantiles(*(round(float(v), 3) for v in (p50, p95, p99, max(values))))
