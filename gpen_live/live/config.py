"""What the user asks of the live pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gpen_live.frame import Size
from gpen_live.live.budget.ladder import DEFAULT_MS
from gpen_live.look import Look


class Resting(str, Enum):
    """When neither faces are searched for nor the network runs, and raw frames go out.

    KNOWN: while the window is hidden and it is known that no program reads the virtual camera (v4l2loopback tells). HIDDEN: also
    where that is not known. NEVER: never.
    """

    KNOWN = "known"
    HIDDEN = "hidden"
    NEVER = "never"


FIRST_OUTPUT = "sink"
"""The board's part of the first output."""


def output_parts(sinks: Sequence[str]) -> dict[str, str]:
    """The outputs that `LiveConfig.sinks` asks for, each once, and the board's part of each: `FIRST_OUTPUT`, "sink b.mp4", ..."""
    specs = list(dict.fromkeys(spec for spec in sinks if spec != "none")) or ["none"]
    return {spec: f"{FIRST_OUTPUT} {spec}" if place else FIRST_OUTPUT for place, spec in enumerate(specs)}


@dataclass(frozen=True)
class LiveConfig:
    """Everything about one run.

    Args:
        source: "demo", a video file, "camera:N" or "/dev/videoN".
        sinks: where finished frames go, at once: files to record to, "vcam" or "vcam:DEVICE"; "none", or none at all, is nowhere.
            The first one is what the meters are about.
        size: size of the output, also asked of a camera; None takes the source's.
        fps: rate of the output, also asked of a camera; None takes the source's.
        model: a name of the registry. weights: a file to use instead of the model's own.
        look: how faces are to look.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        leave_room: the share of the device's time, 0 to 1, that is left to other programs, such as a game; the frame rate falls
            where the rest is too little.
        budget_ms: milliseconds that a frame may take from capture to sink; under load the engine gives up, one after the other,
            what `gpen_live.live.budget.ladder` says. 0: nothing is given up.
        rest: when to rest.
        overlay: draw latency and frame rate into the output for viewers to see.
        loop: start a video file anew at its end.
    """

    source: str = "demo"
    sinks: tuple[str, ...] = ()
    size: Size | None = None
    fps: float | None = None
    model: str = "lite-256"
    weights: Path | None = None
    look: Look = field(default_factory=Look)
    device: str = "auto"
    leave_room: float = 0.0
    budget_ms: float = DEFAULT_MS
    rest: Resting = Resting.KNOWN
    overlay: bool = False
    loop: bool = True
