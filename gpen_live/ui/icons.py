"""Line icons (`svg/NAME.svg`, on a 24 x 24 grid), tinted with the theme's colours."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer

APP_ICON = Path(__file__).with_name("icon.svg")
_FOLDER = Path(__file__).with_name("svg")


@cache
def _drawing(name: str) -> str:
    return (_FOLDER / f"{name}.svg").read_text(encoding="utf-8")


def _document(name: str, colour: str) -> QByteArray:
    return QByteArray(_drawing(name).replace("currentColor", colour).encode())


def pixmap(name: str, colour: str, size: int, ratio: float = 1.0) -> QPixmap:
    """The icon `name` in `colour`, `size` device-independent pixels wide and high, sharp at the device pixel `ratio`."""
    image = QPixmap()
    key = f"gpen-live {name} {colour} {size} {ratio}"
    if QPixmapCache.find(key, image):
        return image
    image = QPixmap(round(size * ratio), round(size * ratio))
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(_document(name, colour)).render(painter, QRectF(0, 0, size * ratio, size * ratio))
    painter.end()
    image.setDevicePixelRatio(ratio)
    QPixmapCache.insert(key, image)
    return image


def icon(name: str, colour: str, colour_checked: str = "") -> QIcon:
    """The icon `name` for a button, with another colour while the button is checked if given."""
    made = QIcon()
    for ratio in (1.0, 2.0):
        made.addPixmap(pixmap(name, colour, 20, ratio), QIcon.Mode.Normal, QIcon.State.Off)
        made.addPixmap(pixmap(name, colour_checked or colour, 20, ratio), QIcon.Mode.Normal, QIcon.State.On)
    return made


def app_icon() -> QIcon:
    """The app's own icon."""
    return QIcon(str(APP_ICON))
