"""What is set once and then left alone."""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gpen_live.live.config import Resting
from gpen_live.ui.controller import Controller
from gpen_live.ui.theme import UNIT
from gpen_live.ui.widgets import ComboBox, Switch, WrappedLabel, button, label

ROOM = (("None", 0.0), ("A quarter", 0.25), ("Half", 0.5), ("Three quarters", 0.75))
BUDGETS = (("50 ms", 50.0), ("100 ms", 100.0), ("200 ms", 200.0), ("300 ms", 300.0), ("None", 0.0))
RESTS = (
    ("While nobody is watching", Resting.KNOWN),
    ("While the window is hidden", Resting.HIDDEN),
    ("Never", Resting.NEVER),
)
THEMES = (("Match system", "system"), ("Dark", "dark"), ("Light", "light"))


_ABOUT_REST = "Pauses inference and sends raw frames. Only Linux can tell whether a program is reading the virtual camera."


def devices(platform: str, current: str) -> list[tuple[str, str]]:
    """The compute devices to choose from on `platform`, with `current` among them."""
    found = [("Automatic", "auto"), ("Processor (CPU)", "cpu")]
    found.append(("Apple GPU (MPS)", "mps") if platform == "darwin" else ("NVIDIA GPU (CUDA)", "cuda"))
    if current not in [name for _, name in found]:
        found.append((current, current))
    return found


def rooms(current: float) -> list[tuple[str, float]]:
    """The shares to choose from, with `current` among them."""
    found = list(ROOM)
    if current not in [share for _, share in found]:
        found.append((f"{current:.0%}", current))
    return found


def budgets(current: float) -> list[tuple[str, float]]:
    """The latency budgets to choose from, in milliseconds, with `current` among them."""
    found = list(BUDGETS)
    if current not in [budget for _, budget in found]:
        found.append((f"{current:g} ms", current))
    return found


class SettingsDialog(QDialog):
    """Every change takes effect at once; there is nothing to confirm."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setMinimumWidth(560)
        self._controller = controller
        self.device = ComboBox("Compute device")
        self.device.picked.connect(lambda name: controller.update(device=name))
        self.room = ComboBox("Leave room for a game")
        self.room.picked.connect(lambda share: controller.update(leave_room=share))
        self.budget = ComboBox("Latency budget")
        self.budget.picked.connect(lambda budget: controller.update(budget_ms=budget))
        self.rest = ComboBox("Idle mode")
        self.rest.picked.connect(lambda rest: controller.update(rest=rest))
        self.vcam_device = QLineEdit()
        self.vcam_device.setAccessibleName("Virtual camera")
        self.vcam_device.setPlaceholderText("First available")
        self.vcam_device.editingFinished.connect(self._set_vcam_device)
        self.to_viewers = Switch("Show the overlay to viewers")
        self.to_viewers.clicked.connect(lambda on: controller.update(overlay_to_viewers=on))
        self.overlay = Switch("Latency overlay in this window")
        self.overlay.clicked.connect(lambda on: controller.update(overlay=on))
        self.mirror = Switch("Mirror the preview")
        self.mirror.clicked.connect(lambda on: controller.update(mirror=on))
        self.theme = ComboBox("Appearance")
        self.theme.picked.connect(lambda name: controller.update(theme=name))

        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        self._column.setSpacing(2 * UNIT)
        self._column.addWidget(label("Settings", "title"))
        where = (
            "For example /dev/video10. Leave empty for the first available."
            if sys.platform.startswith("linux")
            else "Leave empty for the first available."
        )
        self._row("Compute device", "Where the network runs. Automatic picks the fastest that works.", self.device)
        self._row(
            "Leave room for a game",
            "The share of the device's time that other programs get. More room costs frames, never their order.",
            self.room,
        )
        self._row(
            "Latency budget",
            "The most time from camera to output. Under load, quality is reduced to stay within it; the window shows how.",
            self.budget,
        )
        self._row("Idle mode", _ABOUT_REST, self.rest)
        self._row("Virtual camera", where, self.vcam_device)
        self._row("Show the overlay to viewers", "Draws latency and frame rate into the output.", self.to_viewers)
        self._row("Latency overlay in this window", "Only you can see it (O).", self.overlay)
        self._row("Mirror the preview", "Viewers still see the picture the right way round.", self.mirror)
        self._row("Appearance", "", self.theme)
        self._column.addStretch(1)
        close = button("Close")
        close.clicked.connect(self.accept)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        self._column.addLayout(foot)
        controller.changed.connect(self.show_settings)
        self.show_settings()

    def showEvent(self, event: QShowEvent) -> None:
        """As high as its texts need: Qt alone takes two thirds of the screen at most, and cuts them off."""
        self.resize(self.width(), max(self.height(), self._column.heightForWidth(self.width())))
        super().showEvent(event)

    def show_settings(self) -> None:
        """Shows what holds now."""
        settings, config = self._controller.settings, self._controller.config
        self.device.fill(devices(sys.platform, config.device), config.device)
        self.room.fill(rooms(config.leave_room), config.leave_room)
        self.budget.fill(budgets(config.budget_ms), config.budget_ms)
        self.rest.fill(RESTS, config.rest)
        self.theme.fill(THEMES, settings.theme)
        self.to_viewers.setChecked(config.overlay)
        self.overlay.setChecked(settings.overlay)
        self.mirror.setChecked(settings.mirror)
        if not self.vcam_device.hasFocus():
            self.vcam_device.setText(settings.vcam_device)

    def _set_vcam_device(self) -> None:
        name = self.vcam_device.text().strip()
        if name != self._controller.settings.vcam_device:
            self._controller.update(vcam_device=name)

    def _row(self, name: str, what: str, control: QWidget) -> None:
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(name))
        texts.addWidget(WrappedLabel(what, "small"))
        row = QHBoxLayout()
        row.setSpacing(3 * UNIT)
        row.addLayout(texts, 1)
        if not isinstance(control, Switch):
            control.setFixedWidth(208)
            control.setMinimumHeight(36)
        row.addWidget(control, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._column.addLayout(row)
