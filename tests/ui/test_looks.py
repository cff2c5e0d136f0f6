"""The look in the window: presets, sliders, colours, the user's own presets, undo, and the pictures on the tiles."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from gpen_live.engine.result import Change, FaceCrop
from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.frame import Image
from gpen_live.live.config import LiveConfig
from gpen_live.live.status.snapshot import QualityState
from gpen_live.look import CONTROLS, Beauty, Look
from gpen_live.messages import message
from gpen_live.presets import BUILT_IN, Preset, write_preset
from gpen_live.settings import Settings, SettingsStore
from gpen_live.sources.demo_scene import LANDMARKS, _photo
from gpen_live.ui.control_rows import ColourRow, NumberRow, SwitchRow
from gpen_live.ui.control_words import GROUPS, PALETTES, WORDS, describe_value
from gpen_live.ui.controller import Controller
from gpen_live.ui.looks import NOTICE, UNSAVED, Looks
from gpen_live.ui.portraits import Portraits, aligned, changed, draw_looks
from gpen_live.ui.preset_actions import DeleteDialog, NameDialog
from gpen_live.ui.widgets import ValueSlider
from gpen_live.ui.window import MainWindow
from tests.ui.fakes import RUNNING, FakePicture, FakePipeline

LEFT = Qt.MouseButton.LeftButton
NATURAL, GLAM = BUILT_IN["natural"], BUILT_IN["glam"]


def beauty(pipeline: FakePipeline) -> Beauty:
    """What the pipeline was asked for last."""
    assert pipeline.config is not None
    return pipeline.config.look.beauty


def slider(window: MainWindow, name: str) -> ValueSlider:
    row = window.look.controls[name]
    assert isinstance(row, NumberRow)
    return row.slider


def named(window: MainWindow, name: str) -> None:
    """Saves the values in use under a name, as the user does."""
    dialog = window.preset_actions.save()
    assert isinstance(dialog, NameDialog)
    dialog.name.setText(name)
    QTest.mouseClick(dialog.ok, LEFT)


# presets


def test_a_new_user_begins_with_natural(window: MainWindow, pipeline: FakePipeline) -> None:
    assert beauty(pipeline) == NATURAL
    assert window.look.tiles.tiles["natural"].isChecked()
    assert list(window.look.tiles.tiles) == ["off", "natural", "studio", "glam"]


def test_a_click_on_a_tile_takes_its_values_at_once(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.mouseClick(window.look.tiles.tiles["glam"], LEFT)
    assert pipeline.changes == [{"look": Look(beauty=GLAM)}]
    assert slider(window, "smooth").value() == round(100 * GLAM.smooth)
    assert [tile.isChecked() for tile in window.look.tiles.tiles.values()] == [False, False, False, True]


def test_the_number_keys_choose_presets(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.keyClick(window.preview, Qt.Key.Key_4)
    assert beauty(pipeline) == GLAM
    QTest.keyClick(window.preview, Qt.Key.Key_1)
    assert beauty(pipeline) == Beauty()
    QTest.keyClick(window.preview, Qt.Key.Key_9)
    assert beauty(pipeline) == Beauty()


def test_presets_can_be_chosen_by_keyboard_alone(window: MainWindow, pipeline: FakePipeline) -> None:
    tiles = window.look.tiles.tiles
    window.look.switch.setFocus()
    QTest.keyClick(window.look.switch, Qt.Key.Key_Tab)
    assert tiles["natural"].hasFocus(), "the one in use"
    QTest.keyClick(tiles["natural"], Qt.Key.Key_Tab)
    assert window.look.amount.slider.hasFocus()
    tiles["natural"].setFocus()
    QTest.keyClick(tiles["natural"], Qt.Key.Key_Right)
    assert tiles["studio"].hasFocus()
    QTest.keyClick(tiles["studio"], Qt.Key.Key_Space)
    assert beauty(pipeline) == BUILT_IN["studio"]


def test_the_amount_stays_when_another_preset_is_chosen(window: MainWindow, pipeline: FakePipeline) -> None:
    window.look.amount.slider.setValue(60)
    assert beauty(pipeline) == replace(NATURAL, amount=0.6)
    assert not window.looks.modified
    QTest.mouseClick(window.look.tiles.tiles["glam"], LEFT)
    assert beauty(pipeline) == replace(GLAM, amount=0.6)
    window.look.amount.slider.setValue(0)
    QTest.mouseClick(window.look.tiles.tiles["studio"], LEFT)
    assert beauty(pipeline).amount == 1, "a preset that shows nothing helps nobody"


def test_plus_and_minus_change_the_amount_and_not_the_network(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.keyClick(window.preview, Qt.Key.Key_Minus)
    assert pipeline.changes == [{"look": Look(beauty=replace(NATURAL, amount=0.95))}]
    QTest.keyClick(window.preview, Qt.Key.Key_Plus)
    QTest.keyClick(window.preview, Qt.Key.Key_Plus)
    assert beauty(pipeline) == NATURAL


def test_enhancement_off_greys_out_look_and_network(window: MainWindow) -> None:
    QTest.mouseClick(window.look.switch, LEFT)
    assert not window.look.tiles.isEnabled()
    assert window.look.state.toolTip() == "Enhancement is off"
    assert not window.look.amount.isEnabled()
    assert not slider(window, "smooth").isEnabled()
    assert not window.network.strength.isEnabled()
    before = window.looks.beauty
    for key in (Qt.Key.Key_4, Qt.Key.Key_Minus):
        QTest.keyClick(window.preview, key)
    assert window.looks.beauty == before, "nothing changes that can't be seen"


def test_a_group_that_is_given_up_to_be_in_time_says_so(window: MainWindow, pipeline: FakePipeline) -> None:
    window.looks.choose("glam")
    makeup = window.look.folds["makeup"].head
    pipeline.state = replace(
        RUNNING, quality=QualityState(5, (message("effort.detect_every", every=4), message("effort.no_makeup")))
    )
    window.controller.poll()
    assert "left out now" in makeup.accessibleDescription()
    assert window.look.folds["shape"].head.accessibleDescription() == "closed"
    line = window.line.toolTip()
    assert line.index(message("effort.no_makeup").what) < line.index(message("effort.detect_every", every=4).what)
    pipeline.state = RUNNING
    window.controller.poll()
    assert makeup.accessibleDescription() == "closed"


# controls


def test_every_control_has_a_row_in_its_fold_with_a_name_and_a_tip(window: MainWindow) -> None:
    for control in CONTROLS:
        row = window.look.controls[control.name]
        assert window.look.folds[control.group].inner.isAncestorOf(row)
        assert WORDS[control.name].name
        assert WORDS[control.name].tip
        assert isinstance(row, NumberRow if control.number else ColourRow if control.colour else SwitchRow)
    assert WORDS.keys() == {control.name for control in CONTROLS}
    assert GROUPS.keys() == {control.group for control in CONTROLS}


def test_the_folds_are_closed_until_they_are_clicked(window: MainWindow) -> None:
    fold = window.look.folds["skin"]
    assert not fold.inner.isVisible()
    QTest.mouseClick(fold.head, LEFT)
    assert fold.inner.isVisible()
    QTest.keyClick(fold.head, Qt.Key.Key_Space)
    assert not fold.inner.isVisible()


def test_a_slider_changes_its_value_alone_and_shows_it(window: MainWindow, pipeline: FakePipeline) -> None:
    slider(window, "slim").setValue(-30)
    assert pipeline.changes == [{"look": Look(beauty=replace(NATURAL, slim=-0.3))}]
    row = window.look.controls["slim"]
    assert isinstance(row, NumberRow)
    assert row.value.text() == describe_value("slim", -0.3) == "\N{MINUS SIGN}30"
    assert window.look.state.toolTip() == "Changed from Natural"


def test_a_double_click_goes_back_to_the_preset_s_value(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.mouseClick(window.look.folds["skin"].head, LEFT)
    one = slider(window, "smooth")
    one.setValue(90)
    QTest.mouseDClick(one, LEFT, pos=QPoint(20, one.height() // 2))
    assert one.value() == round(100 * NATURAL.smooth)
    assert beauty(pipeline) == NATURAL
    window.look.amount.slider.setValue(20)
    QTest.mouseDClick(window.look.amount.slider, LEFT)
    assert beauty(pipeline).amount == 1


def test_a_click_into_the_groove_goes_there_and_the_handle_can_be_dragged(window: MainWindow, pipeline: FakePipeline) -> None:
    one = window.look.amount.slider
    y = one.height() // 2
    QTest.mousePress(one, LEFT, pos=QPoint(one.width() // 2, y))
    assert one.value() == 50
    QTest.mouseMove(one, QPoint(one.width() // 4, y))
    QTest.mouseRelease(one, LEFT, pos=QPoint(one.width() // 4, y))
    assert 20 <= one.value() <= 26
    assert beauty(pipeline).amount == one.value() / 100


def test_moles_are_kept_by_a_switch(window: MainWindow, pipeline: FakePipeline) -> None:
    row = window.look.controls["keep_moles"]
    assert isinstance(row, SwitchRow)
    QTest.mouseClick(window.look.folds["skin"].head, LEFT)
    QTest.mouseClick(row.switch, LEFT)
    assert beauty(pipeline) == replace(NATURAL, keep_moles=False)


def test_colours_come_from_the_palette_or_a_picker(window: MainWindow, pipeline: FakePipeline) -> None:
    row = window.look.controls["lips_color"]
    assert isinstance(row, ColourRow)
    QTest.mouseClick(window.look.folds["makeup"].head, LEFT)
    QTest.mouseClick(row.swatches[0], LEFT)
    nude = PALETTES["lips_color"][0][1]
    assert beauty(pipeline) == replace(NATURAL, lips_color=nude)
    dialog = row.pick()
    dialog.setCurrentColor(QColor("#123456"))
    assert beauty(pipeline).lips_color == "#123456"
    assert row.other.isChecked()
    dialog.reject()
    assert beauty(pipeline).lips_color == nude
    assert row.swatches[0].isChecked()
    assert not row.other.isChecked()


def test_a_palette_offers_colours_that_the_controls_take() -> None:
    for control in CONTROLS:
        if control.colour:
            assert all(control.allows(colour) and colour == colour.lower() for _, colour in PALETTES[control.name])
            assert getattr(Beauty(), control.name) in [colour for _, colour in PALETTES[control.name]]


def test_reset_takes_all_changes_back_but_the_amount(window: MainWindow, pipeline: FakePipeline) -> None:
    assert not window.look.reset.isVisible()
    slider(window, "teeth").setValue(97)
    window.look.amount.slider.setValue(70)
    QTest.mouseClick(window.look.reset, LEFT)
    assert beauty(pipeline) == replace(NATURAL, amount=0.7)
    assert not window.look.reset.isVisible()


def test_changes_can_be_undone_and_made_again(window: MainWindow, pipeline: FakePipeline) -> None:
    now = [0.0]
    window.looks._clock = lambda: now[0]
    for value in (3, 5, 7):  # one movement of one slider
        slider(window, "smooth").setValue(value)
    now[0] += 5
    slider(window, "teeth").setValue(97)
    QTest.mouseClick(window.look.tiles.tiles["glam"], LEFT)
    seen = []
    for _ in range(4):
        QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        seen.append((window.looks.name, beauty(pipeline)))
    smoothed = replace(NATURAL, smooth=0.07)
    assert seen == [
        ("natural", replace(smoothed, teeth=0.97)),
        ("natural", smoothed),
        ("natural", NATURAL),
        ("natural", NATURAL),
    ]
    for _ in range(3):
        window.looks.redo()
    assert (window.looks.name, beauty(pipeline)) == ("glam", GLAM)


# the user's own


def test_a_preset_of_one_s_own_is_saved_renamed_and_deleted(window: MainWindow, pipeline: FakePipeline) -> None:
    slider(window, "smooth").setValue(77)
    QTest.mouseClick(window.look.save, LEFT)
    (asked,) = window.findChildren(NameDialog)
    asked.name.setText("Evening")
    QTest.mouseClick(asked.ok, LEFT)
    mine = replace(NATURAL, smooth=0.77)
    assert window.looks.own == [("Evening", mine)]
    assert window.look.tiles.tiles["Evening"].isChecked()
    assert not window.looks.modified
    QTest.mouseClick(window.look.tiles.tiles["off"], LEFT)
    QTest.mouseClick(window.look.tiles.tiles["Evening"], LEFT)
    assert beauty(pipeline) == mine

    dialog = window.preset_actions.rename()
    assert isinstance(dialog, NameDialog)
    dialog.name.setText("Late night")
    QTest.mouseClick(dialog.ok, LEFT)
    assert [name for name, _ in window.looks.own] == ["Late night"]
    assert window.controller.settings.preset == "Late night"
    assert "Evening" not in window.look.tiles.tiles

    question = window.preset_actions.delete()
    assert isinstance(question, DeleteDialog)
    QTest.mouseClick(question.delete, LEFT)
    assert window.looks.own == []
    assert beauty(pipeline) == mine, "the picture stays as it is"
    assert not any(tile.isChecked() for tile in window.look.tiles.tiles.values())
    assert window.look.state.toolTip() == "Not saved"
    assert window.look.save.isVisible()
    assert not window.look.reset.isVisible()
    assert slider(window, "smooth").rest == 77
    QTest.mouseClick(window.look.tiles.tiles["glam"], LEFT)
    assert window.look.tiles.tiles["glam"].isChecked()


def test_a_name_that_cannot_be_says_why_and_loses_nothing(window: MainWindow) -> None:
    dialog = window.preset_actions.save()
    assert isinstance(dialog, NameDialog)
    assert not dialog.ok.isEnabled()
    dialog.name.setText("Glam")
    QTest.mouseClick(dialog.ok, LEFT)
    assert dialog.isVisible()
    assert "Glam" in dialog.complaint.text()
    dialog.name.setText("Glamour")
    assert dialog.complaint.text() == ""
    QTest.mouseClick(dialog.ok, LEFT)
    assert not dialog.isVisible()
    again = window.preset_actions.save()
    assert isinstance(again, NameDialog)
    assert (again.name.text(), again.ok.text()) == ("Glamour", "Replace")
    again.reject()


def test_presets_are_passed_on_as_files(
    window: MainWindow, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slider(window, "smooth").setValue(66)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "Friend"), ""))
    window.preset_actions.export()
    assert json.loads((tmp_path / "Friend.json").read_text(encoding="utf-8"))["name"] == "Friend"
    window.looks.reset()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "Friend.json"), ""))
    window.preset_actions.bring()
    assert beauty(pipeline) == replace(NATURAL, smooth=0.66)
    assert window.look.tiles.tiles["Friend"].isChecked()


def test_a_preset_dropped_on_the_window_is_taken(window: MainWindow, pipeline: FakePipeline, tmp_path: Path) -> None:
    file = tmp_path / "Soft.json"
    write_preset(Preset("Soft", Beauty(smooth=0.4)), file)
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(tmp_path / "film.mp4")), QUrl.fromLocalFile(str(file))])
    action, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(9, 9), action, dropped, LEFT, none))
    assert beauty(pipeline) == Beauty(smooth=0.4)
    dropped.setUrls([QUrl.fromLocalFile(str(tmp_path / "film.mp4"))])
    entering = QDragEnterEvent(QPoint(9, 9), action, dropped, LEFT, none)
    entering.ignore()
    window.dragEnterEvent(entering)
    assert not entering.isAccepted()


def test_a_bad_file_is_said_and_changes_nothing(window: MainWindow, pipeline: FakePipeline, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"version": 1, "name": "x", "beauty": {"smooth": 7}}', encoding="utf-8")
    window.looks.bring(bad)
    bar = window.messages.message(NOTICE)
    assert bar is not None
    assert "smooth" in bar.notice.message.text
    assert (pipeline.changes, window.looks.own) == ([], [])
    named(window, "Fine")
    assert window.messages.message(NOTICE) is None, "it is over"
    window.looks.bring(bad.with_name("none.json"))
    assert window.messages.message(NOTICE) is not None
    bad.write_text('{"version": 1, "name": "x", "beauty": {"smooth": 0.7}}', encoding="utf-8")
    window.looks.bring(bad)
    assert window.messages.message(NOTICE) is None
    assert beauty(pipeline) == Beauty(smooth=0.7)


def test_files_that_cannot_be_used_are_told_of_at_the_start(
    open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller], tmp_path: Path, qtbot: QtBot
) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "broken.json").write_text("{", encoding="utf-8")
    window = open_window(make_controller(FakePipeline()))
    qtbot.waitUntil(lambda: window.messages.message(NOTICE) is not None)
    bar = window.messages.message(NOTICE)
    assert bar is not None
    assert "broken.json" in bar.notice.message.text
    assert list(window.look.tiles.tiles) == ["off", "natural", "studio", "glam"]


def test_the_menu_offers_what_can_be_done(window: MainWindow) -> None:
    def offered() -> dict[str, bool]:
        menu = window.look.menu()
        return {action.text(): action.isEnabled() for action in menu.actions() if action.text()}

    assert not offered()["Rename…"]
    named(window, "Mine")
    assert offered()["Rename…"]
    assert offered()["Delete…"]


# memory


def test_look_and_preset_are_there_again_after_a_restart(
    window: MainWindow, open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller]
) -> None:
    QTest.mouseClick(window.look.tiles.tiles["glam"], LEFT)
    slider(window, "lips").setValue(33)
    window.look.amount.slider.setValue(50)
    window.close()
    again = make_controller(FakePipeline())
    other = open_window(again)
    assert again.config.look.beauty == replace(GLAM, lips=0.33, amount=0.5)
    assert other.looks.name == "glam"
    assert other.looks.modified
    assert other.look.amount.slider.value() == 50


def test_a_look_of_the_command_line_holds_but_is_not_saved(
    open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller], store: SettingsStore
) -> None:
    controller = make_controller(FakePipeline(), LiveConfig(look=Look(beauty=GLAM)))
    window = open_window(controller)
    assert window.look.tiles.tiles["glam"].isChecked()
    slider(window, "smooth").setValue(13)
    assert controller.config.look.beauty == replace(GLAM, smooth=0.13)
    window.close()
    assert store.load().settings.look.beauty == replace(NATURAL, smooth=0.13)


def test_a_preset_that_is_gone_leaves_its_values(
    open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller], store: SettingsStore
) -> None:
    store.save(Settings(preset="Gone", look=Look(beauty=Beauty(smooth=0.2))))
    window = open_window(make_controller(FakePipeline()))
    assert window.looks.beauty == Beauty(smooth=0.2)
    assert window.looks.base == (UNSAVED, Beauty(smooth=0.2))
    assert window.look.state.toolTip() == "Not saved"
    assert not any(tile.isChecked() for tile in window.look.tiles.tiles.values())


@pytest.mark.parametrize(
    ("asked", "name", "state"),
    [
        (replace(GLAM, lips=0.31), "glam", "Changed from Glam"),
        (Beauty(lips=0.31, liner=0.2, brows=0.3, slim=0.4, smooth=0.11), UNSAVED, "Not saved"),
    ],
)
def test_values_of_the_command_line_are_called_after_the_nearest_preset(
    open_window: Callable[[Controller], MainWindow],
    make_controller: Callable[..., Controller],
    asked: Beauty,
    name: str,
    state: str,
) -> None:
    window = open_window(make_controller(FakePipeline(), LiveConfig(look=Look(beauty=asked))))
    assert (window.looks.name, window.look.state.toolTip()) == (name, state)


# the pictures on the tiles


def seen(size: int = 400) -> FakePicture:
    """A frame with a face, grey."""
    grey = np.full((size, size, 3), 128, np.uint8)
    return FakePicture(grey, grey, (GPEN_TEMPLATE * size,))


class Drawing:
    """Paints a crop in a shade that tells its smoothness; works when the test lets it."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[list[str]] = []
        self.threads: set[str] = set()

    def __call__(self, crop: Image, looks: Mapping[str, Beauty]) -> Iterator[tuple[str, Image]]:
        self.asked.append(list(looks))
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(60)
        for name, one in looks.items():
            yield name, np.full_like(crop, round(255 * one.smooth))


@pytest.fixture
def drawing(window: MainWindow) -> Drawing:
    made = Drawing()
    window.portraits._draw, window.portraits.patience_s = made, 0.0
    return made


def test_pictures_of_the_viewer_s_face_come_without_holding_anything_up(
    window: MainWindow, pipeline: FakePipeline, drawing: Drawing, qtbot: QtBot
) -> None:
    tiles = window.look.tiles.tiles
    pipeline.give()
    window.take_frame()
    assert drawing.asked == [], "no face in it"
    for _ in range(3):
        pipeline.preview.put(seen())
        window.take_frame()
    qtbot.waitUntil(lambda: drawing.asked != [])
    assert all(tile.picture is None for tile in tiles.values()), "the window goes on while they are drawn"
    drawing.go.set()
    qtbot.waitUntil(lambda: all(tile.picture is not None for tile in tiles.values()))
    assert drawing.asked == [["off", "natural", "studio", "glam"]]
    assert threading.main_thread().name not in drawing.threads
    shades = [tile.picture.pixelColor(5, 5).red() for tile in tiles.values() if tile.picture is not None]
    assert shades == [round(255 * one.smooth) for one in BUILT_IN.values()]


def test_pictures_are_mirrored_as_the_preview_is(window: MainWindow) -> None:
    tile = window.look.tiles.tiles["glam"]
    picture = QImage(8, 8, QImage.Format.Format_RGB32)
    picture.fill(QColor("#ff0000"))
    for y in range(8):
        picture.setPixelColor(QPoint(0, y), QColor("#0000ff"))
    window.look.show_picture("glam", picture)

    def blue_at_the_left() -> bool:
        return tile.grab().toImage().pixelColor(6, 32).blue() > 128

    assert blue_at_the_left()
    QTest.mouseClick(window.mirror_button, LEFT)
    assert not blue_at_the_left()


def test_a_new_preset_gets_a_picture_of_the_same_face_and_asking_gets_all_anew(
    window: MainWindow, pipeline: FakePipeline, drawing: Drawing, qtbot: QtBot
) -> None:
    drawing.go.set()
    pipeline.preview.put(seen())
    window.take_frame()
    qtbot.waitUntil(lambda: window.portraits._job is None and len(drawing.asked) == 1)
    slider(window, "smooth").setValue(77)
    named(window, "Mine")
    qtbot.waitUntil(lambda: window.look.tiles.tiles["Mine"].picture is not None)
    window.looks.rename("Mine", "Ours")
    assert window.look.tiles.tiles["Ours"].picture is not None, "the same values, the same picture"
    assert drawing.asked[1:] == [["Mine"]]
    qtbot.waitUntil(lambda: window.portraits._job is None)
    window.look.pictures_wanted.emit()
    pipeline.preview.put(seen())
    window.take_frame()
    qtbot.waitUntil(lambda: len(drawing.asked) == 3)
    assert len(drawing.asked[2]) == 5


def test_pictures_that_fail_leave_the_drawings(window: MainWindow, pipeline: FakePipeline, qtbot: QtBot) -> None:
    def fail(crop: Image, looks: Mapping[str, Beauty]) -> Iterator[tuple[str, Image]]:
        raise OSError("no memory")

    window.portraits._draw, window.portraits.patience_s = fail, 0.0
    pipeline.preview.put(seen())
    window.take_frame()
    assert window.portraits._job is not None
    qtbot.waitUntil(lambda: window.portraits._job is None)
    assert window.look.tiles.tiles["glam"].picture is None
    assert window.look.grab().width() > 0


def test_another_source_takes_the_pictures_away(
    window: MainWindow, pipeline: FakePipeline, drawing: Drawing, qtbot: QtBot
) -> None:
    drawing.go.set()
    pipeline.preview.put(seen())
    window.take_frame()
    qtbot.waitUntil(lambda: window.look.tiles.tiles["glam"].picture is not None)
    window.controller.update(source="film.mp4")
    assert all(tile.picture is None for tile in window.look.tiles.tiles.values()), "it may be somebody else"


def test_a_small_face_makes_no_picture(controller: Controller, qtbot: QtBot) -> None:
    portraits = Portraits(Looks(controller), Drawing(), 0.0)
    portraits.offer(seen(64))
    assert portraits._job is None


def test_a_face_that_has_just_come_makes_no_picture(controller: Controller, qtbot: QtBot) -> None:
    portraits = Portraits(Looks(controller), Drawing(), 60.0)
    portraits.offer(seen())
    portraits.offer(seen())
    assert portraits._job is None


class Shade:
    """A stage that adds what the look's smoothness says, and approaches it in half steps, as a look fades in."""

    name = "beauty"

    def active(self, face: FaceCrop) -> bool:
        return face.look.beauty.uses()

    def __call__(self, seen: Image, change: Change, told: FaceCrop) -> Change:
        assert told.refresh == (not told.kept), "the face is looked at once"
        told.kept["shade"] = (told.kept.get("shade", 0.0) + 100 * told.look.beauty.smooth) / 2
        return Change(change.added + np.float32(told.kept["shade"]))


def test_each_look_is_drawn_once_it_has_faded_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpen_live.beauty.stage.open_stage", lambda device: Shade())
    crop = np.full((256, 256, 3), 100, np.uint8)
    looks = {"some": Beauty(smooth=0.5), "off": Beauty(), "more": Beauty(smooth=1)}
    drawn = {name: int(picture[0, 0, 0]) for name, picture in draw_looks(crop, looks)}
    assert drawn["off"] == 100
    assert drawn == pytest.approx({"some": 150, "off": 100, "more": 200}, abs=5)
    monkeypatch.setattr("gpen_live.beauty.stage.open_stage", lambda device: None)
    assert list(draw_looks(crop, looks)) == []


def test_the_real_look_is_seen_on_a_real_face() -> None:
    crop = aligned(_photo(), np.array(LANDMARKS))
    drawn = dict(draw_looks(crop, {"off": Beauty(), "lips": Beauty(lips=1, lips_color="#ff0000")}))
    assert np.array_equal(drawn["off"], crop)
    change = drawn["lips"].astype(int) - crop
    mouth, forehead = change[175:195, 110:146], change[60:100, 100:150]
    assert mouth[:, :, 1].min() < -30, "less green on the lips"
    assert abs(forehead).max() <= 1


def test_where_nothing_can_be_drawn_it_is_tried_once(window: MainWindow, pipeline: FakePipeline, qtbot: QtBot) -> None:
    asked: list[int] = []

    def nothing(crop: Image, looks: Mapping[str, Beauty]) -> Iterator[tuple[str, Image]]:
        asked.append(len(looks))
        return iter(())

    window.portraits._draw, window.portraits.patience_s = nothing, 0.0
    pipeline.preview.put(seen())
    window.take_frame()
    qtbot.waitUntil(lambda: window.portraits._job is None)
    qtbot.wait(50)
    assert asked == [4]


def test_closing_ends_what_is_being_drawn(window: MainWindow, pipeline: FakePipeline, qtbot: QtBot) -> None:
    begun, ended = threading.Event(), threading.Event()

    def slowly(crop: Image, looks: Mapping[str, Beauty]) -> Iterator[tuple[str, Image]]:
        try:
            for name in itertools.cycle(looks):
                begun.set()
                yield name, crop
        finally:
            ended.set()

    window.portraits._draw, window.portraits.patience_s = slowly, 0.0
    pipeline.preview.put(seen())
    window.take_frame()
    assert begun.wait(60)
    window.close()
    assert ended.is_set()


def test_a_change_is_drawn_onto_a_crop_as_the_frame_path_does() -> None:
    crop = np.zeros((8, 8, 3), np.uint8)
    crop[:, 4] = 100
    added = np.full((8, 8, 3), 5.0, np.float32)
    moved = np.zeros((8, 8, 2), np.float32)
    moved[:, :, 0] = 1.0  # each pixel shows its right neighbour
    assert changed(crop, added, None)[0, :, 0].tolist() == [5, 5, 5, 5, 105, 5, 5, 5]
    assert changed(crop, added, moved)[0, :, 0].tolist() == [5, 5, 5, 105, 5, 5, 5, 5]
