"""The presets, side by side, each with a picture of the viewer's own face."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QGridLayout, QWidget

from gpen_live.ui import icons
from gpen_live.ui.theme import UNIT, tokens

SIDE = 62
"""Of a picture, in device-independent pixels."""

_COLUMNS = 4
_TEXT = 22
_CORNER = 10.0


class PresetTile(QAbstractButton):
    """One preset. `menu_wanted` carries the place on the screen for its menu."""

    menu_wanted = Signal(QPoint)

    def __init__(self, preset: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preset = preset
        self.picture: QImage | None = None
        self._modified = self._mirrored = False
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFixedSize(self.sizeHint())

    def sizeHint(self) -> QSize:
        return QSize(SIDE + 2, SIDE + 2 + _TEXT)

    def describe(self, title: str, about: str, key: int) -> None:
        """Takes its title, a few words about it ("" for none), and the number key that chooses it (0: none)."""
        self.setText(title)
        self.setAccessibleName(f"Look: {title}")
        self.setAccessibleDescription(about)
        self.setToolTip("\n".join(part for part in (title, about, f"Key {key}" if key else "") if part))

    def show_picture(self, picture: QImage | None) -> None:
        """Takes a square picture; None is the neutral drawing."""
        self.picture = picture
        self.update()

    def show_modified(self, modified: bool) -> None:
        """Marks that other values than its own are in use."""
        if modified != self._modified:
            self._modified = modified
            self.update()

    def show_mirrored(self, mirrored: bool) -> None:
        """Turns the picture as the preview is turned."""
        if mirrored != self._mirrored:
            self._mirrored = mirrored
            self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(1.0 if self.isEnabled() else 0.45)
        box = QRectF(1, 1, SIDE, SIDE)
        path = QPainterPath()
        path.addRoundedRect(box, _CORNER, _CORNER)
        painter.fillPath(path, QColor(colours.hover if self.underMouse() else colours.control))
        if self.picture is None:
            mark = icons.pixmap("face", colours.muted, 40, self.devicePixelRatioF())
            painter.drawPixmap(box.center() - QPointF(20, 20), mark)
        else:
            painter.save()
            painter.setClipPath(path)
            if self._mirrored:
                painter.translate(2 * box.center().x(), 0)
                painter.scale(-1, 1)
            painter.drawImage(box, self.picture)
            painter.restore()
        chosen = self.isChecked()
        edge = colours.accent if chosen or self.underMouse() else colours.border
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(edge), 2.0 if chosen else 1.0))
        painter.drawRoundedRect(box, _CORNER, _CORNER)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.text), 1.5))
            painter.drawRoundedRect(box.adjusted(3, 3, -3, -3), _CORNER - 3, _CORNER - 3)
        if chosen and self._modified:
            painter.setPen(QPen(QColor(colours.surface), 2))
            painter.setBrush(QColor(colours.accent))
            painter.drawEllipse(box.topRight() + QPointF(-9, 9), 5, 5)
        self._paint_title(painter, QRectF(0, SIDE + 4, self.width(), _TEXT - 4))

    def _paint_title(self, painter: QPainter, box: QRectF) -> None:
        colours = tokens()
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        painter.setFont(font)
        painter.setPen(QColor(colours.text if self.isChecked() else colours.muted))
        text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, round(box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class PresetTiles(QWidget):
    """All presets in rows of four; `chosen` carries the name of the one that the user takes."""

    chosen = Signal(str)
    menu_wanted = Signal(str, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Looks")
        self.tiles: dict[str, PresetTile] = {}
        self._group = QButtonGroup(self)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(UNIT - 1)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(_COLUMNS, 1)
        self._group.buttonClicked.connect(self._choose)

    def show_presets(self, presets: Sequence[tuple[str, str, str]]) -> None:
        """Shows these (name, title, a few words about it); those that were there keep their pictures."""
        names = [name for name, _, _ in presets]
        for name in [name for name in self.tiles if name not in names]:
            tile = self.tiles.pop(name)
            self._group.removeButton(tile)
            self._grid.removeWidget(tile)
            tile.hide()
            tile.deleteLater()
        for place, (name, title, about) in enumerate(presets):
            tile = self.tiles.get(name) or self._new_tile(name)
            tile.describe(title, about, place + 1 if place < 9 else 0)
            self._grid.addWidget(tile, place // _COLUMNS, place % _COLUMNS)
        self.tiles = {name: self.tiles[name] for name in names}

    def show_chosen(self, name: str, *, modified: bool, mirrored: bool) -> None:
        """Marks the preset in use, and whether its values were changed since; `mirrored` turns the pictures."""
        self._group.setExclusive(False)  # else one of them would stay checked
        for tile in self.tiles.values():
            tile.show_mirrored(mirrored)
            tile.setChecked(tile.preset == name)
            tile.show_modified(modified and tile.preset == name)
        self._group.setExclusive(True)
        entry = self.tiles.get(name) or next(iter(self.tiles.values()), None)
        for tile in self.tiles.values():  # Tab leads to the one in use, arrow keys from there to the others
            tile.setFocusPolicy(Qt.FocusPolicy.TabFocus if tile is entry or tile.hasFocus() else Qt.FocusPolicy.NoFocus)

    def show_picture(self, name: str, picture: QImage | None) -> None:
        """Puts a picture onto the tile of a preset, if there is one of that name."""
        if name in self.tiles:
            self.tiles[name].show_picture(picture)

    def _new_tile(self, name: str) -> PresetTile:
        tile = self.tiles[name] = PresetTile(name, self)
        tile.menu_wanted.connect(lambda where: self.menu_wanted.emit(name, where))
        self._group.addButton(tile)
        return tile

    def _choose(self, button: QAbstractButton) -> None:
        if isinstance(button, PresetTile):
            self.chosen.emit(button.preset)
