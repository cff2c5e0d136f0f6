"""The sink that takes frames nowhere."""

from __future__ import annotations

from gpen_live.frame import Array, PixelFormat
from gpen_live.sinks.base import Sink


class NullSink(Sink):
    """Accepts every frame and forgets it."""

    label = "No output"
    wants = PixelFormat.BGR

    def send(self, pixels: Array, at: float) -> None:
        """Forgets the frame."""

    def close(self) -> None:
        """Nothing to finish."""
