"""What the pipeline tells about itself: one immutable snapshot for the window, the terminal and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from gpen_live.frame import Size
from gpen_live.messages import Message


class Health(Enum):
    """State of one part of the pipeline."""

    OFF = "off"
    STARTING = "starting"
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class PartStatus:
    """A part's health, its name for people, and a message when there is something to say.

    `again`: it works, but not as was asked for, and trying that again (`LivePipeline.retry`) may help.
    """

    health: Health = Health.OFF
    label: str = ""
    message: Message | None = None
    again: bool = False

    @property
    def text(self) -> str:
        """The message in words; empty when there is nothing to say."""
        return "" if self.message is None else self.message.text


@dataclass(frozen=True)
class Quantiles:
    """Milliseconds (of the samples that a meter holds); zeros when there is none."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class Counts:
    """Frames since the start.

    Each captured frame ends in exactly one place: captured = enhanced + raw + dropped (+ those under way). enhanced and raw
    count frames that the sink took for the first time; sent = enhanced + raw + repeated. out_of_order counts frames older than
    one sent before them; it is always 0.
    """

    captured: int = 0
    enhanced: int = 0
    sent: int = 0
    dropped: int = 0
    repeated: int = 0
    raw: int = 0
    out_of_order: int = 0


@dataclass(frozen=True)
class Rates:
    """Frames per second over the last two seconds."""

    capture: float = 0.0
    enhance: float = 0.0
    output: float = 0.0
    fresh: float = 0.0
    """Of the output: frames that were not sent before."""


@dataclass(frozen=True)
class QualityState:
    """What is given up to hold the latency budget.

    `level` is the place on the ladder (0: nothing is given up), `given_up` says what is; `steps_down` and `steps_up` count
    changes, `full_share` is the share of the time, 0 to 1, for which nothing was given up.
    """

    level: int = 0
    given_up: tuple[Message, ...] = ()
    steps_down: int = 0
    steps_up: int = 0
    full_share: float = 1.0


@dataclass(frozen=True)
class OutputState:
    """One output: its name on the command line, its part of the board, how it is, and the frames that it took since its start."""

    spec: str
    part: str
    status: PartStatus = PartStatus()
    sent: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Snapshot:
    """The pipeline at one moment; stage quantiles are over the last two seconds."""

    source: PartStatus = PartStatus()
    model: PartStatus = PartStatus()
    sink: PartStatus = PartStatus()
    """Of the first output."""
    outputs: tuple[OutputState, ...] = ()
    """All of them, the first one included."""
    model_name: str = ""
    precision: str = ""
    device: str = ""
    size: Size | None = None
    stages: dict[str, Quantiles] = field(default_factory=dict)
    rates: Rates = Rates()
    counts: Counts = Counts()
    faces: int | None = 0
    """Faces in the last frame; None in full-frame mode, where they are not searched for."""
    busy: float = 0.0
    """The share of the time, 0 to 1, for which the device works for us, over the last two seconds."""
    quality: QualityState = QualityState()
    raw_reason: Message | None = None
    """Why the raw frame goes out; None while frames are enhanced."""
    beauty_trouble: Message | None = None
    """Why beauty that is asked for is not drawn."""


def grade(end_to_end_p50_ms: float) -> str:
    """The article's grade of an end-to-end latency: fluent, acceptable, stuttering or unusable."""
    if end_to_end_p50_ms < 100:
        return "fluent"
    if end_to_end_p50_ms <= 200:
        return "acceptable"
    return "stuttering" if end_to_end_p50_ms <= 300 else "unusable"


def busy_name(device: str) -> str:
    """What is busy when we are: "GPU", or "engine" for the thread that computes on the processor."""
    return "GPU" if device.startswith(("cuda", "mps")) else "engine"
