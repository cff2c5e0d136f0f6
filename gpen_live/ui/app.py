"""Starts the window; everything heavy (PyTorch, the models, the cameras) waits until it is on the screen."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2  # noqa: F401  before Qt, so that what its import does to Qt's environment can be undone

if sys.platform.startswith("linux"):
    # On Linux, cv2 points Qt at plugins and fonts of its own.
    for _name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        os.environ.pop(_name, None)

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from gpen_live.settings import SettingsStore
from gpen_live.ui import icons
from gpen_live.ui.controller import Controller, Pipeline
from gpen_live.ui.models import Registry
from gpen_live.ui.theme import ThemeKeeper
from gpen_live.ui.window import MainWindow

if TYPE_CHECKING:
    from gpen_live.live.config import LiveConfig
    from gpen_live.ui.panels.source import Camera

_log = logging.getLogger(__name__)


def run_app(config_overrides: Mapping[str, Any] | None = None, *, debug: bool = False) -> int:
    """Shows the window and stays until it is closed.

    Args:
        config_overrides: LiveConfig fields that hold for this run, over the saved settings.
        debug: print to stderr how long the window took to appear.

    Returns:
        The exit code.
    """
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("gpen-live")
    app.setApplicationDisplayName("GPEN Live")
    app.setDesktopFileName("gpen-live")
    app.setWindowIcon(icons.app_icon())
    controller = Controller(SettingsStore(), _make_pipeline, config_overrides)
    window = MainWindow(controller, Registry(), _list_cameras, ThemeKeeper(app))

    def begin() -> None:
        if debug:
            sys.stderr.write(f"window up after {_seconds_since_start():.2f} s\n")
        controller.start()
        window.source.refresh()

    window.first_painted.connect(begin)
    _close_on_interrupt(window)
    window.show()
    return app.exec()


def _make_pipeline(config: LiveConfig) -> Pipeline:
    from gpen_live.live.pipeline import LivePipeline

    return LivePipeline(config)


def _list_cameras() -> Sequence[Camera]:
    from gpen_live.sources.devices import list_cameras

    return list_cameras()


def _close_on_interrupt(window: MainWindow) -> None:
    """Ctrl-C in the terminal closes the window. Qt's loop is C++: a timer lets Python see the signal."""
    signal.signal(signal.SIGINT, lambda number, frame: window.close())
    beat = QTimer(window)
    beat.start(200)
    beat.timeout.connect(lambda: None)


def _seconds_since_start() -> float:
    import psutil

    return float(time.time() - psutil.Process().create_time())
