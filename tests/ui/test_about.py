"""The About box as its user sees it, and the documents that it shows without a connection."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

import gpen_live
from gpen_live.ui.about import LICENCE, PAPER, THIRD_PARTY, AboutDialog, details, document
from gpen_live.ui.help import ShortcutsSheet
from gpen_live.ui.window import MainWindow
from tests.ui.fakes import RUNNING

LEFT = Qt.MouseButton.LeftButton
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dialog(qtbot: QtBot) -> AboutDialog:
    made = AboutDialog(RUNNING)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


class Browser(QObject):
    """Stands in for the system's browser."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url.toString())


@pytest.fixture
def browser(qtbot: QtBot) -> Iterator[Browser]:
    made = Browser()
    QDesktopServices.setUrlHandler("https", made, "open")  # type: ignore[arg-type]  # wrong in PySide's stubs
    yield made
    QDesktopServices.unsetUrlHandler("https")


def words(dialog: AboutDialog) -> str:
    return " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_f1_leads_to_it(window: MainWindow, qtbot: QtBot) -> None:
    QTest.keyClick(window, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: bool(window.findChildren(ShortcutsSheet)))
    sheet = window.findChildren(ShortcutsSheet)[0]
    QTest.mouseClick(sheet.about, LEFT)
    assert not sheet.isVisible()
    qtbot.waitUntil(lambda: any(one.isVisible() for one in window.findChildren(AboutDialog)))


def test_it_names_version_licence_and_paper(dialog: AboutDialog) -> None:
    for name in (gpen_live.__version__, "Apache License 2.0", "GAN Prior Embedded Network", PAPER):
        assert name in words(dialog)


def test_the_paper_opens_in_the_browser(dialog: AboutDialog, browser: Browser) -> None:
    dialog.credit.setFocus()
    QTest.keyClick(dialog.credit, Qt.Key.Key_Tab)
    QTest.keyClick(dialog.credit, Qt.Key.Key_Return)
    assert browser.opened == [PAPER]


def test_third_party_notices_show_as_a_page_and_lead_back(dialog: AboutDialog) -> None:
    QTest.mouseClick(dialog.third_party, LEFT)
    text = dialog.text.toPlainText()
    assert dialog.text.isVisible()
    for name in ("PySide6", "LGPL-3.0-only", "pyvirtualcam", "GPL-2.0", "x264", "CC-BY-4.0", "Eileen Collins"):
        assert name.lower() in text.lower(), name
    assert "| --- |" not in text
    assert dialog.text.verticalScrollBar().value() == 0
    QTest.mouseClick(dialog.back, LEFT)
    assert dialog.third_party.isVisible()


def test_links_in_the_notices_open_in_the_browser(dialog: AboutDialog, browser: Browser) -> None:
    dialog.show_document("Third-party notices", THIRD_PARTY)
    dialog.text.setFocus()
    QTest.keyClick(dialog.text, Qt.Key.Key_Tab)
    QTest.keyClick(dialog.text, Qt.Key.Key_Return)
    assert browser.opened == ["https://github.com/PyAV-Org/PyAV"]
    assert "Third-party software" in dialog.text.toPlainText()


def test_the_licence_shows_as_it_is(dialog: AboutDialog) -> None:
    QTest.mouseClick(dialog.licence, LEFT)
    assert dialog.text.toPlainText().strip() == (ROOT / "LICENSE").read_text(encoding="utf-8").strip()


def test_details_are_copied(dialog: AboutDialog) -> None:
    QGuiApplication.clipboard().clear()
    QTest.mouseClick(dialog.copy, LEFT)
    text = QApplication.clipboard().text()
    assert text == details(RUNNING)
    assert dialog.copy.text() == "Copied"


def test_details_say_what_a_bug_report_needs() -> None:
    text = details(RUNNING)
    for name in (
        f"GPEN Live {gpen_live.__version__}",
        f"Python {platform.python_version()}",
        "Qt 6.",
        "numpy 1.",
        "lite-256",
        "CPU",
    ):
        assert name in text


def test_details_name_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "carolina")
    monkeypatch.setattr(platform, "node", lambda: "carolinas-laptop")
    monkeypatch.setattr(platform, "platform", lambda: "Linux-6.1-carolinas-laptop")
    text = details(replace(RUNNING, model_name=str(tmp_path / "weights of mine.safetensors")))
    assert "carolina" not in text
    assert "weights of mine" not in text


def test_documents_are_found_in_a_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There they are in the metadata, where pyproject.toml puts them, and nothing lies beside the package."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'license-files = ["{LICENCE}", "{THIRD_PARTY}"]' in pyproject
    info = tmp_path / "gpen_live-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "METADATA").write_text("Name: gpen-live\nVersion: 1.0\n", encoding="utf-8")
    for name in (LICENCE, THIRD_PARTY):
        (info / "licenses" / name).write_text(f"This is {name}.", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(gpen_live, "__file__", str(tmp_path / "gpen_live" / "__init__.py"))
    assert [document(name) for name in (LICENCE, THIRD_PARTY)] == [f"This is {name}." for name in (LICENCE, THIRD_PARTY)]


@pytest.mark.parametrize("error", [None, metadata.PackageNotFoundError])
def test_a_document_that_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: type[Exception] | None
) -> None:
    def distribution(name: str) -> metadata.Distribution:
        if error is not None:
            raise error(name)
        return metadata.Distribution.at(tmp_path)

    monkeypatch.setattr(metadata, "distribution", distribution)
    monkeypatch.setattr(gpen_live, "__file__", str(tmp_path / "gpen_live" / "__init__.py"))
    assert THIRD_PARTY in document(THIRD_PARTY)
    assert "missing" in document(THIRD_PARTY)
