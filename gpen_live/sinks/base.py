"""The interface of everywhere that finished frames go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum

from gpen_live.frame import Array


class PixelFormat(Enum):
    """Layouts that a sink may ask for; 4:2:0 ones are H*3/2 x W, uint8, BT.601 limited range as pyvirtualcam expects."""

    BGR = "bgr"
    I420 = "i420"
    NV12 = "nv12"


class Sink(ABC):
    """Takes finished frames. One thread opens, writes and closes it.

    `label` names it for people, `wants` is the layout that passes through without another conversion.
    """

    label: str
    wants: PixelFormat

    @abstractmethod
    def send(self, pixels: Array) -> None:
        """Takes one frame in the layout `wants`, of the size and at about the rate given at opening.

        Raises:
            SinkError: the device or file failed.
        """

    @abstractmethod
    def close(self) -> None:
        """Finishes and releases; may be called twice."""
