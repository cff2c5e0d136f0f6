"""The large picture: the newest finished frame, scaled to the window, with the overlay and a few words over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpen_live.faces.align import Points
from gpen_live.frame import Array, Image
from gpen_live.live.status.snapshot import Snapshot
from gpen_live.ui import icons, overlay
from gpen_live.ui.divider import Divider
from gpen_live.ui.theme import tokens

_CORNER = 12.0
_MARGIN = 12.0
_SLIVERS = 64.0
_SMALL = 360.0


class Picture(Protocol):
    """What the window needs of a finished frame: the picture, the same one before enhancement, and its faces' landmarks."""

    @property
    def image(self) -> Image: ...

    @property
    def raw(self) -> Image: ...

    @property
    def landmarks(self) -> Sequence[Points]: ...


class PreviewView(QWidget):
    """Shows pictures as they come. `mirrored`, `comparing` and `divided` concern the view alone, never the output.

    Divided, it shows the raw picture at the left of `divider` and the finished one at its right, both of the same frame.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Preview")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 200)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._picture: Picture | None = None
        self._scale = _Scaler()
        self._scaled: QImage | None = None
        self._both: Image = np.empty((0, 0, 3), np.uint8)
        self._snapshot = Snapshot()
        self._panel: QPixmap | None = None
        self._compact = False
        self._mirrored = False
        self._comparing = False
        self._divided = False
        self.divider = Divider(self)
        self.divider.moved.connect(self._follow_divider)
        self._overlay = True
        self._title = "Starting…"
        self._text = ""
        self._busy = True
        self._pill = ""
        self._turn = 0
        self._spinner = QTimer(self)
        self._spinner.setInterval(40)
        self._spinner.timeout.connect(self._spin)

    @property
    def comparing(self) -> bool:
        """Whether the raw picture shows."""
        return self._comparing

    @property
    def divided(self) -> bool:
        """Whether before and after show side by side."""
        return self._divided

    @property
    def overlay_visible(self) -> bool:
        """Whether the overlay shows."""
        return self._overlay

    def show_picture(self, picture: Picture | None) -> None:
        """Shows `picture`; None empties the view."""
        resized = (picture is None) != (self._picture is None) or (
            picture is not None and self._picture is not None and picture.image.shape != self._picture.image.shape
        )
        self._picture = picture
        self._scaled = None
        if resized:
            self._place_divider()
        self._watch_spinner()
        self.update()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Takes the numbers for the overlay."""
        self._snapshot = snapshot
        self._panel = None
        if self._overlay:
            self.update()

    def show_words(self, title: str, text: str, *, busy: bool) -> None:
        """What stands in the empty view; `busy` turns a spinner."""
        self._title, self._text, self._busy = title, text, busy
        self._watch_spinner()
        if self._picture is None:
            self.update()

    def show_pill(self, text: str) -> None:
        """A short line at the foot of the picture, with a spinner; "" takes it away."""
        if text != self._pill:
            self._pill = text
            self._watch_spinner()
            self.update()

    def set_mirrored(self, on: bool) -> None:
        """Mirrors the view as a bathroom mirror does."""
        self._mirrored = on
        self._scaled = None
        self.update()

    def set_comparing(self, on: bool) -> None:
        """Shows the raw picture while `on`."""
        if on != self._comparing:
            self._comparing = on
            self._scaled = None
            self._place_divider()
            self.update()

    def set_divided(self, on: bool) -> None:
        """Shows before and after side by side while `on`."""
        if on != self._divided:
            self._divided = on
            self._scaled = None
            self._both = np.empty((0, 0, 3), np.uint8)
            self._place_divider()
            self.update()

    def set_overlay(self, on: bool) -> None:
        """Shows or hides the overlay."""
        self._overlay = on
        self.update()

    def picture_rect(self) -> QRectF:
        """Where the picture lies, in device-independent pixels: centred, its proportions kept."""
        if self._picture is None:
            return QRectF(self.rect())
        height, width = self._picture.image.shape[:2]
        scale = min(self.width() / width, self.height() / height)
        shown_width, shown_height = width * scale, height * scale
        left, top = (self.width() - shown_width) / 2, (self.height() - shown_height) / 2
        return QRectF(round(left), round(top), shown_width, shown_height)

    def resizeEvent(self, event: object) -> None:
        self._scaled = None
        self._place_divider()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        place = self.picture_rect()
        stage = self._stage(place)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().stage))
        painter.drawRoundedRect(stage, _CORNER, _CORNER)
        if self._picture is None:
            self._paint_words(painter)
            return
        clip = QPainterPath()
        clip.addRoundedRect(stage, _CORNER, _CORNER)
        painter.setClipPath(clip)
        painter.drawImage(place.topLeft(), self._shown(place))
        painter.setClipping(False)
        self._soften_corners(painter, stage)
        if self._comparing:
            self._paint_badge(painter, place)
        elif self._divided:
            self._paint_sides(painter, place)
        elif self._overlay:
            self._paint_overlay(painter, stage, compact=place.height() < _SMALL)
        if self._pill:
            self._paint_pill(painter, place)

    def _shown(self, place: QRectF) -> QImage:
        ratio = self.devicePixelRatioF()
        if self._scaled is None:
            size = (max(1, round(place.width() * ratio)), max(1, round(place.height() * ratio)))
            self._scaled = self._scale(self._pixels(), size, mirrored=self._mirrored)
            self._scaled.setDevicePixelRatio(ratio)
        return self._scaled

    def _pixels(self) -> Image:
        """What is to be seen of the picture, in its own size."""
        assert self._picture is not None
        image, raw = self._picture.image, self._picture.raw
        if self._comparing:
            return raw
        if not self._divided or raw.shape != image.shape:
            return image
        # Put together before it is scaled: a copy costs a tenth of scaling both.
        if self._both.shape != image.shape:
            self._both = np.empty_like(image)
        width = image.shape[1]
        line = round(width * (1 - self.divider.share if self._mirrored else self.divider.share))
        left, right = (image, raw) if self._mirrored else (raw, image)
        self._both[:, :line] = left[:, :line]
        self._both[:, line:] = right[:, line:]
        return self._both

    def _follow_divider(self) -> None:
        self._scaled = None
        self.update()

    def _place_divider(self) -> None:
        self.divider.setVisible(self._divided and not self._comparing and self._picture is not None)
        self.divider.lie_over(self.picture_rect())

    def _stage(self, picture: QRectF) -> QRectF:
        """What has round corners: all of the view, or the picture alone where only slivers are left beside it."""
        whole = QRectF(self.rect())
        slivers = max(whole.width() - picture.width(), whole.height() - picture.height()) < _SLIVERS
        return picture if slivers else whole

    def _soften_corners(self, painter: QPainter, place: QRectF) -> None:
        """A clip has hard edges; a line in the window's colour along it smooths them."""
        painter.setPen(QPen(QColor(tokens().window), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(place.adjusted(-0.5, -0.5, 0.5, 0.5), _CORNER, _CORNER)

    def _paint_overlay(self, painter: QPainter, place: QRectF, *, compact: bool) -> None:
        if self._panel is None or compact != self._compact:
            self._panel, self._compact = overlay.render(self._snapshot, self.devicePixelRatioF(), compact=compact), compact
        height = self._panel.height() / self._panel.devicePixelRatio()
        scale = min(1.0, (place.height() - 2 * _MARGIN) / height, (place.width() - 2 * _MARGIN) / overlay.WIDTH)
        if scale < 0.4:
            return
        box = QRectF(place.left() + _MARGIN, place.top() + _MARGIN, overlay.WIDTH * scale, height * scale)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
        if scale == 1:
            painter.drawPixmap(QPointF(round(box.left()), round(box.top())), self._panel)
        else:
            painter.drawPixmap(box, self._panel, QRectF(self._panel.rect()))

    def _paint_badge(self, painter: QPainter, place: QRectF) -> None:
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance("Raw") + 28
        box = QRectF(place.right() - _MARGIN - width, place.top() + _MARGIN, width, 30)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().warn if tokens().dark else "#f2b84b"))
        painter.drawRoundedRect(box, 15, 15)
        painter.setPen(QColor("#171207"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "Raw")

    def _paint_sides(self, painter: QPainter, place: QRectF) -> None:
        """Says which side is which, as far as there is room beside the divider."""
        painter.setFont(self.font())
        line = place.left() + self.divider.share * place.width()
        for text, left, room in (("Before", True, line - place.left()), ("After", False, place.right() - line)):
            width = painter.fontMetrics().horizontalAdvance(text) + 24
            if room < width + 2 * _MARGIN:
                continue
            x = place.left() + _MARGIN if left else place.right() - _MARGIN - width
            box = QRectF(x, place.top() + _MARGIN, width, 28)
            painter.setPen(QColor(255, 255, 255, 22))
            painter.setBrush(QColor(11, 13, 18, 190))
            painter.drawRoundedRect(box, 14, 14)
            painter.setPen(QColor("#eceef2"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_pill(self, painter: QPainter, place: QRectF) -> None:
        painter.setFont(self.font())
        room = place.width() - 2 * _MARGIN - 60
        text = painter.fontMetrics().elidedText(self._pill, Qt.TextElideMode.ElideRight, round(room))
        width = painter.fontMetrics().horizontalAdvance(text) + 60
        box = QRectF(place.center().x() - width / 2, place.bottom() - _MARGIN - 36, width, 36)
        painter.setPen(QColor(255, 255, 255, 22))
        painter.setBrush(QColor(11, 13, 18, 215))
        painter.drawRoundedRect(box, 18, 18)
        self._paint_spinner(painter, QPointF(box.left() + 24, box.center().y()), 7, 2)
        painter.setPen(QColor("#eceef2"))
        area = box.adjusted(42, 0, -12, 0)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)

    def _paint_words(self, painter: QPainter) -> None:
        colours = tokens()
        centre = QRectF(self.rect()).center() - QPointF(0, 36)
        if self._busy:
            self._paint_spinner(painter, centre, 16, 3)
        else:
            ratio = self.devicePixelRatioF()
            painter.drawPixmap(centre - QPointF(22, 22), icons.pixmap("camera-off", colours.muted, 44, ratio))
        title = QFont(self.font())
        title.setPointSizeF(title.pointSizeF() * 1.25)
        title.setWeight(QFont.Weight.DemiBold)
        painter.setFont(title)
        painter.setPen(QColor(colours.text))
        width = min(self.width() - 48.0, 480.0)
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
        below = QRectF(centre.x() - width / 2, centre.y() + 36, width, 200)
        used = painter.boundingRect(below, flags, self._title)
        painter.drawText(below, flags, self._title)
        painter.setFont(self.font())
        painter.setPen(QColor(colours.muted))
        painter.drawText(below.translated(0, used.height() + 8), flags, self._text)

    def _paint_spinner(self, painter: QPainter, centre: QPointF, radius: float, thickness: float) -> None:
        box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        faint = QColor(tokens().accent)
        faint.setAlpha(60)
        painter.setPen(QPen(faint, thickness))
        painter.drawEllipse(box)
        painter.setPen(QPen(QColor(tokens().accent), thickness, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawArc(box, -self._turn * 12 * 16, 90 * 16)

    def _spin(self) -> None:
        self._turn = (self._turn + 1) % 30
        self.update()

    def _watch_spinner(self) -> None:
        turning = bool(self._pill) or (self._picture is None and self._busy)
        if turning and not self._spinner.isActive():
            self._spinner.start()
        elif not turning:
            self._spinner.stop()


class _Scaler:
    """Scales pictures for the screen into memory that it keeps: fresh pages for each frame cost more than the scaling."""

    def __init__(self) -> None:
        self._bgr: Array = np.empty((0, 0, 3), np.uint8)
        self._bgra: Array = np.empty((0, 0, 4), np.uint8)

    def __call__(self, pixels: Image, size: tuple[int, int], *, mirrored: bool = False) -> QImage:
        """The BGR picture at `size` (width, height), without jagged edges; it holds until the next call.

        Averaging areas costs five times what bilinear interpolation does, and pays only where pixels would be skipped.
        """
        width, height = size
        if self._bgra.shape[:2] != (height, width):
            self._bgr = np.empty((height, width, 3), np.uint8)
            self._bgra = np.empty((height, width, 4), np.uint8)
        way = cv2.INTER_AREA if width < 0.6 * pixels.shape[1] else cv2.INTER_LINEAR
        cv2.resize(pixels, size, dst=self._bgr, interpolation=way)
        if mirrored:
            cv2.flip(self._bgr, 1, dst=self._bgr)
        cv2.cvtColor(self._bgr, cv2.COLOR_BGR2BGRA, dst=self._bgra)
        return QImage(self._bgra.data, width, height, self._bgra.strides[0], QImage.Format.Format_RGB32)
