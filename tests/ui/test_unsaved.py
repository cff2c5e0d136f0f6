"""Settings that the disk does not take: said once, held meanwhile, written as soon as it works, and the message goes."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from gpen_live.settings import SettingsStore
from gpen_live.ui import controller as controllers
from gpen_live.ui.controller import Controller
from gpen_live.ui.notify import Notice
from tests.messages.says import holds
from tests.ui.fakes import FakePipeline


def test_settings_are_saved_once_they_can_be(
    qtbot: QtBot, store: SettingsStore, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controllers, "SAVE_AFTER_MS", 10)
    monkeypatch.setattr(controllers, "SAVE_AGAIN_MS", 30)
    in_the_way = store.path.parent / "file"
    in_the_way.write_text("in the way", encoding="utf-8")
    store.path = in_the_way / "settings.json"
    controller = Controller(store, pipeline.made_with)
    controller.start()
    noticed: list[Notice] = []
    settled: list[str] = []
    controller.noticed.connect(noticed.append)
    controller.settled.connect(settled.append)
    controller.change_look(strength=0.5)
    qtbot.waitUntil(lambda: bool(noticed))
    controller.change_look(strength=0.25)
    qtbot.wait(150)
    (notice,) = noticed
    assert notice.key == "settings"
    assert holds(notice.message, "settings.unsaved", path=store.path)
    assert controller.settings.look.strength == 0.25
    assert settled == []
    in_the_way.unlink()
    qtbot.waitUntil(lambda: "settings" in settled)
    assert store.load().settings.look.strength == 0.25
    controller.shutdown()
