"""How one output is, on the board: under a name that changes when it becomes the first one, or is so no longer."""

from __future__ import annotations

import threading

from gpen_live.live.status.board import StatusBoard
from gpen_live.live.status.snapshot import Health, PartStatus
from gpen_live.messages import Message


class OutputStatus:
    """Written by the output's sender, moved by the outputs: set `part`, then `show`."""

    def __init__(self, board: StatusBoard, part: str) -> None:
        self._board, self.part = board, part
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self.now = PartStatus()

    @property
    def failed(self) -> bool:
        """It has failed for good, unless the user tries again."""
        return self.now.health is Health.FAILED

    def write(self, health: Health, label: str = "", message: Message | None = None) -> None:
        """See `StatusBoard.write`."""
        with self._lock:
            self.now, self._error = PartStatus(health, label, message), None
            self._show()

    def fail(self, label: str, error: Exception) -> None:
        """See `StatusBoard.fail`."""
        with self._lock:
            self.now, self._error = PartStatus(Health.FAILED, label), error
            self._show()

    def show(self) -> None:
        """Writes it on the board again, under its present name."""
        with self._lock:
            self._show()

    def _show(self) -> None:
        if self._error is not None:
            self._board.fail(self.part, self.now.label, self._error)
            self.now = self._board.read(self.part)
        else:
            self._board.write(self.part, self.now.health, self.now.label, self.now.message)
