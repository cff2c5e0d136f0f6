"""Messages inside the window: what happened, what to do, and a way to try again. They never stop the work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gpen_live.messages import Message
from gpen_live.ui import icons
from gpen_live.ui.theme import UNIT, tokens
from gpen_live.ui.widgets import IconButton, WrappedLabel, button, restyle


class Level(Enum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Notice:
    """One message. `key` names what it is about: a newer message of the same key takes its place; `retry` offers to try again."""

    key: str
    message: Message
    level: Level = Level.INFO
    retry: bool = False


class NoticeBar(QFrame):
    """What the window shows of one notice: what happened, and below it what to do."""

    retried = Signal(str)
    dismissed = Signal(str)

    def __init__(self, notice: Notice) -> None:
        super().__init__()
        self.notice = notice
        self.setObjectName("message")
        self.setAccessibleName(notice.message.text)
        self._icon = QLabel()
        first = WrappedLabel(notice.message.what)
        first.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        second = WrappedLabel(notice.message.remedy, "muted")
        second.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(first)
        texts.addWidget(second)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 6, 10)
        row.setSpacing(12)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        self.retry_button = button("Retry", "compact", "Try again")
        self.retry_button.setVisible(notice.retry)
        self.retry_button.clicked.connect(lambda: self.retried.emit(notice.key))
        row.addWidget(self.retry_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.close_button = IconButton("close", "Dismiss this message", "Dismiss")
        self.close_button.setFixedSize(28, 28)
        self.close_button.clicked.connect(lambda: self.dismissed.emit(notice.key))
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._tint()

    def _tint(self) -> None:
        colours = tokens()
        colour = {Level.INFO: colours.accent, Level.WARNING: colours.warn, Level.ERROR: colours.bad}[self.notice.level]
        name = "info" if self.notice.level is Level.INFO else "alert"
        self._icon.setPixmap(icons.pixmap(name, colour, 20, self.devicePixelRatioF()))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
        super().changeEvent(event)


class MessageArea(QWidget):
    """The messages that hold now, newest last; takes no room while there is none."""

    retried = Signal(str)
    dismissed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, UNIT)
        self._column.setSpacing(UNIT)
        self._messages: dict[str, NoticeBar] = {}
        self.hide()

    def show_notice(self, notice: Notice) -> None:
        """Shows `notice`, in the place of an earlier one with its key."""
        self.remove(notice.key)
        bar = NoticeBar(notice)
        bar.retried.connect(self.retried)
        bar.dismissed.connect(self.remove)
        bar.dismissed.connect(self.dismissed)
        self._messages[notice.key] = bar
        self._column.addWidget(bar)
        restyle(bar, level=notice.level.value)
        self.show()

    def remove(self, key: str) -> None:
        """Takes the message of `key` away, if there is one."""
        bar = self._messages.pop(key, None)
        if bar is not None:
            self._column.removeWidget(bar)
            bar.hide()
            bar.deleteLater()
        self.setVisible(bool(self._messages))

    def message(self, key: str) -> NoticeBar | None:
        """The bar that shows the notice of `key`."""
        return self._messages.get(key)
