"""One row for each control of a look: a slider, a switch, or a colour."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QColorDialog, QHBoxLayout, QVBoxLayout, QWidget

from gpen_live.look import Control
from gpen_live.ui.control_words import PALETTES, WORDS, describe_value
from gpen_live.ui.theme import tokens
from gpen_live.ui.widgets import Switch, ValueSlider, label, restyle

_NAME_WIDTH = 92
_VALUE_WIDTH = 32
_SWATCH = 28


class ControlRow(QWidget):
    """A control's name and what changes it; `changed` carries the value that the user gave it."""

    changed = Signal(object)

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)

    def show_value(self, value: float | bool | str, rest: float | bool | str) -> None:
        """Shows `value`; `rest` is the preset's."""
        raise NotImplementedError


class NumberRow(ControlRow):
    """Name, slider and value in one line."""

    def __init__(self, control: Control) -> None:
        words = WORDS[control.name]
        ends = f" (below 0 {words.least}, above {words.most})" if words.least else ""
        super().__init__(f"{words.tip}{ends}.\nDouble-click the slider to return to the preset's value.")
        assert control.least is not None
        assert control.most is not None
        self._control = control
        self.slider = ValueSlider(words.name, round(100 * control.least), round(100 * control.most))
        self.slider.setAccessibleDescription(words.tip)
        self.name = label(words.name, "muted")
        self.name.setBuddy(self.slider)
        self.name.setFixedWidth(_NAME_WIDTH)
        self.value = label("0", "muted")
        self.value.setFixedWidth(_VALUE_WIDTH)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.name)
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        self.setMinimumHeight(30)
        self.slider.valueChanged.connect(lambda percent: self.changed.emit(percent / 100))

    def show_value(self, value: float | bool | str, rest: float | bool | str) -> None:
        self.slider.set_rest(round(100 * float(rest)))
        self.slider.show_value(round(100 * float(value)))
        self.value.setText(describe_value(self._control.name, float(value)))
        for text in (self.name, self.value):
            restyle(text, role="muted" if value == 0 else "")


class AmountRow(ControlRow):
    """The amount of everything: its name and value above a slider as wide as the panel."""

    def __init__(self) -> None:
        super().__init__("How much of the whole look shows (keys + and -).\nDouble-click the slider to return to 100 %.")
        self.slider = ValueSlider("Amount of the look", rest=100)
        self.value = label("100 %")
        names = QHBoxLayout()
        name = label("Amount", "field")
        name.setBuddy(self.slider)
        names.addWidget(name)
        names.addStretch(1)
        names.addWidget(self.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(names)
        column.addWidget(self.slider)
        self.slider.valueChanged.connect(lambda percent: self.changed.emit(percent / 100))

    def show_value(self, value: float | bool | str, rest: float | bool | str) -> None:
        percent = round(100 * float(value))
        self.slider.set_rest(round(100 * float(rest)))
        self.slider.show_value(percent)
        self.value.setText(f"{percent} %")


class SwitchRow(ControlRow):
    """Name and switch in one line."""

    def __init__(self, control: Control) -> None:
        words = WORDS[control.name]
        super().__init__(words.tip)
        self.switch = Switch(words.name)
        self.switch.setAccessibleDescription(words.tip)
        name = label(words.name)
        name.setBuddy(self.switch)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(name, 1)
        row.addWidget(self.switch)
        self.setMinimumHeight(30)
        self.switch.clicked.connect(lambda on: self.changed.emit(on))

    def show_value(self, value: float | bool | str, rest: float | bool | str) -> None:
        self.switch.setChecked(bool(value))


class Swatch(QAbstractButton):
    """A round colour to click on; a ring shows that it is the one in use. `plus` marks it as the way to any other colour."""

    def __init__(self, name: str, colour: str, *, plus: bool = False) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(_SWATCH, _SWATCH)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.colour = colour
        self._plus = plus

    def sizeHint(self) -> QSize:
        return QSize(_SWATCH, _SWATCH)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else 0.4)
        box = QRectF(self.rect())
        if self.isChecked() or self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent if self.hasFocus() else colours.text), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(box.adjusted(1.5, 1.5, -1.5, -1.5))
        inner = box.adjusted(5, 5, -5, -5) if not self.underMouse() else box.adjusted(4.5, 4.5, -4.5, -4.5)
        shown = self.colour if not self._plus or self.isChecked() else colours.control
        painter.setPen(QPen(QColor(255, 255, 255, 40) if colours.dark else QColor(0, 0, 0, 40), 1))
        painter.setBrush(QColor(shown))
        painter.drawEllipse(inner)
        if self._plus:
            ink = QColor("#ffffff") if self.isChecked() else QColor(colours.text)
            painter.setPen(QPen(ink, 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            centre = box.center()
            for dx, dy in ((4, 0), (0, 4)):
                painter.drawLine(centre - QPointF(dx, dy), centre + QPointF(dx, dy))


class ColourRow(ControlRow):
    """A few colours side by side, and the way to any other one."""

    def __init__(self, control: Control) -> None:
        words = WORDS[control.name]
        super().__init__("")
        self._title = words.name
        self.swatches: Sequence[Swatch] = [Swatch(f"{words.name}: {name}", colour) for name, colour in PALETTES[control.name]]
        self.other = Swatch(f"{words.name}: another one…", "#808080", plus=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 4)
        row.setSpacing(2)
        for swatch in (*self.swatches, self.other):
            row.addWidget(swatch)
        row.addStretch(1)
        for swatch in self.swatches:
            swatch.clicked.connect(lambda _, swatch=swatch: self.changed.emit(swatch.colour))
        self.other.clicked.connect(self.pick)
        self._colour = ""

    def show_value(self, value: float | bool | str, rest: float | bool | str) -> None:
        self._colour = str(value).lower()
        for swatch in self.swatches:
            swatch.setChecked(swatch.colour == self._colour)
        self.other.colour = self._colour
        self.other.setChecked(not any(swatch.isChecked() for swatch in self.swatches))
        self.other.update()

    def pick(self) -> QColorDialog:
        """Opens a colour picker, which changes the colour live; to cancel it goes back to the one before."""
        before = self._colour
        self.show_value(before, before)  # the click has checked it
        dialog = QColorDialog(QColor(before), self.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self._title)
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.currentColorChanged.connect(lambda colour: self.changed.emit(colour.name()))
        dialog.rejected.connect(lambda: self.changed.emit(before))
        dialog.open()
        return dialog
