"""The board on which the pipeline's threads write how each part is doing."""

from __future__ import annotations

import logging
import threading

from gpen_live.errors import GpenLiveError
from gpen_live.live.status import Health, PartStatus

PARTS = ("source", "model", "sink")
_log = logging.getLogger(__name__)


class Board:
    """One status a part. A part that fails for good keeps its error, for a headless run to end with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts = {part: PartStatus() for part in PARTS}
        self._errors: dict[str, GpenLiveError] = {}

    def write(self, part: str, health: Health, label: str = "", text: str = "") -> None:
        """Replaces a part's status; anything but FAILED forgets its error."""
        with self._lock:
            self._parts[part] = PartStatus(health, label, text)
            if health is not Health.FAILED:
                self._errors.pop(part, None)

    def fail(self, part: str, label: str, error: Exception) -> None:
        """A part failed; the text is the error's sentence (an unforeseen error is logged in full, shown in short)."""
        if not isinstance(error, GpenLiveError):
            _log.error("unforeseen error in the %s", part, exc_info=error)
            error = GpenLiveError(f"The {part} failed unexpectedly ({type(error).__name__}: {error}).")
        with self._lock:
            self._parts[part] = PartStatus(Health.FAILED, label, str(error))
            self._errors[part] = error

    def read(self, part: str) -> PartStatus:
        with self._lock:
            return self._parts[part]

    def error(self) -> GpenLiveError | None:
        """The first part's error, if any part has failed."""
        with self._lock:
            return next((self._errors[part] for part in PARTS if part in self._errors), None)
