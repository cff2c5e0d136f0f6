"""The window without a screen: Qt draws into memory."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from collections.abc import Callable, Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from gpen_live.live.config import LiveConfig
from gpen_live.settings import SettingsStore
from gpen_live.ui.controller import Controller
from gpen_live.ui.window import MainWindow
from tests.ui.fakes import FakeCamera, FakeCatalogue, FakePipeline


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting ends with the condition; pytest-qt's limit of 5 s is short for a busy machine."""
    for wait in ("waitUntil", "waitSignal"):
        monkeypatch.setattr(QtBot, wait, partialmethod(getattr(QtBot, wait), timeout=60_000))


@pytest.fixture
def store(tmp_path: Path) -> SettingsStore:
    return SettingsStore(tmp_path / "settings.json")


@pytest.fixture
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture
def controller(qtbot: QtBot, store: SettingsStore, pipeline: FakePipeline) -> Iterator[Controller]:
    """A controller whose pipeline runs."""
    made = Controller(store, pipeline.made_with)
    made.start()
    yield made
    made.shutdown()


@pytest.fixture
def catalogue() -> FakeCatalogue:
    return FakeCatalogue()


@pytest.fixture
def open_window(qtbot: QtBot, catalogue: FakeCatalogue) -> Callable[[Controller], MainWindow]:
    def open_it(controller: Controller) -> MainWindow:
        made = MainWindow(controller, catalogue, lambda: [FakeCamera("Webcam C920", "camera:0")])
        qtbot.addWidget(made)
        made.resize(1280, 720)
        made.show()
        qtbot.waitExposed(made)
        return made

    return open_it


@pytest.fixture
def window(open_window: Callable[[Controller], MainWindow], controller: Controller) -> MainWindow:
    return open_window(controller)


@pytest.fixture
def make_controller(qtbot: QtBot, store: SettingsStore) -> Iterator[Callable[..., Controller]]:
    """Makes controllers that are not started."""
    made: list[Controller] = []

    def make(pipeline: FakePipeline, config: LiveConfig | None = None) -> Controller:
        made.append(Controller(store, pipeline.made_with, config))
        return made[-1]

    yield make
    for controller in made:
        controller.shutdown()
