"""What travels through the pipeline: a picture with its number, its capture time and the time of each stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""A picture: H x W x 3, uint8, BGR, C-contiguous."""

Array = npt.NDArray[Any]


class PixelFormat(Enum):
    """Layouts that a sink may ask for; the 4:2:0 ones are H*3/2 x W, uint8, BT.601 limited range as pyvirtualcam expects."""

    BGR = "bgr"
    I420 = "i420"
    NV12 = "nv12"


STAGES = ("capture", "detect", "warp", "network", "blend", "convert", "send", "end_to_end")
"""The stages that every frame path times, in the order in which a frame meets them. There may be others: see `in_order`."""


def in_order(stages: Iterable[str]) -> list[str]:
    """Each name once, in the order in which a frame meets the stages: those not in STAGES follow the network."""
    others = STAGES.index("network") + 0.5
    return sorted(dict.fromkeys(stages), key=lambda stage: STAGES.index(stage) if stage in STAGES else others)


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @staticmethod
    def of(image: Array) -> Size:
        return Size(int(image.shape[1]), int(image.shape[0]))


@dataclass
class Frame:
    """One captured picture on its way through the pipeline.

    `number` counts captured frames from 0 and never goes back; `captured_at` is `live.clock.now()` at the moment when the
    source delivered it, and serves to tell latency; `media_time` is seconds on the source's own timeline (a film's time stamps, a
    live camera's capture clock), which never goes back within a `scene`: all that lives in time takes it from there. `times_ms`
    collects milliseconds by stage name (see STAGES); `scene` changes with the source.
    """

    image: Image
    number: int
    captured_at: float
    media_time: float
    times_ms: dict[str, float] = field(default_factory=dict)
    scene: int = 0
