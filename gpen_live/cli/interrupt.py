"""Ctrl-C as a wish, so that what has been done so far is kept."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


def on_interrupt() -> threading.Event:
    """An event that Ctrl-C and a polite kill set; a second Ctrl-C ends at once."""
    interrupted = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            os._exit(130)
        interrupted.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handle)
        signal.signal(signal.SIGTERM, handle)
    return interrupted
