"""Opening a device beside the thread that will use it, so that what is open goes on until the new one is there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

_log = logging.getLogger(__name__)


class Closable(Protocol):
    """What can be opened here: a source or a sink."""

    label: str

    def close(self) -> None:
        """Releases it."""


T = TypeVar("T", bound=Closable)


class Opening(Generic[T]):
    """Calls `opener` in a thread of its own; once `done`, either `opened` or `error` is set."""

    def __init__(self, opener: Callable[[], T]) -> None:
        self.opened: T | None = None
        self.error: Exception | None = None
        self._opener = opener
        self._thread = threading.Thread(target=self._open, name="gpen-live-open", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        try:
            self.opened = self._opener()
        except Exception as error:
            self.error = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Nobody wants it any more: it is closed once it is open."""
        threading.Thread(target=self._close_late, name="gpen-live-close", daemon=True).start()

    def _close_late(self) -> None:
        self._thread.join()
        if self.opened is not None:
            close(self.opened)


def close(one: Closable) -> None:
    """Closes a source or sink; what it says against that is logged."""
    try:
        one.close()
    except Exception:
        _log.exception("closing %s failed", one.label)
