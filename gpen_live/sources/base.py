"""The interface of everything that delivers frames."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gpen_live.frame import Image, Size


class Source(ABC):
    """Delivers frames at its own pace. One thread at a time opens, reads and closes it.

    `label` names it for people ("Logitech C920", "clip.mp4", "Demo camera"), `size` is the size of its frames, `fps` the frame
    rate that it promises (measured once known). `media_time` is the time of the picture that was read last, in seconds on the
    source's own timeline, which never goes back; None for a live device, whose pictures are of the moment when they are read.
    """

    label: str
    size: Size
    fps: float
    media_time: float | None = None

    @abstractmethod
    def read(self) -> Image | None:
        """The next frame, waiting for it; None when there will be no more.

        Raises:
            SourceError: the camera or file failed.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases the device or file; may be called twice."""
