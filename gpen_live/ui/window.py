"""The main window: the picture, a line of state and quick controls below it, and the panel beside it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QHideEvent,
    QKeyEvent,
    QKeySequence,
    QPaintEvent,
    QResizeEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtSvgWidgets import QSvgWidget
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QMainWindow, QVBoxLayout, QWidget

from gpen_live.live.config import LiveConfig
from gpen_live.live.status.snapshot import Health, Snapshot
from gpen_live.presets import ENDING
from gpen_live.settings import WindowGeometry
from gpen_live.ui import icons
from gpen_live.ui.about import AboutDialog
from gpen_live.ui.controller import Controller
from gpen_live.ui.help import ObsSheet, ShortcutsSheet
from gpen_live.ui.looks import Looks
from gpen_live.ui.models import Catalogue
from gpen_live.ui.models_dialog import ModelsDialog
from gpen_live.ui.notify import MessageArea
from gpen_live.ui.overlay import describe_faces, device_name
from gpen_live.ui.panels.look import LookPanel
from gpen_live.ui.panels.network import NetworkPanel
from gpen_live.ui.panels.output import OutputPanel
from gpen_live.ui.panels.source import Camera, SourcePanel, describe_source
from gpen_live.ui.portraits import Portraits
from gpen_live.ui.preset_actions import PresetActions
from gpen_live.ui.preview import PreviewView
from gpen_live.ui.settings_dialog import SettingsDialog
from gpen_live.ui.theme import UNIT, ThemeKeeper, tokens
from gpen_live.ui.widgets import ElidedLabel, FadingScroll, Fold, IconButton, button, label

PANEL_WIDTH = 312
GUTTER = 12  # for the scroll bar, where the window is low
EDGES = (2 * UNIT, 2 * UNIT, 2 * UNIT - GUTTER, UNIT)
FRAME_MS = 16
STRENGTH_STEP = 0.05
AMOUNT_STEP = 0.05
_LAID_OUT_MS = 30  # after a fold has opened its rows have their places


class MainWindow(QMainWindow):
    """The app's window.

    Args:
        controller: everything that the user asks goes to it.
        catalogue: the models.
        list_cameras: finds cameras; may take seconds.
        theme: dresses the application; None leaves it as it is.
    """

    first_painted = Signal()

    def __init__(
        self,
        controller: Controller,
        catalogue: Catalogue,
        list_cameras: Callable[[], Sequence[Camera]],
        theme: ThemeKeeper | None = None,
    ) -> None:
        super().__init__()
        self.controller = controller
        self._catalogue = catalogue
        self._theme = theme
        self._painted = False
        self._source = controller.config.source
        self._models_dialog: ModelsDialog | None = None
        self.setWindowTitle("GPEN Live")
        self.setWindowIcon(icons.app_icon())
        self.setMinimumSize(QSize(720, 480))
        self.setAcceptDrops(True)
        if theme is not None:
            theme.choose(controller.settings.theme)

        self.looks = Looks(controller, parent=self)
        self.preset_actions = PresetActions(self, self.looks)
        self.preview = PreviewView()
        self.messages = MessageArea()
        self.source = SourcePanel(controller, list_cameras)
        self.look = LookPanel(controller, self.looks)
        self.portraits = Portraits(self.looks, parent=self)  # after the panel: so a new preset has its tile already
        self.network = NetworkPanel(controller, catalogue.models)
        self.output = OutputPanel(controller)
        self._build()
        self._connect()
        self._restore()
        self.show_config()
        self.show_snapshot(controller.snapshot)

        self._frames = QTimer(self)
        self._frames.setTimerType(Qt.TimerType.PreciseTimer)
        self._frames.setInterval(FRAME_MS)
        self._frames.timeout.connect(self.take_frame)
        self._frames.start()
        self.preview.setFocus()

    # what it is made of

    def _build(self) -> None:
        self.dot = QLabel("●")
        self.dot.setAccessibleName("")
        self.line = ElidedLabel("State", "muted")
        self.compare = button("Hold to compare", "", "Hold to see the raw picture (Space)")
        self.split_button = IconButton("split", "Before and after", "Before and after side by side (B)", checkable=True)
        self.overlay_button = IconButton("overlay", "Latency overlay", "Latency overlay (O)", checkable=True)
        self.mirror_button = IconButton(
            "mirror", "Mirror the preview", "Mirror the preview (viewers are not affected)", checkable=True
        )
        self.full_button = IconButton("fullscreen", "Full screen", "Full screen (F11)")
        self._strip = QWidget()
        strip = QHBoxLayout(self._strip)
        strip.setContentsMargins(0, UNIT, 0, 0)
        strip.setSpacing(UNIT)
        strip.addWidget(self.dot)
        strip.addWidget(self.line, 1)
        for widget in (self.compare, self.split_button, self.overlay_button, self.mirror_button, self.full_button):
            strip.addWidget(widget)

        left = QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.messages)
        left.addWidget(self.preview, 1)
        left.addWidget(self._strip)

        self._panel = self._build_panel()
        whole = QWidget()
        self._margins = QHBoxLayout(whole)
        self._margins.setContentsMargins(*EDGES)
        self._margins.setSpacing(2 * UNIT)
        self._margins.addLayout(left, 1)
        self._margins.addWidget(self._panel)
        self.setCentralWidget(whole)
        order = (
            self.compare,
            self.split_button,
            self.overlay_button,
            self.mirror_button,
            self.full_button,
            self.settings_button,
            self.help_button,
        )
        for first, second in itertools.pairwise(order):
            QWidget.setTabOrder(first, second)

    def _build_panel(self) -> QWidget:
        mark = QSvgWidget(str(icons.APP_ICON))
        mark.setFixedSize(28, 28)
        self.settings_button = IconButton("settings", "Settings", "Settings (Ctrl+,)")
        self.help_button = IconButton("help", "Keyboard shortcuts", "Keyboard shortcuts and About (F1)")
        head = QHBoxLayout()
        head.setSpacing(UNIT)
        head.addWidget(mark)
        head.addWidget(label("GPEN Live", "title"))
        head.addStretch(1)
        head.addWidget(self.settings_button)
        head.addWidget(self.help_button)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        for card in (self.look, self.source, self.network):
            column.addWidget(card)
        column.addStretch(1)
        inner.setMaximumWidth(PANEL_WIDTH)
        self.roll = FadingScroll(inner)
        self.output.setFixedWidth(PANEL_WIDTH)
        panel = QWidget()
        panel.setFixedWidth(PANEL_WIDTH + GUTTER)
        whole = QVBoxLayout(panel)
        whole.setContentsMargins(0, 0, 0, UNIT)
        whole.setSpacing(12)
        top = QWidget()
        top.setMaximumWidth(PANEL_WIDTH)
        head.setContentsMargins(4, 0, 0, 0)
        top.setLayout(head)
        whole.addWidget(top)
        whole.addWidget(self.roll, 1)
        whole.addWidget(self.output)  # below what scrolls: going live is always one click away
        return panel

    def _connect(self) -> None:
        controller = self.controller
        controller.changed.connect(self.show_config)
        controller.snapshot_changed.connect(self.show_snapshot)
        controller.noticed.connect(self.messages.show_notice)
        controller.settled.connect(self.messages.remove)
        self.messages.retried.connect(controller.retry)
        self.compare.pressed.connect(lambda: self.preview.set_comparing(True))
        self.compare.released.connect(lambda: self.preview.set_comparing(False))
        self.split_button.clicked.connect(self.show_divided)
        self.overlay_button.clicked.connect(lambda on: controller.update(overlay=on))
        self.mirror_button.clicked.connect(lambda on: controller.update(mirror=on))
        self.full_button.clicked.connect(self.toggle_full_screen)
        self.settings_button.clicked.connect(self.open_settings)
        self.help_button.clicked.connect(self.open_help)
        self.network.wanted.connect(self.open_models)
        self.look.save_wanted.connect(self.preset_actions.save)
        self.look.rename_wanted.connect(self.preset_actions.rename)
        self.look.delete_wanted.connect(self.preset_actions.delete)
        self.look.import_wanted.connect(self.preset_actions.bring)
        self.look.export_wanted.connect(self.preset_actions.export)
        self.look.pictures_wanted.connect(self.portraits.renew)
        self.portraits.made.connect(self.look.show_picture)
        for fold in self.look.folds.values():
            fold.toggled.connect(lambda on, fold=fold: self._bring_into_view(fold) if on else None)
        self.output.help_wanted.connect(self.open_obs_help)
        self.first_painted.connect(self.looks.tell_problems)
        for keys, action in (
            ("F1", self.open_help),
            ("F11", self.toggle_full_screen),
            ("Ctrl+,", self.open_settings),
            ("Ctrl+Z", self.looks.undo),
            ("Ctrl+Shift+Z", self.looks.redo),
            ("Ctrl+Q", self.close),
        ):
            QShortcut(QKeySequence(keys), self, action)

    # what it shows

    def show_config(self) -> None:
        """Shows the settings that concern the window itself."""
        settings = self.controller.settings
        if self._source != self.controller.config.source:
            self._source = self.controller.config.source
            self.portraits.forget()
        self.overlay_button.setChecked(settings.overlay)
        self.preview.set_overlay(settings.overlay)
        self.mirror_button.setChecked(settings.mirror)
        self.preview.set_mirrored(settings.mirror)
        if self._theme is not None:
            self._theme.choose(settings.theme)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Shows the pipeline's state."""
        self.preview.show_snapshot(snapshot)
        config = self.controller.config
        if snapshot.source.health is Health.FAILED:
            self.preview.show_picture(None)
            self.preview.show_words("No picture", "Choose another source or try again.", busy=False)
        else:
            self.preview.show_words(f"Opening {describe_source(config.source)}…", "", busy=True)
        loading = snapshot.model.health is Health.STARTING and config.look.enhance
        self.preview.show_pill("Loading the model… viewers see the raw picture until it is ready" if loading else "")
        colour, text = state_line(snapshot, config)
        self.dot.setStyleSheet(f"color: {getattr(tokens(), colour)}; font-size: 11px;")
        self.line.say(text)

    def take_frame(self) -> None:
        """Shows the newest frame, if there is a new one."""
        pipeline = self.controller.pipeline
        if pipeline is None:
            return
        picture = pipeline.preview.take(0)
        if picture is not None and not self.isMinimized() and self.controller.snapshot.source.health is not Health.FAILED:
            self.preview.show_picture(picture)
            self.portraits.offer(picture)

    def show_divided(self, on: bool) -> None:
        """Shows before and after side by side, or no longer."""
        if self.preview.divider.hasFocus():
            self.preview.setFocus()  # before it hides, which would hand the focus on to anything
        self.preview.set_divided(on)
        self.split_button.setChecked(on)
        if on:
            self.preview.divider.setFocus()

    def _bring_into_view(self, fold: Fold) -> None:
        QTimer.singleShot(_LAID_OUT_MS, lambda: self.roll.ensureWidgetVisible(fold, 0, 2 * UNIT))

    # what it opens

    def open_settings(self) -> None:
        """Opens the settings."""
        self._open(SettingsDialog(self.controller, self))

    def open_help(self) -> None:
        """Opens the list of shortcuts."""
        sheet = ShortcutsSheet(self)
        sheet.about_wanted.connect(self.open_about)
        self._open(sheet)

    def open_about(self) -> None:
        """Opens the About box."""
        self._open(AboutDialog(self.controller.snapshot, self))

    def open_obs_help(self) -> None:
        """Opens the steps for OBS."""
        sink = self.controller.vcam
        self._open(ObsSheet(sink.label if self.controller.wants_vcam and sink.health is Health.OK else "", self))

    def open_models(self, name: str = "") -> ModelsDialog:
        """Opens the list of models, at the licence of the model `name` if it is not here yet."""
        if self._models_dialog is None:
            self._models_dialog = ModelsDialog(self.controller, self._catalogue, self)
            self._models_dialog.changed.connect(self.network.refresh)
        self._models_dialog.ask_for(name)
        self._models_dialog.open()
        return self._models_dialog

    @staticmethod
    def _open(dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def toggle_full_screen(self) -> None:
        """The picture alone on the whole screen, or back."""
        full = not self.isFullScreen()
        self._panel.setVisible(not full)
        self._strip.setVisible(not full)
        self._margins.setContentsMargins(*((0, 0, 0, 0) if full else EDGES))
        self._margins.setSpacing(0 if full else 2 * UNIT)
        if full:
            self._maximized = self.isMaximized()
            self.showFullScreen()
        elif self._maximized:
            self.showMaximized()
        else:
            self.showNormal()

    # keys: only those come here that the focused control has no use for

    def keyPressEvent(self, event: QKeyEvent) -> None:
        controller, key = self.controller, event.key()
        if event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier):
            return super().keyPressEvent(event)
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            step = STRENGTH_STEP if key == Qt.Key.Key_Up else -STRENGTH_STEP
            controller.set_strength(controller.config.look.strength + step)
            return None
        enhance = controller.config.look.enhance
        if enhance and key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            step = -AMOUNT_STEP if key == Qt.Key.Key_Minus else AMOUNT_STEP
            self.looks.set_value("amount", min(1.0, max(0.0, round(self.looks.beauty.amount + step, 2))))
            return None
        if event.isAutoRepeat():
            return None
        if key == Qt.Key.Key_Space:
            self.compare.setDown(True)
            self.preview.set_comparing(True)
        elif key == Qt.Key.Key_B:
            self.show_divided(not self.preview.divided)
        elif enhance and Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            presets = self.looks.presets
            if (place := key - Qt.Key.Key_1) < len(presets):
                self.looks.choose(presets[place].name)
        elif key == Qt.Key.Key_E:
            controller.toggle_enhance()
        elif key == Qt.Key.Key_M:
            controller.toggle_mode()
        elif key == Qt.Key.Key_O:
            controller.update(overlay=not controller.settings.overlay)
        elif key == Qt.Key.Key_V:
            controller.toggle_vcam()
        elif key == Qt.Key.Key_Escape and self.preview.divided:
            self.show_divided(False)
        elif key == Qt.Key.Key_Escape and self.isFullScreen():
            self.toggle_full_screen()
        elif key == Qt.Key.Key_Escape and self.focusWidget() is not None:
            self.focusWidget().clearFocus()
        else:
            super().keyPressEvent(event)
        return None

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._end_comparing()
        else:
            super().keyReleaseEvent(event)

    # presets that are dropped on it

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_preset(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped_preset(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.looks.bring(path)

    # whether it is seen

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.controller.set_seen(not self.isMinimized())
        if not event.spontaneous():
            self.portraits.renew()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.controller.set_seen(False)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.WindowStateChange:
            self.controller.set_seen(self.isVisible() and not self.isMinimized())
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self._end_comparing()
        super().changeEvent(event)

    def _end_comparing(self) -> None:
        self.compare.setDown(False)
        self.preview.set_comparing(False)

    # its place, and its end

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self.first_painted.emit)

    def _restore(self) -> None:
        self._maximized = False
        place = self.controller.settings.window
        if place is None:
            available = self.screen().availableGeometry().size()
            self.resize(min(1440, available.width() - 80), min(688, available.height() - 80))
            return
        self.resize(place.width, place.height)
        if any(screen.availableGeometry().contains(place.x + 60, place.y + 20) for screen in QGuiApplication.screens()):
            self.move(place.x, place.y)
        if place.maximized:
            self.setWindowState(Qt.WindowState.WindowMaximized)

    def _geometry(self) -> WindowGeometry:
        maximized = self._maximized if self.isFullScreen() else self.isMaximized()
        size = self.normalGeometry().size() if maximized or self.isFullScreen() else self.size()
        return WindowGeometry(self.x(), self.y(), size.width(), size.height(), maximized)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.compare.setText("Hold to compare" if self.width() >= 1000 else "Compare")

    def closeEvent(self, event: QCloseEvent) -> None:
        self._frames.stop()
        self.controller.update(window=self._geometry())
        self.hide()
        self.portraits.stop()
        self.controller.shutdown()
        super().closeEvent(event)


def _dropped_preset(dropped: QMimeData) -> Path | None:
    """The file of a preset among what is dropped."""
    files = [Path(url.toLocalFile()) for url in dropped.urls() if url.isLocalFile()]
    return next((path for path in files if path.suffix.lower() == ENDING), None)


def state_line(snapshot: Snapshot, config: LiveConfig) -> tuple[str, str]:
    """The state in one line, and the colour (a name in the theme's tokens) of its dot."""
    source = snapshot.source
    if source.health is Health.FAILED:
        return "bad", "No picture"
    if source.health in (Health.OFF, Health.STARTING):
        return "warn", f"Opening {describe_source(config.source)}…"
    words = [source.label or describe_source(config.source)]
    if snapshot.size is not None:
        words.append(str(snapshot.size).replace("x", " × "))
    if all(status.health is Health.FAILED for status in [output.status for output in snapshot.outputs] or [snapshot.sink]):
        return "bad", " · ".join([*words, "no output"])
    if not config.look.enhance:
        return "muted", " · ".join([*words, "enhancement is off"])
    if config.look.strength == 0 and not config.look.beauty.uses():
        return "muted", " · ".join([*words, "no look, and the network's strength is 0 %"])
    if config.look.strength == 0 and snapshot.beauty_trouble is not None:
        return "warn", " · ".join([*words, snapshot.beauty_trouble.what])
    if snapshot.raw_reason is not None:
        return "warn", " · ".join([*words, snapshot.raw_reason.what])
    network = snapshot.model_name if config.look.strength > 0 else "look alone"
    words += [f"{network} on {device_name(snapshot.device)}", describe_faces(snapshot.faces)]
    if snapshot.quality.given_up:
        given_up = " ".join(one.what for one in reversed(snapshot.quality.given_up))  # what is seen most comes first
        return "warn", " · ".join([*words, f"reduced to stay within {config.budget_ms:g} ms: {given_up}"])
    return "good", " · ".join(words)
