"""What one run of the bench found, as plain data: what is shown, drawn and written is made of this alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpen_live.live.status.report import read_report
from gpen_live.live.status.snapshot import Quantiles


@dataclass(frozen=True)
class Proof:
    """What speaks for the named device having done the work; `sentence` says it, `holds` is False where it speaks against.

    wall_ms and cpu_ms are of one run, this process's CPU time over all cores; device_ms is what the GPU was busy with one run, as
    its profiler saw it (None: no GPU, or nothing to see it with); device_mb what is held of its memory.
    """

    sentence: str
    holds: bool
    wall_ms: float
    cpu_ms: float
    device_ms: float | None = None
    device_mb: float | None = None


@dataclass(frozen=True)
class NetworkTime:
    """One network alone on one crop, in milliseconds. `own_weights` is False where it ran with untrained ones.

    `fps` is theoretical: nothing but the network. `four_faces_ms` is the median for four crops at once, on graphics cards (a
    processor takes them one by one). `candidates` are the ways to run it that were measured here, the chosen one marked, each a
    mapping with at least `runtime`, `precision`, `ms` and `chosen`. `notes` say what could not be used.
    """

    model: str
    size: int
    runtime: str
    precision: str
    threads: int | None
    runs: int
    network_ms: Quantiles
    fps: float
    grade: str
    own_weights: bool
    proof: Proof
    candidates: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    four_faces_ms: float | None = None


@dataclass(frozen=True)
class PathTime:
    """The frame path from a frame in memory to NV12 in memory, one frame after the other, in milliseconds by stage.

    Of `frames`, so many were `enhanced`: in the others there was no face. `grade` is of the frame's median. `beauty` names
    what was drawn on the faces; `cpu_ms` is the median of what all cores worked for a frame: other programs hardly change it.
    """

    model: str
    mode: str
    frames: int
    enhanced: int
    stages_ms: dict[str, Quantiles]
    frame_ms: Quantiles
    fps: float
    grade: str
    beauty: str = "off"
    cpu_ms: float = 0.0


@dataclass(frozen=True)
class Flow:
    """Frames a second of the same frames one after the other and through the live pipeline's threads, as fast as each takes them.

    `feed` is how frames come in: "MJPG" (decoded from a camera's JPEG pictures) or "raw" (they lie in memory).
    """

    model: str
    mode: str
    feed: str
    frames: int
    enhanced: int
    serial_fps: float
    pipelined_fps: float
    gain_percent: float


@dataclass(frozen=True)
class Footprint:
    """Memory and start of a process that holds this network alone, with the detector and a frame path that runs.

    import_s: until PyTorch and the device are there. load_s: from the file to a network on the device; warm_up_s: until it is at
    speed. first_frame_s: from the start of the process to the first enhanced frame. ram_before_mb: peak just before loading.
    """

    model: str
    import_s: float
    load_s: float
    warm_up_s: float
    first_frame_s: float
    ram_before_mb: float
    ram_peak_mb: float
    gpu_peak_mb: float


@dataclass(frozen=True)
class Rival:
    """Upstream's network against ours, taking turns on the same crops and weights in one process.

    ratio: upstream's median over ours. mean_levels, largest_levels: how far the pictures differ, in levels of 0..255;
    `same` is False where they differ too much to come from the same network.
    """

    model: str
    pairs: int
    ours_ms: Quantiles
    upstream_ms: Quantiles
    ratio: float
    runtime: str
    precision: str
    mean_levels: float
    largest_levels: float
    same: bool
    own_weights: bool


@dataclass
class Bench:
    """All that was measured. `complete` is False while it goes on, and stays so when it was interrupted or something failed."""

    version: str
    device: str
    frame_size: str
    source: str
    quick: bool = False
    complete: bool = False
    seconds: float = 0.0
    networks: list[NetworkTime] = field(default_factory=list)
    paths: list[PathTime] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    rivals: list[Rival] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def models(self) -> list[str]:
        """The networks of which there is any figure, in the order in which they were measured."""
        parts = (self.networks, self.paths, self.flows, self.footprints, self.rivals)
        return list(dict.fromkeys(one.model for part in parts for one in part))

    def path(self, model: str, mode: str) -> PathTime | None:
        """The frame path of a network in a mode, without beauty, if it was measured."""
        return next((one for one in self.paths if (one.model, one.mode, one.beauty) == (model, mode, "off")), None)


def as_json(bench: Bench) -> dict[str, object]:
    """The figures as JSON has them."""
    return dataclasses.asdict(bench)


def read(path: Path) -> Bench:
    """The figures of an earlier run, from its JSON file.

    Raises:
        GpenLiveError: there is no such file, or it is no report of the bench.
    """
    return read_report(path, Bench, "gpen-live bench")
