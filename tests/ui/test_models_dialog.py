"""Models: terms first, then the download, its progress, its end; and files of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gpen_live.messages import message
from gpen_live.models.registry import enhancers
from gpen_live.ui.controller import Controller
from gpen_live.ui.models import ModelCatalogue
from gpen_live.ui.models_dialog import ModelsDialog, describe_bytes
from tests.ui.fakes import FakeCatalogue, FakePipeline

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dialog(qtbot: QtBot, controller: Controller, catalogue: FakeCatalogue) -> ModelsDialog:
    made = ModelsDialog(controller, catalogue)
    qtbot.addWidget(made)
    made.show()
    return made


def release(catalogue: FakeCatalogue, count: int) -> None:
    for _ in range(count):
        catalogue.step.release()


def accept(dialog: ModelsDialog, name: str) -> None:
    QTest.mouseClick(dialog.rows[name].main, LEFT)
    dialog.licence.agree.setChecked(True)
    QTest.mouseClick(dialog.licence.download, LEFT)


def test_terms_come_before_the_download(dialog: ModelsDialog, catalogue: FakeCatalogue) -> None:
    QTest.mouseClick(dialog.rows["gpen-512"].main, LEFT)
    assert dialog.showing_licence()
    assert dialog.licence.text.toPlainText() == "The terms of gpen-512."
    assert not dialog.licence.download.isEnabled()
    QTest.mouseClick(dialog.licence.download, LEFT)
    QTest.mouseClick(dialog.licence.back, LEFT)
    assert not dialog.showing_licence()
    assert catalogue.fetched == []


def test_a_download_shows_progress_and_its_model_is_used(
    dialog: ModelsDialog, qtbot: QtBot, catalogue: FakeCatalogue, controller: Controller, pipeline: FakePipeline
) -> None:
    accept(dialog, "gpen-512")
    row = dialog.rows["gpen-512"]
    assert row.main.text() == "Cancel"
    release(catalogue, 1)
    qtbot.waitUntil(lambda: row.state.text() == "20 MB of 80 MB")
    assert row.bar.value() == 250
    with qtbot.waitSignal(dialog.changed):
        release(catalogue, 3)
    assert pipeline.changes == [{"model": "gpen-512"}]
    assert row.main.text() == "In use"
    assert not row.bar.isVisible()
    assert controller.settings.accepted_licences == ("gpen-512",)


def test_a_cancelled_download_can_be_resumed_without_asking_again(
    dialog: ModelsDialog, qtbot: QtBot, catalogue: FakeCatalogue, pipeline: FakePipeline
) -> None:
    accept(dialog, "gpen-512")
    row = dialog.rows["gpen-512"]
    release(catalogue, 1)
    qtbot.waitUntil(lambda: row.bar.value() == 250)
    QTest.mouseClick(row.main, LEFT)
    release(catalogue, 1)
    qtbot.waitUntil(lambda: row.main.text() == "Resume")
    assert pipeline.changes == []
    QTest.mouseClick(row.main, LEFT)
    assert not dialog.showing_licence()
    with qtbot.waitSignal(dialog.changed):
        release(catalogue, 4)
    assert catalogue.fetched == ["gpen-512", "gpen-512"]


def test_a_failed_download_says_why(dialog: ModelsDialog, qtbot: QtBot, catalogue: FakeCatalogue) -> None:
    catalogue.refusal = refusal = message("fetch.unreachable", host="example.org")
    accept(dialog, "gpen-256")
    row = dialog.rows["gpen-256"]
    release(catalogue, 1)
    qtbot.waitUntil(lambda: row.state.text() == refusal.text)
    assert row.main.text() == "Download…"


def test_closing_the_dialog_keeps_the_download_going(
    dialog: ModelsDialog, qtbot: QtBot, catalogue: FakeCatalogue, pipeline: FakePipeline
) -> None:
    accept(dialog, "gpen-256")
    dialog.close()
    release(catalogue, 4)
    qtbot.waitUntil(lambda: pipeline.changes == [{"model": "gpen-256"}])


def test_a_file_of_ones_own_is_checked_then_used(
    dialog: ModelsDialog, qtbot: QtBot, catalogue: FakeCatalogue, pipeline: FakePipeline, tmp_path: Path
) -> None:
    own = tmp_path / "own.pth"
    dialog.try_file("gpen-512", own)
    qtbot.waitUntil(lambda: bool(pipeline.changes))
    assert catalogue.checked == [own]
    assert pipeline.changes == [{"model": "gpen-512", "weights": own}]
    row = dialog.rows["gpen-512"]
    assert str(own) in row.state.text()
    QTest.mouseClick(row.own_file, LEFT)
    assert pipeline.changes[1:] == [{"weights": None}]


def test_a_wrong_file_changes_nothing(
    dialog: ModelsDialog, qtbot: QtBot, catalogue: FakeCatalogue, pipeline: FakePipeline, tmp_path: Path
) -> None:
    catalogue.refusal = refusal = message("weights.code", path="own.pth")
    dialog.try_file("gpen-512", tmp_path / "own.pth")
    qtbot.waitUntil(lambda: dialog.rows["gpen-512"].state.text() == refusal.text)
    assert pipeline.changes == []


def test_using_another_model(dialog: ModelsDialog, catalogue: FakeCatalogue, pipeline: FakePipeline) -> None:
    catalogue.installed.add("gpen-256")
    dialog.refresh()
    QTest.mouseClick(dialog.rows["gpen-256"].main, LEFT)
    assert pipeline.changes == [{"model": "gpen-256"}]
    assert not dialog.rows["gpen-256"].main.isEnabled()
    assert dialog.rows["lite-256"].main.text() == "Use"


def test_the_real_registry_fits_the_dialog(
    qtbot: QtBot, controller: Controller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    models = ModelCatalogue().models()
    assert [model.name for model in models] == [spec.name for spec in enhancers()]
    dialog = ModelsDialog(controller, ModelCatalogue())
    qtbot.addWidget(dialog)
    dialog.ask_for("gpen-2048")
    assert dialog.showing_licence()
    assert "GPEN" in dialog.licence.text.toPlainText()


@pytest.mark.parametrize(("count", "text"), [(284_085_738, "284 MB"), (2_800_000, "2.8 MB")])
def test_lengths_as_people_write_them(count: int, text: str) -> None:
    assert describe_bytes(count) == text


def test_a_missing_own_file_is_refused_by_the_real_catalogue(
    controller: Controller, qtbot: QtBot, tmp_path: Path, make_controller: Callable[..., Controller]
) -> None:
    dialog = ModelsDialog(controller, ModelCatalogue())
    qtbot.addWidget(dialog)
    dialog.try_file("gpen-256", tmp_path / "gone.pth")
    qtbot.waitUntil(lambda: "does not exist" in dialog.rows["gpen-256"].state.text(), timeout=60_000)
