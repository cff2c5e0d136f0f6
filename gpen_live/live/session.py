"""What all threads of one run share: the user's wishes, the meters, the status board, the end of the run and the clock."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

from gpen_live.live.config import LiveConfig
from gpen_live.live.pacing.clock import Sleep, now
from gpen_live.live.status.board import StatusBoard
from gpen_live.live.status.meters import Meters
from gpen_live.system.timers import FineTimers


class Session:
    """One run of the pipeline. Any thread may use all of it.

    `config` is replaced as a whole by `change`: read it once for a frame, and all of that frame is of one mind. `stop` ends the
    run. `sleep` tells when the system has slept; `timers` are held by each output while it is open.

    Args:
        clock: seconds, as `gpen_live.live.pacing.clock.now`.
    """

    def __init__(self, config: LiveConfig, *, clock: Callable[[], float] = now) -> None:
        self._config = config
        self._lock = threading.Lock()
        self.clock = clock
        self.meters = Meters()
        self.board = StatusBoard()
        self.stop = threading.Event()
        self.sleep = Sleep()
        self.timers = FineTimers()

    @property
    def config(self) -> LiveConfig:
        """The user's present wishes."""
        return self._config

    def change(self, **fields: Any) -> None:
        """Replaces wishes by their LiveConfig names.

        Raises:
            TypeError: no such wish.
        """
        with self._lock:
            self._config = dataclasses.replace(self._config, **fields)
