"""A whole bench with figures that are easy to find again."""

from __future__ import annotations

from gpen_live.bench.results import Bench, Flow, Footprint, NetworkTime, PathTime, Proof, Rival
from gpen_live.live.status.snapshot import Quantiles, grade

CANDIDATES: list[dict[str, object]] = [
    {"runtime": "PyTorch", "precision": "fp32", "threads": None, "ms": 4.5, "chosen": False, "mean_levels": 0.0},
    {"runtime": "Triton", "precision": "fp16", "threads": None, "ms": 1.25, "chosen": True, "mean_levels": 0.21},
]


def quantiles(p50: float) -> Quantiles:
    return Quantiles(p50, p50 * 1.5, p50 * 1.6, p50 * 2)


def network(model: str, ms: float, *, own: bool = True, holds: bool = True) -> NetworkTime:
    proof = Proof("The GPU's kernels took 1.10 of 1.25 ms per run.", holds, 1.25, 0.2, 1.1, 300.0)
    size = int(model.split("-")[1])
    candidates = CANDIDATES if model == "gpen-512" else []
    fps = round(1e3 / ms, 1)
    return NetworkTime(
        model, size, "Triton", "fp16", None, 77, quantiles(ms), fps, grade(ms), own, proof, candidates, ["A note."], ms * 2
    )


def path(model: str, mode: str, network_ms: float) -> PathTime:
    stages = {"warp": 2.5, "network": network_ms, "blend": 4.5, "convert": 0.75}
    if mode == "roi":
        stages = {"detect": 12.5, **stages}
    whole = sum(stages.values())
    times = {stage: quantiles(ms) for stage, ms in stages.items()}
    return PathTime(model, mode, 60, 60, times, quantiles(whole), round(1e3 / whole, 1), grade(whole))


def bench() -> Bench:
    times = {"lite-256": 5.0, "gpen-256": 63.5, "gpen-512": 957.0}
    return Bench(
        version="9.8.7",
        device="cuda:0 (A Card)",
        frame_size="1920x1080",
        source="demo",
        complete=True,
        seconds=61.0,
        networks=[network(model, ms, own=model == "lite-256") for model, ms in times.items()],
        paths=[
            path(model, mode, ms * (3 if mode == "full" and model == "lite-256" else 1))
            for model, ms in times.items()
            for mode in ("roi", "full")
        ],
        flows=[
            Flow("lite-256", "roi", "raw", 60, 57, 34.56, 51.84, 50.0),
            Flow("lite-256", "roi", "MJPG", 60, 57, 31.0, 46.5, 50.0),
            Flow("gpen-512", "roi", "raw", 6, 3, 1.02, 0.98, -3.9),
        ],
        footprints=[Footprint("gpen-512", 3.21, 0.62, 0.83, 7.9, 480.0, 987.0, 654.0)],
        rivals=[Rival("gpen-512", 33, quantiles(957.0), quantiles(2001.0), 2.09, "PyTorch", "fp32", 0.12, 3.4, True, False)],
    )
