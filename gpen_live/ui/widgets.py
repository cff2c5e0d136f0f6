"""Small controls that Qt lacks, and the few shapes that all panels share."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    Property,
    QEasingCurve,
    QEvent,
    QPointF,
    QPropertyAnimation,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gpen_live.ui import icons
from gpen_live.ui.theme import UNIT, tokens

_HANDLE = 9.0
"""Half of the room that a slider's handle takes, with its ring."""

_FAINT = 0.4
"""The opacity of what is painted here and can't be used now."""

_FADE = 20
"""How high the fade at an edge of a scrolled part is, in device-independent pixels."""


class Switch(QAbstractButton):
    """An on/off switch."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._knob = 0.0
        self._slide = QPropertyAnimation(self, b"knob", self)
        self._slide.setDuration(120)
        self._slide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self.toggled.connect(self._move)

    def sizeHint(self) -> QSize:
        return QSize(40, 24)

    def _move(self, on: bool) -> None:
        self._slide.stop()
        self._slide.setEndValue(1.0 if on else 0.0)
        if self.isVisible():
            self._slide.start()
        else:
            self._set_knob(1.0 if on else 0.0)

    def _get_knob(self) -> float:
        return self._knob

    def _set_knob(self, value: float) -> None:
        self._knob = value
        self.update()

    knob = Property(float, _get_knob, _set_knob)
    """Place of the knob, 0 (off) to 1 (on)."""

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else _FAINT)
        track = QRectF(2, (self.height() - 20) / 2, 36, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.accent if self.isChecked() else colours.hover if colours.dark else "#b9bfcc"))
        painter.drawRoundedRect(track, 10, 10)
        painter.setBrush(QColor("#ffffff" if self.isChecked() or not colours.dark else colours.muted))
        painter.drawEllipse(QPointF(track.left() + 10 + 16 * self._knob, track.center().y()), 7, 7)
        if self.hasFocus():
            painter.setPen(QColor(colours.text))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(track.adjusted(-1.5, -1.5, 1.5, 1.5), 11, 11)


class Segments(QFrame):
    """A few choices side by side, of which one holds; `chosen` carries the value when the user picks another."""

    chosen = Signal(object)

    def __init__(self, name: str, choices: Sequence[tuple[str, object, str]], parent: QWidget | None = None) -> None:
        """Takes (label, value, tool tip) per choice."""
        super().__init__(parent)
        self.setObjectName("segments")
        self.setAccessibleName(name)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 4, 4, 4)
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        self._values = [value for _, value, _ in choices]
        for place, (label, _, tip) in enumerate(choices):
            button = QPushButton(label)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setAccessibleName(f"{name}: {label}")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._group.addButton(button, place)
            row.addWidget(button, 1)
        self._group.idClicked.connect(lambda place: self.chosen.emit(self._values[place]))

    def show_value(self, value: object) -> None:
        """Marks `value` as the one that holds, without emitting."""
        self._group.button(self._values.index(value)).setChecked(True)

    def button(self, value: object) -> QAbstractButton:
        """The button of `value`."""
        return self._group.button(self._values.index(value))


class ComboBox(QComboBox):
    """A combo box with the app's chevron, long texts elided, and no change by a wheel that only scrolls past.

    `picked` carries the data of an item that the user chose; `opening` comes before the list shows.
    """

    picked = Signal(object)
    opening = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setMaxVisibleItems(14)
        self.setItemDelegate(QStyledItemDelegate(self))  # the style sheet's items, not Fusion's menu
        popup = self.view().window()
        popup.setWindowFlags(Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint | Qt.WindowType.NoDropShadowWindowHint)
        popup.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)  # for round corners
        self.activated.connect(lambda place: self.picked.emit(self.itemData(place)))

    def fill(self, items: Sequence[tuple[str, object]], current: object) -> None:
        """Replaces the list by (text, data) items and shows `current`, without emitting."""
        self.clear()
        for text, data in items:
            self.addItem(text, data)
        self.show_data(current)

    def show_data(self, data: object) -> None:
        """Shows the item that carries `data`."""
        place = next((i for i in range(self.count()) if self.itemData(i) == data), -1)
        self.setCurrentIndex(place)

    def showPopup(self) -> None:
        self.opening.emit()
        super().showPopup()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        edit = QStyle.SubControl.SC_ComboBoxEditField
        width = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, edit, self).width() - 4
        text = self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideMiddle, width)
        option.currentText = text  # type: ignore[attr-defined]  # missing in PySide's stubs
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        chevron = icons.pixmap("chevron", tokens().muted, 16, self.devicePixelRatioF())
        painter.drawPixmap(self.width() - 26, (self.height() - 16) // 2, chevron)


class ValueSlider(QSlider):
    """A slider of whole numbers, filled from zero, in steps of 5 by keyboard; a click into the groove goes there.

    A double click goes back to `rest`, which a small mark shows while the value is elsewhere. A wheel that only scrolls past
    changes nothing.
    """

    def __init__(self, name: str, least: int = 0, most: int = 100, *, rest: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setAccessibleName(name)
        self.setRange(least, most)
        self.setSingleStep(5)
        self.setPageStep(10)
        self.setMinimumHeight(24)
        self.setMinimumWidth(64)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._rest = rest
        self._held_at = 0.0

    @property
    def rest(self) -> int:
        """The value to which a double click goes back."""
        return self._rest

    def set_rest(self, value: int) -> None:
        """Takes another value to go back to."""
        if value != self._rest:
            self._rest = value
            self.update()

    def show_value(self, value: int) -> None:
        """Moves the handle without emitting."""
        self.blockSignals(True)
        self.setValue(value)
        self.blockSignals(False)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        x, handle = event.position().x(), self._place(self.value())
        self._held_at = x - handle if abs(x - handle) <= _HANDLE else 0.0
        self.setSliderDown(True)
        self._go_to(x)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._go_to(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        self.setValue(self._rest)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def _go_to(self, x: float) -> None:
        room = self.width() - 2 * _HANDLE
        share = (x - self._held_at - _HANDLE) / max(1.0, room)
        self.setValue(round(self.minimum() + share * (self.maximum() - self.minimum())))

    def _place(self, value: int) -> float:
        """Where a value lies, in pixels from the left."""
        return _HANDLE + (self.width() - 2 * _HANDLE) * (value - self.minimum()) / (self.maximum() - self.minimum())

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else _FAINT)
        painter.setPen(Qt.PenStyle.NoPen)
        middle, handle, zero = self.height() / 2, self._place(self.value()), self._place(max(0, self.minimum()))
        left, right = _HANDLE - 7, self.width() - _HANDLE + 7
        painter.setBrush(QColor(colours.control if colours.dark else colours.border))
        painter.drawRoundedRect(QRectF(left, middle - 2, right - left, 4), 2, 2)
        start = left if self.minimum() == 0 else zero
        painter.setBrush(QColor(colours.accent))
        painter.drawRoundedRect(QRectF(min(start, handle), middle - 2, abs(handle - start), 4), 2, 2)
        painter.setBrush(QColor(colours.muted))
        for value in ({self._rest, 0} if self.minimum() < 0 else {self._rest}) - {self.value()}:
            painter.drawRoundedRect(QRectF(self._place(value) - 1, middle - 5, 2, 10), 1, 1)
        self._paint_handle(painter, QPointF(handle, middle))

    def _paint_handle(self, painter: QPainter, centre: QPointF) -> None:
        colours = tokens()
        pointed = self.isEnabled() and (self.hasFocus() or self.underMouse() or self.isSliderDown())
        fill = colours.accent if pointed else colours.text if colours.dark else colours.surface
        edge = fill if pointed or colours.dark else colours.muted
        painter.setPen(QColor(edge))
        painter.setBrush(QColor(fill))
        radius = 5.5 if self.hasFocus() else 7.0
        painter.drawEllipse(centre, radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.text), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(centre, 8, 8)


class IconButton(QToolButton):
    """A square button with an icon that follows the theme."""

    def __init__(self, icon: str, name: str, tip: str, *, checkable: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = icon
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setCheckable(checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedSize(36, 36)
        self.setIconSize(QSize(20, 20))
        self._tint()

    def _tint(self) -> None:
        colours = tokens()
        self.setIcon(icons.icon(self._icon, colours.muted, colours.accent if self.isCheckable() else ""))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
        super().changeEvent(event)


class WrappedLabel(QLabel):
    """Text that wraps and can be read by a screen reader and copied; hidden while empty."""

    def __init__(self, text: str = "", role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if role:
            self.setProperty("role", role)
        self.say(text)

    def say(self, text: str) -> None:
        """Shows `text`."""
        if text != self.text():
            self.setText(text)
        self.setVisible(bool(text))


class ElidedLabel(QLabel):
    """One line that takes the room it gets and shows as much as fits; the tool tip has all of it."""

    def __init__(self, name: str, role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = ""
        self.setAccessibleName(name)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if role:
            self.setProperty("role", role)

    def say(self, text: str) -> None:
        """Shows `text`."""
        self._whole = text
        self.setToolTip(text)
        self.setAccessibleDescription(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._elide()

    def _elide(self) -> None:
        text = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, self.width())
        if text != self.text():
            self.setText(text)


def label(text: str, role: str = "") -> QLabel:
    """A plain label in one of the style sheet's roles: title, heading, field, muted, small, key, code."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    return made


def button(text: str, kind: str = "", tip: str = "") -> QPushButton:
    """A push button of one of the style sheet's kinds: primary, stop, link, compact."""
    made = QPushButton(text)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setToolTip(tip)
    if kind:
        made.setProperty("kind", kind)
    return made


def restyle(widget: QWidget, **properties: str) -> None:
    """Sets style sheet properties and applies what follows from them."""
    if all(widget.property(name) == value for name, value in properties.items()):
        return
    for name, value in properties.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


class Card(QFrame):
    """One group of controls: a heading, perhaps a control beside it, and rows below."""

    def __init__(self, heading: str, beside: QWidget | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(2 * UNIT, 12, 2 * UNIT, 2 * UNIT)
        self.rows.setSpacing(UNIT)
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(label(heading, "heading"))
        top.addStretch(1)
        if beside is not None:
            top.addWidget(beside)
        holder = QWidget()
        holder.setMinimumHeight(24)
        holder.setLayout(top)
        self.rows.addWidget(holder)

    def add_field(self, name: str, control: QWidget) -> None:
        """Adds `control` under its name."""
        self.rows.addLayout(field(name, control))


class FadingScroll(QScrollArea):
    """Scrolls its widget up and down; where there is more, it fades out towards the edge."""

    def __init__(self, inner: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inner)
        self._fades = (_Fade(self, top=True), _Fade(self, top=False))
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._place_fades)
        bar.rangeChanged.connect(self._place_fades)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_fades()

    def _place_fades(self) -> None:
        bar, view = self.verticalScrollBar(), self.viewport().geometry()
        above, below = self._fades
        above.setGeometry(view.left(), view.top(), view.width(), _FADE)
        below.setGeometry(view.left(), view.bottom() + 1 - _FADE, view.width(), _FADE)
        above.setVisible(bar.value() > bar.minimum())
        below.setVisible(bar.value() < bar.maximum())


class _Fade(QWidget):
    def __init__(self, parent: QWidget, *, top: bool) -> None:
        super().__init__(parent)
        self._top = top
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        solid = QColor(tokens().window)
        clear = QColor(solid)
        clear.setAlpha(0)
        gradient = QLinearGradient(0, 0, 0, self.height())
        gradient.setColorAt(0, solid if self._top else clear)
        gradient.setColorAt(1, clear if self._top else solid)
        QPainter(self).fillRect(self.rect(), gradient)


class Fold(QWidget):
    """Rows under a heading that opens and closes them; a few words about them stand beside the heading while it is closed."""

    toggled = Signal(bool)

    def __init__(self, heading: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.head = _FoldHead(heading)
        self.inner = QWidget()
        self.rows = QVBoxLayout(self.inner)
        self.rows.setContentsMargins(0, 0, 0, UNIT)
        self.rows.setSpacing(0)
        self.inner.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addWidget(self.inner)
        self.head.toggled.connect(self.inner.setVisible)
        self.head.toggled.connect(self.toggled)

    def say(self, words: str, *, warns: bool = False) -> None:
        """Shows a few words beside the heading; `warns`: they are about trouble."""
        self.head.say(words, warns)


class _FoldHead(QAbstractButton):
    def __init__(self, heading: str) -> None:
        super().__init__()
        self.setText(heading)
        self.setAccessibleName(heading)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFixedHeight(32)
        self._words, self._warns = "", False
        self.toggled.connect(self._tell)
        self._tell()

    def sizeHint(self) -> QSize:
        return QSize(120, 32)

    def say(self, words: str, warns: bool) -> None:
        if (words, warns) != (self._words, self._warns):
            self._words, self._warns = words, warns
            self._tell()
            self.update()

    def _tell(self) -> None:
        state = "open" if self.isChecked() else "closed"
        self.setAccessibleDescription(f"{state}, {self._words}" if self._words else state)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pointed = self.underMouse()
        box = QRectF(self.rect()).adjusted(-0.5, 0.5, -0.5, -0.5)
        if self.hasFocus():
            painter.setPen(QColor(colours.accent))
            painter.drawRoundedRect(box.adjusted(1, 2, 0, -2), 6, 6)
        painter.save()
        painter.translate(5, self.height() / 2)
        painter.rotate(0 if self.isChecked() else -90)
        chevron = icons.pixmap("chevron", colours.text if pointed else colours.muted, 16, self.devicePixelRatioF())
        painter.drawPixmap(QPointF(-8, -8), chevron)
        painter.restore()
        area = box.adjusted(18, 0, -1, 0)
        painter.setPen(QColor(colours.text))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), self.text())
        painter.setPen(QColor(colours.warn if self._warns else colours.muted))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), self._words)


def field(name: str, control: QWidget) -> QVBoxLayout:
    """A control under its name."""
    column = QVBoxLayout()
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    above = label(name, "field")
    above.setBuddy(control)
    column.addWidget(above)
    column.addWidget(control)
    return column
