"""The one-place, newest-wins slot between two threads."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds at most one item; a newer one replaces it. Never blocks the giver (unless asked to), never grows."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False

    def put(self, item: T) -> T | None:
        """Places `item`; returns the item that it replaced, which nobody will see, or None."""
        with self._condition:
            replaced, self._item = self._item, item
            self._condition.notify_all()
            return replaced

    def put_when_free(self, item: T, timeout: float) -> bool:
        """Places `item` once the slot is empty; False if it was not within `timeout` seconds, or is closed."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._item is None or self._closed, timeout) or self._closed:
                return False
            self._item = item
            self._condition.notify_all()
            return True

    def take(self, timeout: float) -> T | None:
        """Removes and returns the item, waiting up to `timeout` seconds; None when there is none, or the slot is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            if item is not None:
                self._condition.notify_all()
            return item

    @property
    def empty(self) -> bool:
        """Whether the last item was taken: somebody looks, and may want the next one."""
        with self._condition:
            return self._item is None

    def close(self) -> None:
        """Wakes all waiters; what lies in the slot can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
