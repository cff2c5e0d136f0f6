"""The line that can be dragged over the preview, with the picture before enhancement at its left and after it at its right."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractSlider, QWidget

from gpen_live.ui.theme import tokens

WIDTH = 36
"""Of the strip that takes the mouse, in device-independent pixels; the line is in its middle."""

_LINE = 2.0
_KNOB = 15.0
_MOST = 1000


class Divider(QAbstractSlider):
    """Lies over the picture and keeps its place, 0 to 1, whatever the picture's size; by keyboard it moves in steps of 2 %.

    `moved` carries the place whenever it changes.
    """

    moved = Signal(float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("Divider between before and after")
        self.setAccessibleDescription("The raw picture is at its left, the finished one at its right; Left and Right move it")
        self.setToolTip("Drag, or use Left and Right, to compare before and after (B to close)")
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setRange(0, _MOST)
        self.setSingleStep(_MOST // 50)
        self.setPageStep(_MOST // 10)
        self.setValue(_MOST // 2)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self._picture = QRectF()
        self._held_at = 0.0
        self.valueChanged.connect(self._follow)
        self.hide()

    @property
    def share(self) -> float:
        """Its place: 0 at the picture's left edge, 1 at its right one."""
        return self.value() / _MOST

    def lie_over(self, picture: QRectF) -> None:
        """Takes its place over the picture, which is at `picture` in its parent's coordinates."""
        self._picture = picture
        self.setGeometry(
            round(picture.left() + self.share * picture.width() - WIDTH / 2), round(picture.top()), WIDTH, round(picture.height())
        )

    def _follow(self) -> None:
        self.lie_over(self._picture)
        self.moved.emit(self.share)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._held_at = event.position().x() - self.width() / 2
        self.setSliderDown(True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown() and self._picture.width() > 0:
            x = self.mapToParent(event.position()).x() - self._held_at - self._picture.left()
            self.setValue(round(_MOST * x / self._picture.width()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setValue(_MOST // 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):  # it goes sideways; these are the window's
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, centre = self.width() / 2, QPointF(self.width() / 2, self.height() / 2)
        painter.fillRect(QRectF(middle - _LINE, 0, 2 * _LINE, self.height()), QColor(0, 0, 0, 70))
        painter.fillRect(QRectF(middle - _LINE / 2, 0, _LINE, self.height()), QColor("#ffffff"))
        painter.setPen(QPen(QColor(tokens().accent) if self.hasFocus() else QColor(0, 0, 0, 70), 3 if self.hasFocus() else 1))
        painter.setBrush(QColor("#ffffff"))
        painter.drawEllipse(centre, _KNOB, _KNOB)
        painter.setPen(QPen(QColor("#171a21"), 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        for side in (-1, 1):
            tip = centre + QPointF(side * 8.5, 0)
            back = -side * 4.0
            painter.drawPolyline([tip + QPointF(back, -4), tip, tip + QPointF(back, 4)])
