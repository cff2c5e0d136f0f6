"""Starts the window; everything heavy (PyTorch, the models, the cameras) waits until it is on the screen."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2  # noqa: F401  before Qt, so that what its import does to Qt's environment can be undone

if sys.platform.startswith("linux"):
    # On Linux, cv2 points Qt at plugins and fonts of its own.
    for _name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        os.environ.pop(_name, None)

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from gpen_live.live.pacing.clock import now
from gpen_live.settings import SettingsStore
from gpen_live.system.folders import config_dir
from gpen_live.ui import icons
from gpen_live.ui.controller import Controller
from gpen_live.ui.instance import Instance
from gpen_live.ui.models import ModelCatalogue
from gpen_live.ui.theme import ThemeKeeper
from gpen_live.ui.window import MainWindow

if TYPE_CHECKING:
    from gpen_live.live.config import LiveConfig
    from gpen_live.live.pipeline import LivePipeline
    from gpen_live.ui.panels.source import Camera

_log = logging.getLogger(__name__)


def run_app(
    config: LiveConfig | None = None, *, frames: int | None = None, seconds: float | None = None, report: Path | None = None
) -> int:
    """Shows the window and stays until it is closed.

    Args:
        config: wishes that hold for this session in place of the saved settings; None takes the settings.
        frames: close after so many captured frames.
        seconds: close so many seconds after the first frame.
        report: write the run's figures to this JSON file at the end.

    Returns:
        The exit code; 0 too where a window is open already, which is said.

    Raises:
        GpenLiveError: the report can't be written.
    """
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("gpen-live")
    app.setApplicationDisplayName("GPEN Live")
    app.setDesktopFileName("gpen-live")
    app.setWindowIcon(icons.app_icon())
    store, theme = SettingsStore(), ThemeKeeper(app)
    instance = Instance(config_dir(), app)
    if not instance.claim():
        theme.choose(store.load().settings.theme)
        _tell_of_the_first(instance)
        return 0
    run = _Run(frames, seconds)
    controller = Controller(store, run.make_pipeline, config)
    window = MainWindow(controller, ModelCatalogue(), _list_cameras, theme)

    def begin() -> None:
        _log.info("window up %.2f s after the start of the process", _seconds_since_start())
        controller.start()
        window.source.refresh()

    def beat() -> None:  # also lets Python see signals: Qt's loop is C++
        if run.over():
            window.close()

    window.first_painted.connect(begin)
    instance.asked_to_show.connect(lambda: _to_the_front(window))
    for polite in (signal.SIGINT, signal.SIGTERM):
        signal.signal(polite, lambda number, frame: window.close())
    timer = QTimer(window)
    timer.timeout.connect(beat)
    timer.start(100)
    window.show()
    try:
        code = app.exec()
    finally:
        instance.release()
    if report is not None and run.pipeline is not None:
        from gpen_live.live.status.report import write_report

        write_report(report, run.pipeline.report())
    return code


def _tell_of_the_first(instance: Instance) -> None:
    """Says that GPEN Live runs already, and brings its window to the front if that is wished."""
    box = QMessageBox()
    box.setIcon(QMessageBox.Icon.Information)
    box.setText("GPEN Live is already running.")
    box.setInformativeText(
        "Two instances would compete for the camera. To run a second one with its own settings, set GPEN_LIVE_HOME."
    )
    show = box.addButton("Show window", QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Close)
    box.setDefaultButton(show)
    box.exec()
    if box.clickedButton() is show and not instance.show_first():
        QMessageBox.warning(
            box,
            "GPEN Live",
            "The open window is not responding. If it stays that way, end GPEN Live in your system's task manager.",
        )


def _to_the_front(window: MainWindow) -> None:
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()


class _Run:
    """The pipeline of this session, and when it is to end."""

    def __init__(self, frames: int | None, seconds: float | None) -> None:
        self._frames = frames
        self._seconds = seconds
        self.pipeline: LivePipeline | None = None

    def make_pipeline(self, config: LiveConfig) -> LivePipeline:
        from gpen_live.live.pipeline import LivePipeline

        self.pipeline = LivePipeline(config, max_frames=self._frames)
        return self.pipeline

    def over(self) -> bool:
        """Whether the run has had the frames or seconds that it was given."""
        if self.pipeline is None or (self._frames is None and self._seconds is None):
            return False
        first = self.pipeline.meters.first_sent_at
        timed_out = self._seconds is not None and first is not None and now() - first >= self._seconds
        return timed_out or self.pipeline.finished


def _list_cameras() -> Sequence[Camera]:
    from gpen_live.sources.devices import list_cameras

    return list_cameras()


def _seconds_since_start() -> float:
    import psutil

    return float(time.time() - psutil.Process().create_time())
