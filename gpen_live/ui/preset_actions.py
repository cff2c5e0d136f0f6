"""What is asked when a preset is saved, renamed, deleted, imported or exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gpen_live.errors import GpenLiveError
from gpen_live.presets import ENDING
from gpen_live.ui.looks import Looks, title
from gpen_live.ui.theme import UNIT
from gpen_live.ui.widgets import WrappedLabel, button, label

_PRESETS = f"Presets (*{ENDING});;All files (*)"


class NameDialog(QDialog):
    """Asks for a name until `act` takes it; what is wrong with one stands below it.

    Args:
        heading: of the window. verb: on the button.
        name: to begin with.
        act: is given the name; raises GpenLiveError with a sentence where it can't be.
        taken: whether a preset of that name would be replaced, which is said before.
    """

    def __init__(
        self,
        heading: str,
        verb: str,
        name: str,
        act: Callable[[str], None],
        taken: Callable[[str], bool] = lambda name: False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._act, self._taken, self._verb = act, taken, verb
        self.setWindowTitle(heading)
        self.setMinimumWidth(400)
        self.name = QLineEdit(name)
        self.name.setAccessibleName("Name")
        self.name.setPlaceholderText("Name of the preset")
        self.name.selectAll()
        self.complaint = WrappedLabel("", "bad")
        self.ok = button(verb, "primary")
        self.ok.setDefault(True)
        cancel = button("Cancel")
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(self.ok)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        column.setSpacing(12)
        column.addWidget(label(heading, "title"))
        column.addWidget(self.name)
        column.addWidget(self.complaint)
        column.addSpacing(UNIT)
        column.addLayout(foot)
        self.name.textChanged.connect(self._follow)
        self.ok.clicked.connect(self._try)
        cancel.clicked.connect(self.reject)
        self._follow(name)

    def _follow(self, name: str) -> None:
        self.complaint.say("")
        self.ok.setText("Replace" if self._taken(name.strip()) else self._verb)
        self.ok.setEnabled(bool(name.strip()))

    def _try(self) -> None:
        try:
            self._act(self.name.text())
        except GpenLiveError as error:
            self.complaint.say(error.message.text)
            self.name.setFocus()
        else:
            self.accept()


class DeleteDialog(QDialog):
    """Asks before a preset is deleted."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Delete preset")
        self.setMinimumWidth(400)
        self.delete = button("Delete", "stop")
        keep = button("Keep")
        keep.setDefault(True)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(keep)
        foot.addWidget(self.delete)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        column.setSpacing(12)
        column.addWidget(label(f"Delete “{name}”?", "title"))
        column.addWidget(WrappedLabel("Your picture stays as it is. The preset itself can't be brought back.", "muted"))
        column.addSpacing(UNIT)
        column.addLayout(foot)
        self.delete.clicked.connect(self.accept)
        keep.clicked.connect(self.reject)


class PresetActions(QObject):
    """Opens the dialogs over `window`, and does what they ask."""

    def __init__(self, window: QWidget, looks: Looks) -> None:
        super().__init__(window)
        self._window, self._looks = window, looks

    def save(self) -> QDialog:
        """Asks for the name under which the values in use are kept."""
        looks = self._looks
        name = looks.name if looks.is_own(looks.name) else ""
        return self._open(NameDialog("Save as my preset", "Save", name, looks.save, looks.is_own, self._window))

    def rename(self) -> QDialog:
        """Asks for another name of the preset in use."""
        old = self._looks.name
        return self._open(
            NameDialog("Rename preset", "Rename", old, lambda new: self._looks.rename(old, new), parent=self._window)
        )

    def delete(self) -> QDialog:
        """Asks whether the preset in use is to be deleted."""
        name = self._looks.name
        dialog = DeleteDialog(name, self._window)
        dialog.accepted.connect(lambda: self._looks.delete(name))
        return self._open(dialog)

    def bring(self) -> None:
        """Asks for a file, and takes the preset in it."""
        name, _ = QFileDialog.getOpenFileName(self._window, "Import a preset", "", _PRESETS)
        if name:
            self._looks.bring(Path(name))

    def export(self) -> None:
        """Asks for a file, and writes the values in use to it."""
        suggested = f"{title(self._looks.name)}{ENDING}"
        name, _ = QFileDialog.getSaveFileName(self._window, "Export the look", suggested, _PRESETS)
        if name:
            path = Path(name)
            self._looks.export(path if path.suffix else path.with_name(path.name + ENDING))

    @staticmethod
    def _open(dialog: QDialog) -> QDialog:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog
