"""Carries frames to a virtual camera whose driver may block: the thread that does so is not the one that waits for it."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

from gpen_live.errors import SinkError
from gpen_live.frame import Array
from gpen_live.sinks.base import Sink

PATIENCE_S = 1.0


class Courier(Sink):
    """A sink around another one. `send` waits for it, but not for longer than `PATIENCE_S` seconds.

    A driver is called by one thread alone: while it holds a frame, closing waits.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.label, self.wants = sink.label, sink.wants
        self._frames: SimpleQueue[Array | None] = SimpleQueue()
        self._answers: SimpleQueue[Exception | None] = SimpleQueue()
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="gpen-live-courier", daemon=True)
        self._thread.start()

    def send(self, pixels: Array) -> None:
        """As the sink's own.

        Raises:
            SinkError: the sink failed, or holds the frame for too long; it is of no use any more then, but to be closed.
        """
        self._frames.put(pixels)
        try:
            answer = self._answers.get(timeout=PATIENCE_S)
        except Empty:
            raise SinkError(f"{self.label} has not taken a frame for a second.", "Close the programs that show it.") from None
        if answer is not None:
            raise answer

    def close(self) -> None:
        """Closes the sink once it has let go of its frame, however long that takes."""
        self._frames.put(None)
        self._thread.join()
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def _run(self) -> None:
        while (pixels := self._frames.get()) is not None:
            try:
                self._sink.send(pixels)
            except Exception as error:
                self._answers.put(error)
            else:
                self._answers.put(None)
        try:
            self._sink.close()
        except Exception as error:
            self._failed = error
