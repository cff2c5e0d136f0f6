"""The newest-wins slot between two threads."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds at most `places` items; beyond, the oldest goes. Never blocks the giver (unless asked to), never grows."""

    def __init__(self, places: int = 1) -> None:
        self._condition = threading.Condition()
        self._items: deque[T] = deque()
        self._places = places
        self._closed = False

    def put(self, item: T) -> T | None:
        """Places `item`; returns the oldest one where it took its place, which nobody will see, or None."""
        with self._condition:
            replaced = self._items.popleft() if len(self._items) == self._places else None
            self._items.append(item)
            self._condition.notify_all()
            return replaced

    def put_when_free(self, item: T, timeout: float) -> bool:
        """Places `item` once the slot is empty; False if it was not within `timeout` seconds, or is closed."""
        with self._condition:
            if not self._condition.wait_for(lambda: not self._items or self._closed, timeout) or self._closed:
                return False
            self._items.append(item)
            self._condition.notify_all()
            return True

    def take(self, timeout: float) -> T | None:
        """Removes and returns the oldest item, waiting up to `timeout` seconds; None when there is none and none will come."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._closed, timeout)
            if not self._items:
                return None
            item = self._items.popleft()
            self._condition.notify_all()
            return item

    @property
    def empty(self) -> bool:
        """Whether the last item was taken: somebody looks, and may want the next one."""
        with self._condition:
            return not self._items

    def close(self) -> None:
        """Wakes all waiters; what lies in the slot can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
