"""The board on which the pipeline's threads write how each part is doing."""

from __future__ import annotations

import logging
import threading

from gpen_live.errors import GpenLiveError
from gpen_live.live.status.snapshot import Health, PartStatus

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
        self._notes: dict[str, None] = {}

    def write(self, part: str, health: Health, label: str = "", text: str = "", *, again: bool = False) -> None:
        """Replaces a part's status; anything but FAILED forgets its error, a WARNING is noted."""
        with self._lock:
            self._parts[part] = PartStatus(health, label, text, again)
            if health is not Health.FAILED:
                self._errors.pop(part, None)
        if health is Health.WARNING:
            self.note(text)

    def fail(self, part: str, label: str, error: Exception) -> None:
        """A part failed for good, unless the user tries again; the status says the error's sentence."""
        plain = as_plain(error, f"The {part}")
        with self._lock:
            self._parts[part] = PartStatus(Health.FAILED, label, str(plain))
            self._errors[part] = plain
        self.note(str(plain))

    def note(self, sentence: str) -> None:
        """Remembers a sentence for the report, each once, the latest hundred."""
        with self._lock:
            self._notes.pop(sentence, None)
            self._notes[sentence] = None
            while len(self._notes) > _MOST_NOTES:
                del self._notes[next(iter(self._notes))]

    def notes(self) -> list[str]:
        with self._lock:
            return list(self._notes)

    def read(self, part: str) -> PartStatus:
        with self._lock:
            return self._parts[part]

    def error(self) -> GpenLiveError | None:
        """The first part's error, if any part has failed."""
        with self._lock:
            return next((self._errors[part] for part in PARTS if part in self._errors), None)


def as_plain(error: Exception, who: str) -> GpenLiveError:
    """The error as a sentence; an unforeseen one is logged in full and shown in short."""
    if isinstance(error, GpenLiveError):
        return error
    _log.error("unforeseen: %s", who, exc_info=error)
    reason = str(error).splitlines()[0] if str(error) else ""
    return GpenLiveError(f"{who} failed unexpectedly ({type(error).__name__}{': ' if reason else ''}{reason}).")
