"""Look: presets with pictures of the viewer's own face, how much of them, and every control in folds."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from gpen_live.look import CONTROLS, Group
from gpen_live.ui.control_rows import AmountRow, ColourRow, ControlRow, NumberRow, SwitchRow
from gpen_live.ui.control_words import GROUPS
from gpen_live.ui.controller import Controller
from gpen_live.ui.looks import UNSAVED, Looks, title
from gpen_live.ui.theme import UNIT
from gpen_live.ui.tiles import PresetTiles
from gpen_live.ui.widgets import Card, ElidedLabel, Fold, IconButton, Switch, button

_ABOUT = {
    "off": "No make-up, no retouching",
    "natural": "You, on a good day",
    "studio": "As under good studio light",
    "glam": "Retouched, shaped and made up",
}

_LEFT_OUT = {"shape": "effort.no_shape", "makeup": "effort.no_makeup"}
"""What is said when a group is given up to hold the latency budget."""


class LookPanel(Card):
    """The first panel: what streamers reach for while they are live.

    `save_wanted`, `rename_wanted`, `delete_wanted`, `import_wanted` and `export_wanted` ask for their dialogs;
    `pictures_wanted` asks for newer pictures on the tiles.
    """

    save_wanted = Signal()
    rename_wanted = Signal()
    delete_wanted = Signal()
    import_wanted = Signal()
    export_wanted = Signal()
    pictures_wanted = Signal()

    def __init__(self, controller: Controller, looks: Looks, parent: QWidget | None = None) -> None:
        self.switch = Switch("Enhance")
        self.switch.setToolTip("Enhance the picture: look and network, on or off (E)")
        self.more = IconButton("more", "Presets", "Save, rename, import and export presets")
        beside = QWidget()
        top = QHBoxLayout(beside)
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(UNIT)
        top.addWidget(self.more)
        top.addWidget(self.switch)
        super().__init__("Look", beside, parent)
        self._controller, self._looks = controller, looks
        self.more.setFixedSize(28, 28)
        self.tiles = PresetTiles()
        self.state = ElidedLabel("State of the look", "small")
        self.save = button("Save…", "link", "Save these values as a preset of your own")
        self.reset = button("Reset", "link", "Go back to the values of the preset (Ctrl+Z takes back one change)")
        line = QHBoxLayout()
        line.setSpacing(2 * UNIT)
        line.addWidget(self.state, 1)
        line.addWidget(self.reset)
        line.addWidget(self.save)
        holder = QWidget()
        holder.setMinimumHeight(24)
        holder.setLayout(line)
        line.setContentsMargins(0, 0, 0, 0)
        self.amount = AmountRow()
        self.rows.addWidget(self.tiles)
        self.rows.addWidget(holder)
        self.rows.addWidget(self.amount)
        self.rows.addSpacing(UNIT // 2)
        self.controls: dict[str, ControlRow] = {}
        self.folds = {group: self._fold(group) for group in GROUPS}
        folds = QVBoxLayout()
        folds.setSpacing(0)
        for fold in self.folds.values():
            folds.addWidget(fold)
        self.rows.addLayout(folds)

        self.switch.clicked.connect(lambda on: controller.change_look(enhance=on))
        self.more.clicked.connect(self.open_menu)
        self.tiles.chosen.connect(looks.choose)
        self.tiles.menu_wanted.connect(self._open_menu_of)
        self.amount.changed.connect(partial(looks.set_value, "amount"))
        self.reset.clicked.connect(looks.reset)
        self.save.clicked.connect(self.save_wanted)
        looks.listed.connect(self.refresh)
        looks.changed.connect(self.show_values)
        controller.snapshot_changed.connect(self.show_values)
        self.refresh()

    def refresh(self) -> None:
        """Shows which presets there are."""
        self.tiles.show_presets([(one.name, title(one.name), _ABOUT.get(one.name, "")) for one in self._looks.presets])
        for before, after in itertools.pairwise(
            (self.switch, *self.tiles.tiles.values(), self.reset, self.save, self.amount.slider)
        ):
            QWidget.setTabOrder(before, after)
        self.show_values()

    def show_values(self) -> None:
        """Shows what holds now."""
        looks, enhance = self._looks, self._controller.config.look.enhance
        beauty, base = looks.beauty, looks.base
        self.switch.setChecked(enhance)
        self.tiles.show_chosen(base.name, modified=looks.modified, mirrored=self._controller.settings.mirror)
        self.state.say(self._state())
        self.save.setVisible(enhance and (looks.modified or looks.name == UNSAVED))
        self.reset.setVisible(enhance and looks.modified and looks.name != UNSAVED)
        self.amount.show_value(beauty.amount, 1.0)
        for name, row in self.controls.items():
            row.show_value(getattr(beauty, name), getattr(base.beauty, name))
        whole = replace(beauty, amount=1.0)
        given_up = {one.id for one in self._controller.snapshot.quality.given_up}
        for group, fold in self.folds.items():
            left_out = whole.uses(group) and _LEFT_OUT.get(group) in given_up
            fold.say("left out now" if left_out else "" if whole.uses(group) else "off", warns=left_out)
            fold.setToolTip("There is no time for it within the latency budget (Settings)" if left_out else "")
        self.amount.setEnabled(enhance and whole.uses())
        self.tiles.setEnabled(enhance)
        for row in self.controls.values():
            row.setEnabled(enhance)

    def _state(self) -> str:
        looks = self._looks
        if not self._controller.config.look.enhance:
            return "Enhancement is off"
        if looks.name == UNSAVED:
            return "Not saved"
        if looks.modified:
            return f"Changed from {title(looks.name)}"
        return _ABOUT.get(looks.name, "Your own preset")

    def show_picture(self, name: str, picture: QImage | None) -> None:
        """Puts a picture onto the tile of a preset; None is the neutral drawing."""
        self.tiles.show_picture(name, picture)

    def open_menu(self) -> None:
        """Opens the menu of presets below its button."""
        menu = self.menu()
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def menu(self) -> QMenu:
        """What can be done with presets; it deletes itself when it closes."""
        looks = self._looks
        own = looks.is_own(looks.name)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Save as my preset…", self.save_wanted.emit)
        menu.addAction("Rename…", self.rename_wanted.emit).setEnabled(own)
        menu.addAction("Delete…", self.delete_wanted.emit).setEnabled(own)
        menu.addSeparator()
        menu.addAction("Import…", self.import_wanted.emit)
        menu.addAction("Export…", self.export_wanted.emit)
        menu.addSeparator()
        menu.addAction("Undo\tCtrl+Z", looks.undo).setEnabled(looks.can_undo)
        menu.addAction("Redo\tCtrl+Shift+Z", looks.redo).setEnabled(looks.can_redo)
        menu.addSeparator()
        menu.addAction("Take new pictures of my face", self.pictures_wanted.emit)
        return menu

    def _open_menu_of(self, name: str, place: QPoint) -> None:
        self._looks.choose(name)
        self.menu().popup(place)

    def _fold(self, group: Group) -> Fold:
        fold = Fold(GROUPS[group])
        for control in CONTROLS:
            if control.group == group:
                kind = NumberRow if control.number else ColourRow if control.colour else SwitchRow
                row = self.controls[control.name] = kind(control)
                row.changed.connect(partial(self._looks.set_value, control.name))
                fold.rows.addWidget(row)
        return fold
