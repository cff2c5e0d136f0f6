"""Work that would hold up the window, done on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

T = TypeVar("T")

_log = logging.getLogger(__name__)
_running: set[Job] = set()


class Job(QObject):
    """One piece of work under way. Its reports arrive in the thread that made it, and only while its owner lives."""

    _ended = Signal(object, object)
    _progressed = Signal(object)

    def __init__(self, owner: QObject) -> None:
        super().__init__()
        self._owner = owner
        self._cancelled = threading.Event()
        self._over = threading.Event()
        self._done: Callable[[Any], None] = lambda result: None
        self._failed: Callable[[Exception], None] = lambda error: None
        self._progress: Callable[[Any], None] = lambda news: None
        self._ended.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._progressed.connect(self._deliver_progress, Qt.ConnectionType.QueuedConnection)

    def cancel(self) -> None:
        """Asks the work to end early."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Whether the work was asked to end; for the work itself to look at."""
        return self._cancelled.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits until the work has ended, for so many seconds at most; returns whether it has."""
        return self._over.wait(seconds)

    def report(self, news: object) -> None:
        """Tells of progress; called by the work, from its thread."""
        _emit(self._progressed, news)

    def _deliver(self, result: object, error: Exception | None) -> None:
        _running.discard(self)
        if not shiboken6.isValid(self._owner):
            return
        if error is None:
            self._done(result)
        else:
            self._failed(error)

    def _deliver_progress(self, news: object) -> None:
        if shiboken6.isValid(self._owner):
            self._progress(news)

    def _run(self, work: Callable[[Job], object]) -> None:
        try:
            result = work(self)
        except Exception as error:  # noqa: BLE001  whatever it is, the window must hear of it
            _log.debug("background work failed", exc_info=True)
            _emit(self._ended, None, error)
        else:
            _emit(self._ended, result, None)
        finally:
            self._over.set()


def run(
    owner: QObject,
    work: Callable[[Job], T],
    *,
    done: Callable[[T], None],
    failed: Callable[[Exception], None] | None = None,
    progress: Callable[[Any], None] | None = None,
) -> Job:
    """Calls `work(job)` on a daemon thread; `done`, `failed` and `progress` are called in this one while `owner` lives."""
    job = Job(owner)
    job._done = done
    job._failed = failed or (lambda error: _log.warning("%s", error))
    job._progress = progress or (lambda news: None)
    _running.add(job)
    threading.Thread(target=job._run, args=(work,), name=getattr(work, "__name__", "work"), daemon=True).start()
    return job


def _emit(signal: Any, *values: object) -> None:
    try:
        signal.emit(*values)
    except RuntimeError:
        _log.debug("the application ended before its background work")
