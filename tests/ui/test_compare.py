"""Before and after side by side, with a divider that can be dragged."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from gpen_live.ui.window import MainWindow
from tests.ui.fakes import FINISHED, RAW, FakePipeline
from tests.ui.test_window import colour_at

LEFT = Qt.MouseButton.LeftButton


def colour(window: MainWindow, share: float) -> tuple[int, int, int]:
    """The colour of the picture at `share` of its width, below its middle."""
    place = window.preview.picture_rect()
    return colour_at(
        window.preview, QPoint(round(place.left() + share * place.width()), round(place.top() + 0.75 * place.height()))
    )


@pytest.fixture
def divided(window: MainWindow) -> MainWindow:
    window.take_frame()
    QTest.mouseClick(window.split_button, LEFT)
    return window


def test_the_raw_picture_is_at_the_left_of_the_divider(divided: MainWindow, pipeline: FakePipeline) -> None:
    assert (colour(divided, 0.4), colour(divided, 0.6)) == (RAW, FINISHED)
    assert pipeline.changes == [], "viewers see nothing of it"
    QTest.mouseClick(divided.split_button, LEFT)
    assert (colour(divided, 0.4), colour(divided, 0.6)) == (FINISHED, FINISHED)
    assert not divided.preview.divider.isVisible()


def test_the_divider_is_dragged_and_stays_within_the_picture(divided: MainWindow) -> None:
    line = divided.preview.divider
    middle = QPoint(line.width() // 2, 40)
    QTest.mousePress(line, LEFT, pos=middle)
    QTest.mouseMove(line, middle + QPoint(round(0.3 * divided.preview.picture_rect().width()), 0))
    assert line.share == pytest.approx(0.8, abs=0.01)
    assert (colour(divided, 0.7), colour(divided, 0.9)) == (RAW, FINISHED)
    QTest.mouseMove(line, QPoint(5000, 40))
    QTest.mouseRelease(line, LEFT, pos=middle)
    assert line.share == 1
    assert colour(divided, 0.9) == RAW
    QTest.mouseDClick(line, LEFT, pos=middle)
    assert line.share == 0.5


def test_the_divider_keeps_its_place_when_the_window_grows(divided: MainWindow) -> None:
    divided.preview.divider.setValue(250)
    divided.resize(1000, 700)
    place = divided.preview.picture_rect()
    assert divided.preview.divider.geometry().center().x() == pytest.approx(place.left() + 0.25 * place.width(), abs=2)


def test_the_keyboard_does_all_of_it(window: MainWindow) -> None:
    window.take_frame()
    QTest.keyClick(window.preview, Qt.Key.Key_B)
    line = window.preview.divider
    assert window.split_button.isChecked()
    assert line.hasFocus()
    QTest.keyClick(line, Qt.Key.Key_Right)
    assert line.share == pytest.approx(0.52)
    QTest.keyClick(line, Qt.Key.Key_Home)
    assert line.share == 0
    QTest.keyClick(line, Qt.Key.Key_Down)  # the window's, also from here
    assert window.controller.config.look.strength == 0.95
    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert not window.preview.divided
    assert not window.split_button.isChecked()
    assert window.preview.hasFocus()


def test_holding_compare_shows_all_of_the_raw_picture_meanwhile(divided: MainWindow) -> None:
    QTest.keyPress(divided.preview.divider, Qt.Key.Key_Space)
    assert (colour(divided, 0.4), colour(divided, 0.6)) == (RAW, RAW)
    assert not divided.preview.divider.isVisible()
    QTest.keyRelease(divided.preview, Qt.Key.Key_Space)
    assert (colour(divided, 0.4), colour(divided, 0.6)) == (RAW, FINISHED)


def test_before_is_at_the_left_in_a_mirrored_view_too(divided: MainWindow) -> None:
    QTest.mouseClick(divided.mirror_button, LEFT)
    divided.preview.divider.setValue(300)
    assert (colour(divided, 0.25), colour(divided, 0.35)) == (RAW, FINISHED)
