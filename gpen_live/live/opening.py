"""Opening and closing devices beside the thread that uses them, so that what is open goes on until the new one is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from gpen_live.system.heap import give_back

_PATIENCE_S = 10.0  # for a device to be let go of before it is opened again


class Closable(Protocol):
    """What can be opened here: a source or a sink."""

    label: str

    def close(self) -> None:
        """Releases it."""


T = TypeVar("T", bound=Closable)


class Opening(Generic[T]):
    """Opens `spec` by calling `opener` in a thread of its own, once the threads `after` have ended.

    When `done`, `opened` or `error` is set.
    """

    def __init__(self, spec: str, opener: Callable[[], T], after: Sequence[threading.Thread] = ()) -> None:
        self.spec = spec
        self.opened: T | None = None
        self.error: Exception | None = None
        self._opener = opener
        self._after = tuple(after)
        self._thread = threading.Thread(target=self._open, name="gpen-live-open", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        for thread in self._after:
            thread.join(_PATIENCE_S)
        try:
            self.opened = self._opener()
        except Exception as error:
            self.error = error
        give_back()  # each such thread has a heap of its own, and nobody after it uses what it leaves there

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self) -> T | None:
        """What was opened, once it is; None when that failed."""
        self._thread.join()
        return self.opened


class Departures:
    """Threads that are still closing something, by what it is: nobody may open it again before they have ended.

    Any thread may use it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[tuple[str, threading.Thread]] = []

    def start(self, spec: str, work: Callable[[], None]) -> None:
        """Runs `work`, which closes `spec`, in a thread of its own."""

        def close() -> None:
            work()
            give_back()

        thread = threading.Thread(target=close, name="gpen-live-close", daemon=True)
        with self._lock:
            self._threads = [(name, other) for name, other in self._threads if other.is_alive()]
            thread.start()
            self._threads.append((spec, thread))

    def of(self, spec: str) -> list[threading.Thread]:
        """The threads that still close `spec`."""
        return [thread for name, thread in self._threads if name == spec and thread.is_alive()]

    def wait(self, seconds: float) -> None:
        """Waits for all of them, up to `seconds` each."""
        for _, thread in self._threads:
            thread.join(seconds)
