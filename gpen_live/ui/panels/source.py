"""Camera: where the picture comes from, its size and rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from gpen_live.frame import Size
from gpen_live.ui import background
from gpen_live.ui.controller import Controller
from gpen_live.ui.theme import UNIT
from gpen_live.ui.widgets import Card, ComboBox, field

SIZES = ((640, 360), (640, 480), (960, 540), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
RATES = (24.0, 25.0, 30.0, 50.0, 60.0)

_PICK_FILE = "…file"
_VIDEOS = "Videos (*.mp4 *.mkv *.mov *.webm *.avi *.m4v *.ts);;All files (*)"


class Camera(Protocol):
    """A camera that can be chosen: its name for people, and what the pipeline calls it."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> str: ...


class SourcePanel(Card):
    """Lists cameras in the background, anew whenever the list opens.

    Args:
        list_cameras: finds the cameras; may take seconds.
    """

    def __init__(
        self, controller: Controller, list_cameras: Callable[[], Sequence[Camera]], parent: QWidget | None = None
    ) -> None:
        super().__init__("Camera", parent=parent)
        self._controller = controller
        self._list_cameras = list_cameras
        self._cameras: tuple[tuple[str, str], ...] = ()
        self._job: background.Job | None = None
        self.source = ComboBox("Camera or video file")
        self.source.setToolTip("Where the picture comes from")
        self.picture_size = ComboBox("Size")
        self.picture_size.setToolTip("Picture size, requested from the camera and used for the output")
        self.rate = ComboBox("Frame rate")
        self.rate.setToolTip("Frames per second, requested from the camera and used for the output")
        self.add_field("Source", self.source)
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addLayout(field("Size", self.picture_size), 3)
        row.addLayout(field("Frame rate", self.rate), 2)
        self.rows.addLayout(row)

        self.source.opening.connect(self.refresh)
        self.source.picked.connect(self._pick_source)
        self.picture_size.picked.connect(controller.set_size)
        self.rate.picked.connect(lambda fps: controller.update(fps=fps or 0.0))
        controller.changed.connect(self.show_config)
        self.show_config()

    def refresh(self) -> None:
        """Looks for cameras, unless it is at it already."""
        if self._job is None:
            self._job = background.run(self, lambda job: list(self._list_cameras()), done=self._found, failed=self._not_found)

    def show_config(self) -> None:
        """Shows what holds now."""
        config = self._controller.config
        items = [("Demo camera", "demo")]
        items += list(self._cameras)
        known = [spec for _, spec in items]
        if config.source not in known:
            items.append((describe_source(config.source), config.source))
        items.append(("Video file…", _PICK_FILE))
        self._refill(self.source, items, config.source)

        sizes: list[tuple[str, object]] = [("Automatic", None)]
        sizes += [(describe_size(Size(*size)), Size(*size)) for size in SIZES]
        if config.size is not None and (config.size.width, config.size.height) not in SIZES:
            sizes.append((describe_size(config.size), config.size))
        self._refill(self.picture_size, sizes, config.size)

        rates: list[tuple[str, object]] = [("Auto", None)]
        rates += [(f"{rate:g} fps", rate) for rate in sorted({*RATES, *([config.fps] if config.fps else [])})]
        self._refill(self.rate, rates, config.fps)

    def _refill(self, combo: ComboBox, items: Sequence[tuple[str, object]], current: object) -> None:
        there = [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())]
        if there != list(items):
            combo.fill(items, current)
        else:
            combo.show_data(current)

    def _found(self, cameras: list[Camera]) -> None:
        self._job = None
        self._cameras = tuple((camera.name, camera.spec) for camera in cameras)
        self.show_config()

    def _not_found(self, error: Exception) -> None:
        self._job = None

    def _pick_source(self, spec: str) -> None:
        if spec == _PICK_FILE:
            name, _ = QFileDialog.getOpenFileName(self, "Choose a video file", "", _VIDEOS)
            self.show_config()
            if not name:
                return
            spec = name
        self._controller.update(source=spec)


def describe_source(spec: str) -> str:
    """A source's name for people, where no list of cameras knows it."""
    if spec == "demo":
        return "Demo camera"
    if spec.startswith("camera:"):
        return f"Camera {spec.removeprefix('camera:')}"
    return Path(spec).name if not spec.startswith("/dev/") else spec


def describe_size(size: Size) -> str:
    """A size as people write it."""
    return f"{size.width} × {size.height}"
