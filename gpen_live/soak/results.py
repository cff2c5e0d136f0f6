"""What a soak found, as plain data: what is judged, shown, drawn and written is made of this alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gpen_live.live.status.report import read_report


@dataclass(frozen=True)
class Sample:
    """A few seconds of the run, the last of them `at_s` after its start. `quiet`: no fault touched them.

    Counts are of frames in these seconds: `captured`, `sent` and `fresh` (sent for the first time) as seen from outside,
    `enhanced` and `dropped` as the pipeline counts. `pause_s`, `still_s`: the longest time without a frame at the output, and
    without a new one, where no fault excuses it. `load`, `own`: the share of the machine's cores that anyone keeps busy, and that
    we do, 0 to 1. `capture_slip_ms`, `output_slip_ms`: how much later the last frame came than its rate says, counted from the
    first; negative: earlier. That is a clock's drift in these seconds, whatever frames were left out.
    """

    at_s: float
    seconds: float
    quiet: bool
    memory_mb: float
    gpu_mb: float
    handles: int
    threads: int
    children: int
    load: float
    own: float
    captured: int
    sent: int
    fresh: int
    enhanced: int
    dropped: int
    pause_s: float
    still_s: float
    capture_slip_ms: float
    output_slip_ms: float

    @property
    def others(self) -> float:
        """The share of the machine that other programs took."""
        return max(0.0, self.load - self.own)


@dataclass(frozen=True)
class Latency:
    """Milliseconds from source to sink of the undisturbed frames of about a minute, up to `at_s`."""

    at_s: float
    frames: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Event:
    """A fault that happened: when it began, how long it lasted, and how long after it all was well again.

    `back_s` None: it never was. `helped`: only after it was tried again by hand.
    """

    kind: str
    at_s: float
    seconds: float
    back_s: float | None
    limit_s: float
    helped: bool = False


@dataclass
class Soak:
    """One run. `fps` is the output's rate, `usual_fps` that of a run that isn't sped up.

    `warm_s`: when the warm-up ended and growth began to count; None: it never came to that. `trouble`: the
    sentence with which the pipeline ended before its time.
    """

    version: str
    device: str
    model: str
    source: str
    sink: str
    size: str
    fps: float
    usual_fps: float
    seed: int
    faults_per_hour: float
    wanted_s: float
    seconds: float = 0.0
    warm_s: float | None = None
    backwards: int = 0
    unreadable: int = 0
    black: int = 0
    trouble: str = ""
    samples: list[Sample] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Frames captured."""
        return sum(one.captured for one in self.samples)

    @property
    def hours_of_frames(self) -> float:
        """How long a camera of the usual rate takes for as many frames."""
        return self.frames / self.usual_fps / 3600

    @property
    def settled(self) -> list[Sample]:
        """Quiet samples after the warm-up: what growth is measured on."""
        return [one for one in self.samples if one.quiet and self.warm_s is not None and one.at_s >= self.warm_s]


def read(path: Path) -> Soak:
    """The figures of an earlier run, from its JSON file.

    Raises:
        GpenLiveError: there is no such file, or it is no report of the soak.
    """
    return read_report(path, Soak, "gpen-live soak")
