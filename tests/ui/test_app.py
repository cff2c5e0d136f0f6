"""The whole app with its real pipeline, from start to end, without a screen."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gpen_live.frame import Size
from gpen_live.live.config import LiveConfig
from gpen_live.settings import Settings, SettingsStore
from gpen_live.ui.app import run_app
from gpen_live.ui.window import MainWindow


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)
    for thread in threading.enumerate():  # a model may still be loading
        if thread.name.startswith("gpen-live-"):
            thread.join(120)


def test_a_run_of_a_few_frames_ends_by_itself_and_leaves_its_report(qtbot: QtBot, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    config = LiveConfig(size=Size(320, 180), fps=30.0, loop=False)
    assert run_app(config, frames=10, report=report) == 0
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["frames"]["captured"] == 10
    assert told["frames"]["out_of_order"] == 0
    assert SettingsStore().load().settings.source == Settings().source


def test_it_can_be_closed_at_once(qtbot: QtBot) -> None:
    def close() -> None:
        (window,) = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow) and widget.isVisible()]
        window.close()

    QTimer.singleShot(0, close)
    assert run_app(LiveConfig(size=Size(320, 180))) == 0
