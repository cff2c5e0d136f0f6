"""Messages inside the window: what happened, what to do, and a way to try again. They never stop the work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

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
    """One message. `key` names what it is about: a newer message of the same key takes its place.

    `text` says what happened in its first sentence and what to do in the rest; `retry` offers to try again.
    """

    key: str
    text: str
    level: Level = Level.INFO
    retry: bool = False


class Message(QFrame):
    """The bar of one notice."""

    retried = Signal(str)
    dismissed = Signal(str)

    def __init__(self, notice: Notice) -> None:
        super().__init__()
        self.notice = notice
        self.setObjectName("message")
        self.setAccessibleName(notice.text)
        self._icon = QLabel()
        what, remedy = split_sentence(notice.text)
        first = WrappedLabel(what)
        first.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        second = WrappedLabel(remedy, "muted")
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
        self._messages: dict[str, Message] = {}
        self.hide()

    def show_notice(self, notice: Notice) -> None:
        """Shows `notice`, in the place of an earlier one with its key."""
        self.remove(notice.key)
        message = Message(notice)
        message.retried.connect(self.retried)
        message.dismissed.connect(self.remove)
        message.dismissed.connect(self.dismissed)
        self._messages[notice.key] = message
        self._column.addWidget(message)
        restyle(message, level=notice.level.value)
        self.show()

    def remove(self, key: str) -> None:
        """Takes the message of `key` away, if there is one."""
        message = self._messages.pop(key, None)
        if message is not None:
            self._column.removeWidget(message)
            message.hide()
            message.deleteLater()
        self.setVisible(bool(self._messages))

    def message(self, key: str) -> Message | None:
        """The bar that shows the notice of `key`."""
        return self._messages.get(key)


def split_sentence(text: str) -> tuple[str, str]:
    """The first sentence, and the rest. A full stop ends a sentence where white space and a capital letter follow."""
    for place in range(len(text) - 2):
        if text[place] in ".!?" and text[place + 1].isspace() and text[place + 2 :].lstrip()[:1].isupper():
            return text[: place + 1], text[place + 1 :].strip()
    return text, ""
