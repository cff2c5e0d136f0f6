"""A soak that was never run: an hour in which every promise is held, to be spoilt one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from gpen_live.soak.faults import FAULTS
from gpen_live.soak.results import Event, Latency, Sample, Soak


def sample(at_s: float = 5.0, **other: Any) -> Sample:
    usual: dict[str, Any] = {
        "at_s": at_s,
        "seconds": 5.0,
        "quiet": True,
        "memory_mb": 800.0,
        "gpu_mb": 0.0,
        "handles": 8,
        "threads": 17,
        "children": 0,
        "load": 0.5,
        "own": 0.4,
        "captured": 150,
        "sent": 150,
        "fresh": 150,
        "enhanced": 150,
        "dropped": 0,
        "pause_s": 0.04,
        "still_s": 0.05,
        "capture_slip_ms": 0.1,
        "output_slip_ms": 0.1,
    }
    return Sample(**{**usual, **other})


def soak(
    of_sample: Callable[[float], dict[str, Any]] = lambda _: {}, p99: Callable[[float], float] = lambda _: 30.0, **other: Any
) -> Soak:
    """An hour; `of_sample` and `p99` give what is different, by the share of the hour that has passed."""
    one = Soak(
        version="1",
        device="cpu (Fake)",
        model="lite-256",
        source="demo",
        sink="none",
        size="1280x720",
        fps=30.0,
        usual_fps=30.0,
        seed=0,
        faults_per_hour=60.0,
        wanted_s=3600.0,
        seconds=3600.0,
        warm_s=180.0,
        samples=[sample(5.0 * i, **of_sample(i / 720)) for i in range(1, 721)],
        latencies=[Latency(60.0 * i, 1500, 20.0, 25.0, p99(i / 60)) for i in range(1, 61)],
        events=[
            Event(fault.kind.value, 60.0 * i, fault.seconds, 0.5, fault.limit_s) for i, fault in enumerate(FAULTS * 4, start=1)
        ],
        notes=["A note."],
    )
    return dataclasses.replace(one, **other)
