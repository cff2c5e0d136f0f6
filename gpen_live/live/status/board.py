"""The board on which the pipeline's threads write how each part is doing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.live.status.snapshot import Health, PartStatus
from gpen_live.messages import Message, message

PARTS = ("source", "model", "sink")
_MOST_NOTES = 100
_log = logging.getLogger(__name__)


class StatusBoard:
    """One status a part, and a note of everything that went wrong.

    A part that fails for good keeps its error, for a headless run to end with.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts = {part: PartStatus() for part in PARTS}
        self._errors: dict[str, GpenLiveError] = {}
        self._notes: dict[Message, None] = {}

    def write(self, part: str, health: Health, label: str = "", message: Message | None = None, *, again: bool = False) -> None:
        """Replaces a part's status; anything but FAILED forgets its error, a WARNING is noted."""
        with self._lock:
            self._parts[part] = PartStatus(health, label, message, again)
            if health is not Health.FAILED:
                self._errors.pop(part, None)
        if health is Health.WARNING and message is not None:
            self.note(message)

    def fail(self, part: str, label: str, error: Exception) -> None:
        """A part failed for good, unless the user tries again; the status has the error's message."""
        plain = as_plain(error, message("live.failed", name=label or part, reason=reason_of(error)))
        with self._lock:
            self._parts[part] = PartStatus(Health.FAILED, label, plain.message)
            self._errors[part] = plain
        self.note(plain.message)

    def note(self, message: Message) -> None:
        """Remembers a message for the report, each once, the latest hundred."""
        with self._lock:
            self._notes.pop(message, None)
            self._notes[message] = None
            while len(self._notes) > _MOST_NOTES:
                del self._notes[next(iter(self._notes))]

    def notes(self) -> list[Message]:
        with self._lock:
            return list(self._notes)

    def read(self, part: str) -> PartStatus:
        with self._lock:
            return self._parts.get(part, PartStatus())

    def keep_outputs(self, parts: Sequence[str]) -> None:
        """Forgets the statuses of outputs other than these."""
        with self._lock:
            for part in [part for part in self._parts if part.startswith("sink ") and part not in parts]:
                del self._parts[part]
                self._errors.pop(part, None)

    def error(self, *, every: bool = False) -> GpenLiveError | None:
        """The first part's error, if any part has failed; with `every` also of outputs other than the first one."""
        with self._lock:
            parts = [*PARTS, *self._errors] if every else PARTS
            return next((self._errors[part] for part in parts if part in self._errors), None)


def as_plain(error: Exception, otherwise: Message) -> GpenLiveError:
    """The error, if it carries a message; an unforeseen one is logged in full and carries `otherwise`."""
    if isinstance(error, GpenLiveError):
        return error
    _log.error("unforeseen: %s", otherwise, exc_info=error)
    return GpenLiveError(otherwise)
