"""The shortcuts, and the steps that bring the virtual camera into OBS."""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from gpen_live.sinks.loopback import INSTALL_COMMAND, SETUP_COMMAND
from gpen_live.ui.theme import UNIT
from gpen_live.ui.widgets import WrappedLabel, button, label

SHORTCUTS = (
    ("1 to 9", "Choose a look"),
    ("+ / -", "Adjust the look's amount"),
    ("Ctrl+Z", "Undo the last change of the look"),
    ("Space (hold)", "Compare with the raw picture"),
    ("B", "Before and after side by side"),
    ("E", "Turn enhancement on or off"),
    ("M", "Switch between face and full frame"),
    ("Up / Down", "Adjust the network's strength"),
    ("V", "Start or stop the virtual camera"),
    ("O", "Show or hide the latency overlay"),
    ("F11", "Full screen (Esc to leave)"),
    ("Ctrl+,", "Settings"),
    ("F1", "Keyboard shortcuts"),
    ("Ctrl+Q", "Quit"),
)


def obs_steps(platform: str, camera: str) -> list[str]:
    """What to do in OBS, step by step; `platform` is a value of sys.platform, `camera` the virtual camera's name, if known."""
    device = "Video Capture Device (V4L2)" if platform.startswith("linux") else "Video Capture Device"
    name = camera or ("GPEN Live" if platform.startswith("linux") else "OBS Virtual Camera")
    steps = [
        "Start the virtual camera here.",
        f"In OBS, under Sources, click + and choose “{device}”.",
        f"As its device, choose “{name}”.",
    ]
    if platform in ("win32", "darwin"):
        steps.append(
            "Don't press “Start Virtual Camera” in OBS itself: there is only one such camera, and GPEN Live is using it."
        )
    return steps


def obs_note(platform: str) -> str:
    """What has to be there before the steps work."""
    if platform == "win32":
        return "The camera is part of OBS, so OBS must be installed. Unity Capture works as well."
    if platform == "darwin":
        return "Requires OBS 30 or later. Start and stop its virtual camera once."
    return f"Requires v4l2loopback (install once: {INSTALL_COMMAND}). After every reboot, run this in a terminal:"


def obs_command(platform: str) -> str:
    """A command that makes the virtual camera, where one is needed."""
    if not platform.startswith("linux"):
        return ""
    return SETUP_COMMAND


class _Sheet(QDialog):
    def __init__(self, title: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        self.column.setSpacing(2 * UNIT)
        self.column.addWidget(label(title, "title"))

    def finish(self, *beside: QWidget) -> None:
        close = button("Close")
        close.clicked.connect(self.accept)
        close.setDefault(True)
        foot = QHBoxLayout()
        for widget in beside:
            foot.addWidget(widget)
        foot.addStretch(1)
        foot.addWidget(close)
        self.column.addStretch(1)
        self.column.addLayout(foot)


class ShortcutsSheet(_Sheet):
    """Lists the keyboard shortcuts; `about_wanted` asks for the About box in its place."""

    about_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Keyboard shortcuts", parent)
        grid = QGridLayout()
        grid.setHorizontalSpacing(3 * UNIT)
        grid.setVerticalSpacing(UNIT)
        for row, (keys, what) in enumerate(SHORTCUTS):
            grid.addWidget(label(keys, "key"), row, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(label(what), row, 1)
        grid.setColumnStretch(1, 1)
        self.column.addLayout(grid)
        self.about = button("About GPEN Live…")
        self.about.clicked.connect(self.accept)
        self.about.clicked.connect(self.about_wanted)
        self.finish(self.about)


class ObsSheet(_Sheet):
    """The steps in OBS."""

    def __init__(self, camera: str, parent: QWidget | None = None, platform: str = sys.platform) -> None:
        super().__init__("Add the virtual camera in OBS", parent)
        self.setMinimumWidth(480)
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * UNIT)
        grid.setVerticalSpacing(12)
        for row, step in enumerate(obs_steps(platform, camera)):
            grid.addWidget(label(str(row + 1), "key"), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(WrappedLabel(step), row, 1)
        grid.setColumnStretch(1, 1)
        self.column.addLayout(grid)
        self.column.addWidget(WrappedLabel(obs_note(platform), "muted"))
        command = WrappedLabel(obs_command(platform), "code")
        command.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.column.addWidget(command)
        self.finish()
