"""Output: the virtual camera, its state in plain words, and how to see it in OBS."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from gpen_live.live.config import FIRST_OUTPUT, output_parts
from gpen_live.live.status.snapshot import Health, PartStatus, Snapshot
from gpen_live.sinks import is_file
from gpen_live.ui.controller import Controller
from gpen_live.ui.panels.source import describe_size
from gpen_live.ui.widgets import Card, WrappedLabel, button, restyle


class OutputPanel(Card):
    """`help_wanted` asks for the steps in OBS."""

    help_wanted = Signal()

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        self.help = button("How to add it in OBS", "link")
        super().__init__("Output", self.help, parent)
        self._controller = controller
        self.toggle = button("Start virtual camera", "primary", "Send the picture to OBS, Zoom and other apps (V)")
        self.toggle.setMinimumHeight(44)
        self.state = WrappedLabel("", "small")
        self.state.setAccessibleName("State of the virtual camera")
        self.rows.addWidget(self.toggle)
        self.rows.addWidget(self.state)

        self.toggle.clicked.connect(controller.toggle_vcam)
        self.help.clicked.connect(self.help_wanted)
        controller.changed.connect(self.show_state)
        controller.snapshot_changed.connect(self.show_state)
        self.show_state()

    def show_state(self) -> None:
        """Shows what holds now."""
        wanted, snapshot = self._controller.wants_vcam, self._controller.snapshot
        failed = wanted and self._controller.vcam.health is Health.FAILED
        stops = wanted and not failed
        self.toggle.setText("Stop virtual camera" if stops else "Start virtual camera")
        restyle(self.toggle, kind="stop" if stops else "primary")
        self.state.say(describe_outputs(self._controller.config.sinks, snapshot))


def describe_outputs(sinks: tuple[str, ...], snapshot: Snapshot) -> str:
    """The state of the outputs `sinks` in plain words."""
    parts = output_parts(sinks)
    statuses = {FIRST_OUTPUT: snapshot.sink, **{output.part: output.status for output in snapshot.outputs}}
    return " ".join(_describe(spec, statuses.get(part, PartStatus()), snapshot) for spec, part in parts.items())


def _describe(sink: str, part: PartStatus, snapshot: Snapshot) -> str:
    if sink == "none":
        return "Off. OBS and other apps aren't getting a picture."
    if part.health is Health.FAILED:
        return "Couldn't start. See the message above the picture."
    if part.health is Health.OK or part.health is Health.WARNING:
        size = f", {describe_size(snapshot.size)}" if snapshot.size else ""
        rate = f" at {snapshot.rates.output:.0f} fps" if snapshot.rates.output else ""
        return f"{'Recording to' if is_file(sink) else 'On as'} “{part.label}”{size}{rate}."
    return "Starting…"
