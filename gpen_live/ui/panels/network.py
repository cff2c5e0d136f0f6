"""Network: which one enhances the picture before the look is drawn, the face or all of the frame, and how strongly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gpen_live.look import Mode
from gpen_live.ui.controller import Controller
from gpen_live.ui.models import Model
from gpen_live.ui.theme import UNIT
from gpen_live.ui.widgets import Card, ComboBox, Segments, ValueSlider, label

_MANAGE = "…manage"


class NetworkPanel(Card):
    """`wanted` carries the name of a model that is not here yet ("" for none) when the list of models should open."""

    wanted = Signal(str)

    def __init__(self, controller: Controller, list_models: Callable[[], Sequence[Model]], parent: QWidget | None = None) -> None:
        super().__init__("Network", parent=parent)
        self._controller = controller
        self._list_models = list_models
        self.model = ComboBox("Model")
        self.model.setToolTip("The network that cleans up the picture before the look is drawn")
        self.mode = Segments(
            "Area",
            (
                ("Face", Mode.ROI, "Enhance faces and leave everything else unchanged (M to switch)"),
                ("Full frame", Mode.FULL, "Send the whole frame through the network (M to switch)"),
            ),
        )
        self.strength = ValueSlider("Strength of the network", rest=100)
        self.strength.setToolTip(
            "From the camera's picture (0 %) to the network's (100 %); the look is not affected. Adjust with Up and Down.\n"
            "Double-click the slider to return to 100 %."
        )
        self.percent = label("100 %")
        self.add_field("Model", self.model)
        self.add_field("Area", self.mode)
        names = QHBoxLayout()
        name = label("Network strength", "field")
        name.setBuddy(self.strength)
        names.addWidget(name)
        names.addStretch(1)
        names.addWidget(self.percent)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(names)
        column.addWidget(self.strength)
        self.rows.addSpacing(UNIT // 2)
        self.rows.addLayout(column)

        self.model.opening.connect(self.refresh)
        self.model.picked.connect(self._pick_model)
        self.mode.chosen.connect(lambda mode: controller.change_look(mode=mode))
        self.strength.valueChanged.connect(self._slide)
        controller.changed.connect(self.show_config)
        self.refresh()

    def refresh(self) -> None:
        """Looks anew at which models are here."""
        items: list[tuple[str, object]] = [
            (model.title if model.installed else f"{model.title}  (download…)", model.name) for model in self._list_models()
        ]
        if self._controller.config.model not in [name for _, name in items]:
            items.append((self._controller.config.model, self._controller.config.model))
        items.append(("Manage models…", _MANAGE))
        self.model.fill(items, self._controller.config.model)
        self.show_config()

    def show_config(self) -> None:
        """Shows what holds now."""
        config = self._controller.config
        self.model.show_data(config.model)
        self.mode.show_value(config.look.mode)
        percent = round(100 * config.look.strength)
        self.strength.show_value(percent)
        self.percent.setText(f"{percent} %")
        for control in (self.model, self.mode, self.strength):
            control.setEnabled(config.look.enhance)

    def _slide(self, percent: int) -> None:
        self._controller.set_strength(percent / 100)

    def _pick_model(self, name: str) -> None:
        installed = {model.name: model.installed for model in self._list_models()}
        if name == _MANAGE or not installed.get(name, False):
            self.model.show_data(self._controller.config.model)
            self.wanted.emit("" if name == _MANAGE else name)
        else:
            self._controller.update(model=name)
