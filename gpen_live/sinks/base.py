"""The interface of everywhere that finished frames go."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gpen_live.frame import Array, PixelFormat, Size


class Sink(ABC):
    """Takes finished frames. One thread at a time opens, writes and closes it.

    `label` names it for people, `wants` is the pixel format that passes through without another conversion. The 4:2:0
    ones have the sides of `even`.
    """

    label: str
    wants: PixelFormat

    def buffer(self) -> Array | None:
        """Where the next frame may be made, in `wants`: `send` takes it from there without a copy. None: anywhere else.

        It is the caller's for as long as anything refers to it. Any thread may ask.
        """
        return None

    @abstractmethod
    def send(self, pixels: Array, at: float) -> None:
        """Takes one frame in the pixel_format `wants`, of the size and at about the rate given at opening.

        Args:
            at: the moment that it belongs to, in seconds on one clock: that of the send, or a film's own.

        Raises:
            SinkError: the device or file failed.
        """

    @abstractmethod
    def close(self) -> None:
        """Finishes and releases; may be called twice."""


def even(size: Size) -> Size:
    """The size of the 4:2:0 picture for frames of `size`: both sides rounded up to even numbers."""
    return Size(size.width + size.width % 2, size.height + size.height % 2)
