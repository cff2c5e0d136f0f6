"""The window as its user drives it, without a screen."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from gpen_live.errors import DeviceError
from gpen_live.frame import Size
from gpen_live.live.config import LiveConfig, Resting
from gpen_live.live.status.snapshot import Health, OutputState, PartStatus, QualityState, Quantiles, Rates, Snapshot
from gpen_live.look import Beauty, Look, Mode
from gpen_live.messages import Message, message
from gpen_live.settings import Settings, SettingsStore, WindowGeometry
from gpen_live.ui.controller import Controller
from gpen_live.ui.help import ObsSheet, ShortcutsSheet, obs_command, obs_note, obs_steps
from gpen_live.ui.settings_dialog import SettingsDialog, budgets, devices, rooms
from gpen_live.ui.theme import DARK, LIGHT, ThemeKeeper, tokens
from gpen_live.ui.widgets import WrappedLabel
from gpen_live.ui.window import MainWindow, state_line
from tests.messages.says import holds
from tests.ui.fakes import FINISHED, RAW, RUNNING, FakePipeline

LEFT = Qt.MouseButton.LeftButton
LOOK = Settings().look


def colour_at(widget: QWidget, place: QPoint) -> tuple[int, int, int]:
    """Blue, green, red of a pixel of the widget as it is drawn."""
    colour = QColor(widget.grab().toImage().pixel(place))
    return colour.blue(), colour.green(), colour.red()


def centre_colour(window: MainWindow) -> tuple[int, int, int]:
    return colour_at(window.preview, window.preview.rect().center())


def failed(part: str, key: str, health: Health = Health.FAILED) -> Snapshot:
    status = PartStatus(health, part, message(key))
    if part == "source":
        return replace(RUNNING, source=status)
    return replace(RUNNING, model=status) if part == "model" else replace(RUNNING, sink=status)


def shown_dialogs(kind: type[QWidget]) -> list[QWidget]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()]


# the picture


def test_the_newest_frame_is_shown(window: MainWindow) -> None:
    window.take_frame()
    assert centre_colour(window) == FINISHED


def test_before_the_first_frame_it_says_what_it_waits_for(
    open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller], pipeline: FakePipeline
) -> None:
    window = open_window(make_controller(pipeline))
    window.take_frame()
    assert window.line.toolTip() == "Opening Demo camera…"
    assert centre_colour(window) != FINISHED
    assert pipeline.started == 0


def test_the_compare_button_shows_the_raw_picture_while_held(window: MainWindow) -> None:
    window.take_frame()
    QTest.mousePress(window.compare, LEFT)
    assert centre_colour(window) == RAW
    QTest.mouseRelease(window.compare, LEFT)
    assert centre_colour(window) == FINISHED


def test_space_shows_the_raw_picture_while_held(window: MainWindow) -> None:
    window.take_frame()
    QTest.keyPress(window.preview, Qt.Key.Key_Space)
    assert centre_colour(window) == RAW
    QTest.keyRelease(window.preview, Qt.Key.Key_Space)
    assert centre_colour(window) == FINISHED


def test_space_on_a_focused_control_belongs_to_the_control(window: MainWindow, pipeline: FakePipeline) -> None:
    window.take_frame()
    window.look.switch.setFocus()
    QTest.keyClick(window.look.switch, Qt.Key.Key_Space)
    assert pipeline.changes == [{"look": replace(LOOK, enhance=False)}]
    assert centre_colour(window) == FINISHED


def test_comparing_shows_no_overlay_but_a_badge(window: MainWindow) -> None:
    window.take_frame()
    panel = window.preview.picture_rect().topLeft().toPoint() + QPoint(40, 120)
    badge = window.preview.picture_rect().topRight().toPoint() + QPoint(-24, 28)
    assert colour_at(window.preview, panel) != FINISHED
    assert colour_at(window.preview, badge) == FINISHED
    window.preview.set_comparing(True)
    assert colour_at(window.preview, panel) == RAW
    assert colour_at(window.preview, badge) != RAW


def test_the_mirror_turns_the_view_and_nothing_else(window: MainWindow, pipeline: FakePipeline) -> None:
    pipeline.give()
    picture = pipeline.preview.take(0)
    assert picture is not None
    picture.image[:, :320] = RAW
    window.preview.show_picture(picture)
    right = window.preview.picture_rect().center().toPoint() + QPoint(150, 60)
    assert colour_at(window.preview, right) == FINISHED
    QTest.mouseClick(window.mirror_button, LEFT)
    assert colour_at(window.preview, right) == RAW
    assert pipeline.changes == []


@pytest.mark.parametrize("size", [Size(1, 1), Size(640, 2), Size(3, 480), Size(333, 777), Size(3840, 2160)])
def test_odd_sizes_are_shown_whole_and_in_proportion(window: MainWindow, size: Size, pipeline: FakePipeline) -> None:
    pipeline.give()
    picture = pipeline.preview.take(0)
    assert picture is not None
    frame = picture.image[:1, :1].repeat(size.height, 0).repeat(size.width, 1).copy()
    window.preview.show_picture(replace(picture, image=frame))
    place = window.preview.picture_rect()
    assert place.width() / place.height() == pytest.approx(size.width / size.height)
    assert window.preview.grab().width() > 0


# the overlay


def test_o_hides_and_shows_the_overlay(window: MainWindow, controller: Controller) -> None:
    window.take_frame()
    panel = window.preview.picture_rect().topLeft().toPoint() + QPoint(40, 120)
    assert colour_at(window.preview, panel) != FINISHED
    QTest.keyClick(window.preview, Qt.Key.Key_O)
    assert colour_at(window.preview, panel) == FINISHED
    assert not controller.settings.overlay
    assert not window.overlay_button.isChecked()
    QTest.keyClick(window.preview, Qt.Key.Key_O)
    assert colour_at(window.preview, panel) != FINISHED


def test_hiding_the_overlay_is_the_windows_affair(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.mouseClick(window.overlay_button, LEFT)
    assert pipeline.changes == []


# the controls


def test_the_switch_turns_enhancement_off_and_on(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.mouseClick(window.look.switch, LEFT)
    assert not window.network.strength.isEnabled()
    QTest.mouseClick(window.look.switch, LEFT)
    assert pipeline.changes == [{"look": replace(LOOK, enhance=False)}, {"look": LOOK}]


def test_area_switches_the_mode(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.mouseClick(window.network.mode.button(Mode.FULL), LEFT)
    QTest.mouseClick(window.network.mode.button(Mode.FULL), LEFT)
    QTest.mouseClick(window.network.mode.button(Mode.ROI), LEFT)
    assert pipeline.changes == [{"look": replace(LOOK, mode=Mode.FULL)}, {"look": LOOK}]


def test_the_slider_sets_the_strength(window: MainWindow, pipeline: FakePipeline) -> None:
    window.network.strength.setValue(40)
    assert pipeline.changes == [{"look": replace(LOOK, strength=0.4)}]
    assert window.network.percent.text() == "40 %"


def test_start_and_stop_of_the_virtual_camera(window: MainWindow, pipeline: FakePipeline) -> None:
    assert "Off" in window.output.state.text()
    QTest.mouseClick(window.output.toggle, LEFT)
    assert pipeline.changes == [{"sinks": ("vcam",)}]
    assert window.output.toggle.text() == "Stop virtual camera"
    pipeline.state = replace(RUNNING, sink=PartStatus(Health.OK, "GPEN Live"))
    window.controller.poll()
    assert window.output.state.text() == "On as “GPEN Live”, 640 × 360 at 30 fps."
    QTest.mouseClick(window.output.toggle, LEFT)
    assert pipeline.changes[1:] == [{"sinks": ()}]


def test_a_recording_goes_on_when_the_virtual_camera_is_started_and_stopped(
    pipeline: FakePipeline, open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller]
) -> None:
    controller = make_controller(pipeline, LiveConfig(sinks=("film.mp4",)))
    opened = open_window(controller)
    controller.start()
    for _ in range(2):
        QTest.mouseClick(opened.output.toggle, LEFT)
    assert pipeline.changes == [{"sinks": ("vcam", "film.mp4")}, {"sinks": ("film.mp4",)}]
    recording = OutputState("film.mp4", "sink film.mp4", PartStatus(Health.OK, "film.mp4"))
    camera = PartStatus(Health.FAILED, "vcam")
    pipeline.state = replace(RUNNING, sink=camera, outputs=(OutputState("vcam", "sink", camera), recording))
    QTest.mouseClick(opened.output.toggle, LEFT)
    opened.controller.poll()
    assert opened.output.toggle.text() == "Start virtual camera"
    assert opened.output.state.text().endswith("Recording to “film.mp4”, 640 × 360 at 30 fps.")
    assert state_line(pipeline.state, opened.controller.config)[0] == "good", "something goes out"


def test_a_second_outputs_trouble_is_told_until_it_is_over(window: MainWindow, pipeline: FakePipeline) -> None:
    told: list[str] = []
    settled: list[str] = []
    window.controller.noticed.connect(lambda notice: told.append(notice.key))
    window.controller.settled.connect(settled.append)
    first = OutputState("vcam", "sink", PartStatus(Health.OK, "GPEN Live"))
    broken = OutputState("a.mp4", "sink a.mp4", failed("sink", "The disk is full.").sink)
    pipeline.state = replace(RUNNING, outputs=(first, broken))
    window.controller.poll()
    window.controller.poll()
    assert told == ["sink a.mp4"]
    window.controller.retry("sink a.mp4")
    assert pipeline.retried == ["sink"]
    window.controller.poll()
    settled.clear()
    pipeline.state = replace(RUNNING, outputs=(first,))
    window.controller.poll()
    assert settled == ["sink a.mp4"]


def test_a_failed_virtual_camera_is_tried_again_by_its_button(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.mouseClick(window.output.toggle, LEFT)
    pipeline.state = failed("sink", "The driver is missing. Install it.")
    window.controller.poll()
    assert window.output.toggle.text() == "Start virtual camera"
    QTest.mouseClick(window.output.toggle, LEFT)
    assert pipeline.retried == ["sink"]
    assert window.controller.wants_vcam


def test_size_and_rate_go_to_the_camera(window: MainWindow, pipeline: FakePipeline) -> None:
    window.source.picture_size.picked.emit(Size(1920, 1080))
    window.source.picture_size.picked.emit(None)
    window.source.rate.picked.emit(60.0)
    window.source.rate.picked.emit(None)
    assert pipeline.changes == [{"size": Size(1920, 1080)}, {"size": None}, {"fps": 60.0}, {"fps": None}]


def test_cameras_are_listed_when_the_list_opens(window: MainWindow, qtbot: QtBot, pipeline: FakePipeline) -> None:
    combo = window.source.source
    combo.showPopup()
    qtbot.waitUntil(lambda: combo.findText("Webcam C920") >= 0)
    combo.hidePopup()
    combo.activated.emit(combo.findText("Webcam C920"))
    assert pipeline.changes == [{"source": "camera:0"}]


def test_a_list_of_cameras_that_fails_leaves_what_there_is(window: MainWindow, qtbot: QtBot) -> None:
    def fail() -> list[object]:
        raise OSError("the driver hangs")

    window.source._list_cameras = fail  # type: ignore[assignment]
    window.source.refresh()
    qtbot.waitUntil(lambda: window.source._job is None)
    assert window.source.source.findText("Demo camera") >= 0


def test_a_video_file_can_be_the_source(
    window: MainWindow, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film = str(tmp_path / "film.mp4")
    combo = window.source.source
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    combo.activated.emit(combo.findText("Video file…"))
    assert pipeline.changes == []
    assert combo.currentText() == "Demo camera"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (film, ""))
    combo.activated.emit(combo.findText("Video file…"))
    assert pipeline.changes == [{"source": film}]
    assert combo.currentText() == "film.mp4"


def test_an_installed_model_is_taken_at_once(window: MainWindow, pipeline: FakePipeline, catalogue: object) -> None:
    window._catalogue.installed.add("gpen-512")  # type: ignore[attr-defined]
    window.network.refresh()
    combo = window.network.model
    combo.activated.emit(combo.findData("gpen-512"))
    assert pipeline.changes == [{"model": "gpen-512"}]


def test_a_model_that_is_not_here_opens_its_terms(window: MainWindow, pipeline: FakePipeline) -> None:
    combo = window.network.model
    combo.activated.emit(combo.findData("gpen-512"))
    assert pipeline.changes == []
    assert combo.currentData() == "lite-256"
    assert window._models_dialog is not None
    assert window._models_dialog.showing_licence()


# the keys


def test_keys_that_a_streamer_uses_live(window: MainWindow, pipeline: FakePipeline) -> None:
    for key in (Qt.Key.Key_E, Qt.Key.Key_M, Qt.Key.Key_V, Qt.Key.Key_Down, Qt.Key.Key_Up):
        QTest.keyClick(window.preview, key)
    assert pipeline.changes == [
        {"look": replace(LOOK, enhance=False)},
        {"look": replace(LOOK, enhance=False, mode=Mode.FULL)},
        {"sinks": ("vcam",)},
        {"look": replace(LOOK, enhance=False, mode=Mode.FULL, strength=0.95)},
        {"look": replace(LOOK, enhance=False, mode=Mode.FULL)},
    ]


def test_up_stops_at_the_end(window: MainWindow, controller: Controller) -> None:
    QTest.keyClick(window.preview, Qt.Key.Key_Up)
    assert controller.config.look.strength == 1.0


def test_a_key_with_control_is_another_key(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.keyClick(window.preview, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert pipeline.changes == []


def test_f1_and_control_comma_open_their_dialogs(window: MainWindow, qtbot: QtBot) -> None:
    QTest.keyClick(window, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: len(shown_dialogs(ShortcutsSheet)) == 1)
    shown_dialogs(ShortcutsSheet)[0].close()
    QTest.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(shown_dialogs(SettingsDialog)) == 1)
    shown_dialogs(SettingsDialog)[0].close()


def test_f11_shows_the_picture_alone_and_escape_ends_it(window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_F11)
    assert window.isFullScreen()
    assert not window.source.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isFullScreen()
    assert window.source.isVisible()


def test_control_q_closes(window: MainWindow, qtbot: QtBot, pipeline: FakePipeline) -> None:
    QTest.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.isVisible())
    assert pipeline.stopped == 1


# trouble


@pytest.mark.parametrize("part", ["source", "model", "sink"])
def test_a_failed_part_is_said_once_and_can_be_tried_again(window: MainWindow, pipeline: FakePipeline, part: str) -> None:
    pipeline.state = failed(part, "broken")
    window.controller.poll()
    bar = window.messages.message(part)
    assert bar is not None
    assert bar.isVisible()
    window.controller.poll()
    assert window.messages.message(part) is bar
    QTest.mouseClick(bar.retry_button, LEFT)
    assert pipeline.retried == [part]
    assert window.messages.message(part) is None
    window.controller.poll()
    assert window.messages.message(part) is not None


def test_what_runs_in_place_of_what_was_asked_for_can_be_tried_again(window: MainWindow, pipeline: FakePipeline) -> None:
    status = PartStatus(Health.WARNING, "lite-256", message("model.memory_full", model="gpen-512"), again=True)
    pipeline.state = replace(RUNNING, model=status)
    window.controller.poll()
    bar = window.messages.message("model")
    assert bar is not None
    assert bar.retry_button.isVisible()


def test_a_message_goes_when_its_trouble_is_over(window: MainWindow, pipeline: FakePipeline) -> None:
    pipeline.state = failed("source", "unplugged", Health.WARNING)
    window.controller.poll()
    bar = window.messages.message("source")
    assert bar is not None
    assert not bar.retry_button.isVisible()
    pipeline.state = RUNNING
    window.controller.poll()
    assert window.messages.message("source") is None
    assert not window.messages.isVisible()


def test_a_look_that_cannot_be_drawn_is_said_until_it_can(window: MainWindow, pipeline: FakePipeline) -> None:
    trouble = message("live.beauty_missing", device="cpu")
    pipeline.state = replace(RUNNING, beauty_trouble=trouble)
    window.controller.poll()
    bar = window.messages.message("beauty")
    assert bar is not None
    assert bar.notice.message == trouble
    pipeline.state = RUNNING
    window.controller.poll()
    assert window.messages.message("beauty") is None


def test_a_dismissed_message_stays_away(window: MainWindow, pipeline: FakePipeline) -> None:
    pipeline.state = failed("model", "broken")
    window.controller.poll()
    bar = window.messages.message("model")
    assert bar is not None
    QTest.mouseClick(bar.close_button, LEFT)
    window.controller.poll()
    assert window.messages.message("model") is None
    pipeline.state = failed("model", "something_else")
    window.controller.poll()
    assert window.messages.message("model") is not None


def test_another_choice_takes_the_old_message_away(window: MainWindow, pipeline: FakePipeline) -> None:
    pipeline.state = failed("source", "no_camera")
    window.controller.poll()
    pipeline.state = replace(RUNNING, source=PartStatus(Health.STARTING))
    window.controller.update(source="camera:1")
    assert window.messages.message("source") is None


def test_a_lost_source_empties_the_view(window: MainWindow, pipeline: FakePipeline) -> None:
    window.take_frame()
    pipeline.state = failed("source", "The camera is gone. Plug it in.")
    window.controller.poll()
    assert centre_colour(window) not in (FINISHED, RAW)
    pipeline.state = RUNNING
    window.controller.poll()
    pipeline.give()
    window.take_frame()
    assert centre_colour(window) == FINISHED


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DeviceError("no_card", device="cuda"), message("no_card", device="cuda")),
        (RuntimeError("out of luck"), message("window.start_failed", reason="out of luck")),
    ],
)
def test_a_pipeline_that_does_not_start_leaves_a_usable_window(
    open_window: Callable[[Controller], MainWindow],
    make_controller: Callable[..., Controller],
    pipeline: FakePipeline,
    error: Exception,
    told: Message,
) -> None:
    pipeline.refuses.append(error)
    controller = make_controller(pipeline)
    window = open_window(controller)
    controller.start()
    bar = window.messages.message("start")
    assert bar is not None
    assert bar.notice.message == told
    window.network.strength.setValue(30)
    QTest.mouseClick(bar.retry_button, LEFT)
    assert pipeline.started == 1
    assert pipeline.config is not None
    assert pipeline.config.look.strength == 0.3
    assert window.messages.message("start") is None


# the end, and the next start


def test_choices_are_there_again_after_a_restart(
    window: MainWindow, open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller]
) -> None:
    window.network.strength.setValue(25)
    window.network.mode.chosen.emit(Mode.FULL)
    window.controller.update(source="camera:1", mirror=True, overlay=False)
    window.resize(1111, 666)
    window.close()
    again = make_controller(FakePipeline())
    other = open_window(again)
    assert again.config.source == "camera:1"
    assert other.network.strength.value() == 25
    assert other.network.mode.button(Mode.FULL).isChecked()
    assert other.mirror_button.isChecked()
    assert not other.preview.overlay_visible
    assert again.settings.window is not None
    assert (again.settings.window.width, again.settings.window.height) == (1111, 666)


def test_choices_are_saved_soon_without_closing(window: MainWindow, store: SettingsStore, qtbot: QtBot) -> None:
    window.network.strength.setValue(25)
    qtbot.waitUntil(lambda: store.load().settings.look.strength == 0.25)


def test_closing_while_a_driver_hangs_still_ends(
    window: MainWindow, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpen_live.ui.controller.STOP_WITHIN_S", 0.1)
    pipeline.hangs.clear()
    assert window.close()
    assert pipeline.stopped == 0
    pipeline.hangs.set()


def test_a_window_from_another_desk_comes_back_onto_the_screen(
    open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller], store: SettingsStore
) -> None:
    store.save(Settings(window=WindowGeometry(90_000, 90_000, 900, 600)))
    window = open_window(make_controller(FakePipeline()))
    assert window.screen().availableGeometry().intersects(window.frameGeometry())


def test_wishes_of_the_command_line_hold_but_are_not_saved(
    open_window: Callable[[Controller], MainWindow],
    make_controller: Callable[..., Controller],
    store: SettingsStore,
    pipeline: FakePipeline,
) -> None:
    store.save(Settings(source="camera:0", look=Look(strength=0.9)))
    controller = make_controller(pipeline, LiveConfig(source="film.mp4", look=Look(strength=0.5), loop=False))
    window = open_window(controller)
    controller.start()
    assert pipeline.config == LiveConfig(source="film.mp4", look=Look(strength=0.5), loop=False)
    assert window.network.strength.value() == 50
    controller.change_look(mode=Mode.FULL)
    controller.update(source="camera:0")
    assert pipeline.changes == [{"look": Look(mode=Mode.FULL, strength=0.5)}, {"source": "camera:0"}]
    window.close()
    assert store.load().settings.look.strength == 0.9


def test_broken_settings_are_said_in_the_window(
    open_window: Callable[[Controller], MainWindow], make_controller: Callable[..., Controller], store: SettingsStore
) -> None:
    store.path.write_text("{", encoding="utf-8")
    controller = make_controller(FakePipeline())
    window = open_window(controller)
    controller.start()
    bar = window.messages.message("settings")
    assert bar is not None
    assert holds(bar.notice.message, "settings.set_aside", cause=message("settings.broken"))


# settings and help


def test_the_settings_dialog_changes_things_at_once(controller: Controller, pipeline: FakePipeline, qtbot: QtBot) -> None:
    dialog = SettingsDialog(controller)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.device.picked.emit("cpu")
    QTest.mouseClick(dialog.to_viewers, LEFT)
    QTest.mouseClick(dialog.mirror, LEFT)
    dialog.room.picked.emit(0.5)
    dialog.budget.picked.emit(200.0)
    dialog.rest.picked.emit(Resting.NEVER)
    assert pipeline.changes[:2] == [{"device": "cpu"}, {"overlay": True}]
    assert pipeline.changes[2:] == [{"leave_room": 0.5}, {"budget_ms": 200.0}, {"rest": Resting.NEVER}]
    assert controller.settings.budget_ms == 200.0
    assert controller.settings.leave_room == 0.5
    assert controller.settings.mirror
    controller.update(vcam=True)
    dialog.vcam_device.setText(" /dev/video9 ")
    dialog.vcam_device.editingFinished.emit()
    assert pipeline.changes[5:] == [{"sinks": ("vcam",)}, {"sinks": ("vcam:/dev/video9",)}]


def test_the_settings_dialog_cuts_no_text_off(controller: Controller, qtbot: QtBot) -> None:
    dialog = SettingsDialog(controller)
    qtbot.addWidget(dialog)
    dialog.show()
    QApplication.processEvents()
    texts = [text for text in dialog.findChildren(WrappedLabel) if text.isVisible()]
    assert len(texts) > 5
    assert [text.text() for text in texts if text.height() < text.heightForWidth(text.width())] == []


def test_devices_fit_the_system() -> None:
    assert [name for _, name in devices("darwin", "auto")] == ["auto", "cpu", "mps"]
    assert [name for _, name in devices("win32", "cuda:1")] == ["auto", "cpu", "cuda", "cuda:1"]


def test_the_room_asked_for_on_the_command_line_can_be_seen() -> None:
    assert [share for _, share in rooms(0.5)] == [0.0, 0.25, 0.5, 0.75]
    assert rooms(0.3)[-1] == ("30%", 0.3)


def test_budgets_offer_the_present_one_too() -> None:
    assert [budget for _, budget in budgets(100.0)] == [50.0, 100.0, 200.0, 300.0, 0.0]
    assert budgets(75.0)[-1] == ("75 ms", 75.0)


def test_the_steps_for_obs_fit_the_system(qtbot: QtBot) -> None:
    assert any("(V4L2)" in step for step in obs_steps("linux", ""))
    assert "v4l2loopback" in obs_command("linux")
    for platform in ("win32", "darwin"):
        assert any("OBS Virtual Camera" in step for step in obs_steps(platform, ""))
        assert any("Start Virtual Camera" in step for step in obs_steps(platform, ""))
        assert obs_command(platform) == ""
        assert "OBS" in obs_note(platform)
    assert any("Unity Video Capture" in step for step in obs_steps("win32", "Unity Video Capture"))
    sheet = ObsSheet("", platform="linux")
    qtbot.addWidget(sheet)
    sheet.show()
    assert sheet.isVisible()


def test_the_theme_can_be_chosen_and_changed(window: MainWindow, qapp: QApplication) -> None:
    keeper = ThemeKeeper(qapp)
    keeper.choose("light")
    assert tokens() is LIGHT
    assert qapp.palette().window().color() == QColor(LIGHT.window)
    keeper.choose("dark")
    assert tokens() is DARK
    window.take_frame()
    assert centre_colour(window) == FINISHED


def test_text_can_be_read_in_both_themes() -> None:
    for colours in (DARK, LIGHT):
        for ground in (colours.window, colours.surface, colours.control):
            for ink in (colours.text, colours.muted):
                assert contrast(ink, ground) >= 4.5, (ink, ground)
        assert contrast(colours.on_accent, colours.accent) >= 4.5
        assert contrast(colours.bad, colours.surface) >= 4.5
        assert contrast(colours.accent, colours.surface) >= 4.5


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2.1."""

    def luminance(name: str) -> float:
        colour = QColor(name)
        parts = (colour.redF(), colour.greenF(), colour.blueF())
        linear = [part / 12.92 if part <= 0.03928 else math.pow((part + 0.055) / 1.055, 2.4) for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_control_has_a_name(window: MainWindow) -> None:
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QSlider

    for kind in (QAbstractButton, QComboBox, QSlider):
        for control in window.findChildren(kind):
            if control.focusPolicy() == Qt.FocusPolicy.NoFocus:
                continue
            assert control.accessibleName() or getattr(control, "text", str)(), control


def test_the_state_in_one_line() -> None:
    config = LiveConfig()
    assert state_line(RUNNING, config) == ("good", "Demo camera · 640 × 360 · lite-256 on CPU · 1 face")
    assert state_line(replace(RUNNING, raw_reason=message("live.no_face")), config)[0] == "warn"
    colour, line = state_line(
        replace(RUNNING, quality=QualityState(1, (message("effort.largest_face"),))), replace(config, budget_ms=80)
    )
    assert (colour, message("effort.largest_face").what in line, "80 ms" in line) == ("warn", True, True)
    assert state_line(RUNNING, replace(config, look=Look(enhance=False)))[1].endswith("enhancement is off")
    nothing = state_line(RUNNING, replace(config, look=Look(strength=0)))
    assert nothing == ("muted", "Demo camera · 640 × 360 · no look, and the network's strength is 0 %")
    alone = state_line(RUNNING, replace(config, look=Look(strength=0, beauty=Beauty(smooth=0.5))))
    assert alone == ("good", "Demo camera · 640 × 360 · look alone on CPU · 1 face")
    broken = replace(RUNNING, beauty_trouble=message("live.beauty_missing", device="cpu"))
    assert state_line(broken, replace(config, look=Look(strength=0, beauty=Beauty(smooth=0.5))))[0] == "warn"
    assert state_line(Snapshot(), config) == ("warn", "Opening Demo camera…")
    assert state_line(failed("source", "gone"), config)[0] == "bad"
    assert state_line(failed("sink", "gone"), config)[0] == "bad"


@pytest.mark.parametrize("latency", [0.0, 50.0, 150.0, 250.0, 900.0])
def test_the_overlay_draws_every_state(window: MainWindow, pipeline: FakePipeline, latency: float) -> None:
    pipeline.state = replace(
        RUNNING,
        stages={"end_to_end": Quantiles(latency, latency)},
        rates=Rates(),
        busy=latency / 1000,
        quality=QualityState(3, (message("effort.detect_every", every=4),) * 3),
        raw_reason=message("live.engine_failed", reason="a long story " * 8),
    )
    window.take_frame()
    window.controller.poll()
    panel = window.preview.picture_rect().topLeft().toPoint() + QPoint(40, 120)
    assert colour_at(window.preview, panel) != FINISHED


def test_the_window_needs_no_torch() -> None:
    heavy = "torch, torchvision, facexlib, basicsr, skimage, scipy, av, pyvirtualcam"
    code = f"""
import sys
import gpen_live.ui.app, gpen_live.live.pipeline
print([name for name in {heavy.split(", ")!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_window_that_is_hidden_or_minimised_is_not_seen(window: MainWindow, pipeline: FakePipeline) -> None:
    assert pipeline.seen[-1] is True
    window.hide()
    assert pipeline.seen[-1] is False
    window.show()
    assert pipeline.seen[-1] is True
    window.setWindowState(window.windowState() | Qt.WindowState.WindowMinimized)
    QApplication.processEvents()
    assert pipeline.seen[-1] is False
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    QApplication.processEvents()
    assert pipeline.seen[-1] is True
