"""The overlay over the preview: what each stage costs, drawn by Qt and seen by the streamer alone."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPixmap
from PySide6.QtWidgets import QApplication

from gpen_live.frame import STAGES, in_order
from gpen_live.live.status.snapshot import Health, Quantiles, Snapshot, busy_name, grade
from gpen_live.ui.theme import DARK

WIDTH = 272.0
_PAD = 14.0
_ROW = 19.0
_NAME = 62.0
_VALUE = 40.0

GRADE_COLOURS = {"fluent": DARK.good, "acceptable": "#b9d84f", "stuttering": DARK.warn, "unusable": DARK.bad}


def describe_engine(snapshot: Snapshot) -> str:
    """Model, precision and device in one line, as far as they are known."""
    return " · ".join(part for part in (snapshot.model_name, snapshot.precision, device_name(snapshot.device)) if part)


def device_name(device: str) -> str:
    """A device in short, as people call it: "cuda:0 (NVIDIA GeForce RTX 4070)" becomes "RTX 4070", "cpu (8 threads)" "CPU"."""
    kind, _, what = device.partition(" (")
    if kind.startswith("cuda") and what:
        return what.rstrip(")").removeprefix("NVIDIA ").removeprefix("GeForce ")
    return kind.upper().replace(":", " ")


def describe_faces(count: int | None) -> str:
    """The number of faces in words; None where they are not searched for."""
    return {None: "whole frame", 0: "no face", 1: "1 face"}.get(count, f"{count} faces")


def render(snapshot: Snapshot, ratio: float, *, compact: bool = False) -> QPixmap:
    """The overlay's panel for `snapshot`, WIDTH device-independent pixels wide, sharp at the device pixel `ratio`.

    `compact` leaves out the stages, for a small picture.
    """
    panel = _Panel(snapshot, compact)
    height = panel.draw(None)
    pixmap = QPixmap(round(WIDTH * ratio), round(height * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(255, 255, 255, 22))
    painter.setBrush(QColor(11, 13, 18, 205))
    painter.drawRoundedRect(QRectF(0.5, 0.5, WIDTH - 1, height - 1), 10, 10)
    panel.draw(painter)
    painter.end()
    return pixmap


class _Panel:
    """Lays the panel out from top to bottom; without a painter it only measures."""

    def __init__(self, snapshot: Snapshot, compact: bool) -> None:
        self._snapshot = snapshot
        self._compact = compact
        base = QApplication.font()
        size = base.pointSizeF()
        self._small = QFont(base)
        self._small.setPointSizeF(size * 0.88)
        self._bold = QFont(base)
        self._bold.setPointSizeF(size * 1.05)
        self._bold.setWeight(QFont.Weight.DemiBold)
        self._big = QFont(self._bold)
        self._big.setPointSizeF(size * 1.6)
        for font in (self._small, self._bold, self._big):
            font.setFeature(QFont.Tag("tnum"), 1)  # digits of equal width: numbers do not dance

    def draw(self, painter: QPainter | None) -> float:
        """Draws with `painter`, if any, and returns the height."""
        y = self._headline(painter, _PAD)
        y = self._line(painter, y)
        y = self._rates(painter, y)
        if not self._compact:
            y = self._line(painter, y)
            y = self._stages(painter, y)
            y = self._line(painter, y)
            y = self._footer(painter, y)
        return y + _PAD

    def _headline(self, painter: QPainter | None, y: float) -> float:
        end_to_end = self._snapshot.stages.get("end_to_end", Quantiles())
        if painter:
            if end_to_end.p50 > 0:
                name = grade(end_to_end.p50)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(GRADE_COLOURS[name]))
                painter.drawEllipse(QPointF(_PAD + 5, y + 13), 5, 5)
                self._text(painter, self._bold, DARK.text, name.capitalize(), _PAD + 18, y, 130, 26)
                big = f"{end_to_end.p50:.0f}"
                unit = QFontMetricsF(self._small).horizontalAdvance(" ms")
                self._text(painter, self._small, DARK.muted, " ms", _PAD, y + 3, WIDTH - 2 * _PAD, 24, right=True)
                self._text(painter, self._big, DARK.text, big, _PAD, y - 2, WIDTH - 2 * _PAD - unit, 28, right=True)
                self._text(painter, self._small, DARK.muted, "camera to output", _PAD, y + 27, 140, 16)
                p95 = f"p95 {end_to_end.p95:.0f} ms"
                self._text(painter, self._small, DARK.muted, p95, _PAD, y + 27, WIDTH - 2 * _PAD, 16, right=True)
            else:
                self._text(painter, self._bold, DARK.muted, self._nothing(), _PAD, y, 200, 26)
                self._text(painter, self._small, DARK.muted, "camera to output", _PAD, y + 27, 140, 16)
        return y + 43

    def _nothing(self) -> str:
        return "No output" if self._snapshot.sink.health is Health.FAILED else "Measuring…"

    def _rates(self, painter: QPainter | None, y: float) -> float:
        rates = self._snapshot.rates
        if painter:
            column = (WIDTH - 2 * _PAD) / 3
            for place, (name, value) in enumerate(
                (("capture", rates.capture), ("enhance", rates.enhance), ("output", rates.output))
            ):
                x = _PAD + place * column
                self._text(painter, self._bold, DARK.text, f"{value:.1f}", x, y, column, 20)
                self._text(painter, self._small, DARK.muted, f"{name} fps", x, y + 20, column, 16)
        return y + 36

    def _stages(self, painter: QPainter | None, y: float) -> float:
        names = [name for name in in_order((*STAGES, *self._snapshot.stages)) if name != "end_to_end"]
        values = {name: self._snapshot.stages.get(name, Quantiles()) for name in names}
        # A full bar is one frame's time at the output's rate: what takes longer can't be done for every frame.
        budget = 1000 / self._snapshot.rates.output if self._snapshot.rates.output > 1 else 1000 / 30
        room = WIDTH - 2 * _PAD - _NAME - _VALUE - 8
        for name in names:
            if painter:
                waiting = name == "capture"
                value = values[name]
                middle = y + _ROW / 2
                self._text(painter, self._small, DARK.muted, name, _PAD, y, _NAME, _ROW)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(255, 255, 255, 20))
                painter.drawRoundedRect(QRectF(_PAD + _NAME, middle - 2.5, room, 5), 2.5, 2.5)
                share = min(1.0, value.p50 / budget)
                if share > 0:
                    painter.setBrush(QColor(255, 255, 255, 70) if waiting else QColor(DARK.accent))
                    painter.drawRoundedRect(QRectF(_PAD + _NAME, middle - 2.5, max(5.0, room * share), 5), 2.5, 2.5)
                text = f"{value.p50:.1f}" if value.p50 else "–"
                colour = DARK.muted if waiting else DARK.text
                self._text(painter, self._small, colour, text, _PAD, y, WIDTH - 2 * _PAD, _ROW, right=True)
            y += _ROW
        return self._busy(painter, y)

    def _busy(self, painter: QPainter | None, y: float) -> float:
        """The share of the time for which the device works for us, where it is known."""
        snapshot = self._snapshot
        if snapshot.busy <= 0:
            return y
        if painter:
            name = f"{busy_name(snapshot.device)} busy"
            self._text(painter, self._small, DARK.muted, name, _PAD, y, WIDTH - 2 * _PAD, _ROW)
            share = f"{snapshot.busy:.0%}"
            self._text(painter, self._small, DARK.text, share, _PAD, y, WIDTH - 2 * _PAD, _ROW, right=True)
        return y + _ROW

    def _footer(self, painter: QPainter | None, y: float) -> float:
        snapshot = self._snapshot
        width = WIDTH - 2 * _PAD
        if painter:
            engine = QFontMetricsF(self._small).elidedText(
                describe_engine(snapshot) or "–", Qt.TextElideMode.ElideMiddle, width - 56
            )
            self._text(painter, self._small, DARK.muted, engine, _PAD, y, width, 16)
            self._text(painter, self._small, DARK.muted, describe_faces(snapshot.faces), _PAD, y, width, 16, right=True)
        y += 16
        said = [f"Raw: {snapshot.raw_reason.what}"] if snapshot.raw_reason is not None else []
        if snapshot.quality.given_up and not said:  # of a raw frame nothing is given up
            said.append(f"To be in time: {' '.join(one.what for one in snapshot.quality.given_up)}")
        for text in said:
            flags = int(Qt.TextFlag.TextWordWrap)
            box = QFontMetricsF(self._small).boundingRect(QRectF(_PAD, y + 6, width, 200), flags, text)
            if painter:
                painter.setFont(self._small)
                painter.setPen(QColor(DARK.warn))
                painter.drawText(QRectF(_PAD, y + 6, width, box.height() + 2), flags, text)
            y += 6 + box.height()
        return y

    def _line(self, painter: QPainter | None, y: float) -> float:
        if painter:
            painter.fillRect(QRectF(_PAD, y + 8, WIDTH - 2 * _PAD, 1), QColor(255, 255, 255, 24))
        return y + 17

    @staticmethod
    def _text(
        painter: QPainter, font: QFont, colour: str, text: str, x: float, y: float, w: float, h: float, *, right: bool = False
    ) -> None:
        painter.setFont(font)
        painter.setPen(QColor(colour))
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(x, y, w, h), int(side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine), text)
