"""The demo camera: works on every machine, shows the same pictures on every run."""

from __future__ import annotations

from gpen_live.frame import Image, Size
from gpen_live.sources.base import Source
from gpen_live.sources.pacing import Pace

DEFAULT_SIZE = Size(1280, 720)
DEFAULT_FPS = 30.0


class DemoSource(Source):
    """A public-domain portrait that moves, turns and leans in before a soft room, as a cheap webcam would film it.

    Endless. In real time it delivers at `fps` and leaves out what a late reader missed; otherwise every picture at once, in turn.
    """

    label = "Demo camera"

    def __init__(self, size: Size | None = None, fps: float | None = None, *, realtime: bool = True) -> None:
        from gpen_live.sources.demo_scene import DemoScene  # reads the photo: not at the window's start

        self.size = size or DEFAULT_SIZE
        self.fps = fps or DEFAULT_FPS
        self._scene = DemoScene(self.size, self.fps)
        self._pace = Pace(self.fps) if realtime else None
        self._next = 0

    def read(self) -> Image:
        """The next picture, when it is due."""
        number = self._next if self._pace is None else self._pace.next_number()
        self._next = number + 1
        self.media_time = number / self.fps
        return self._scene.frame(number)

    def close(self) -> None:
        """Nothing to release."""
