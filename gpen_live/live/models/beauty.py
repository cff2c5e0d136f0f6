"""The stage that draws beauty: opened beside the running pipeline once a look asks for it, and not before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpen_live.errors import reason_of
from gpen_live.live.status.board import as_plain
from gpen_live.messages import Message, message
from gpen_live.system.heap import give_back

if TYPE_CHECKING:
    from gpen_live.engine.engine import Engine
    from gpen_live.engine.result import Stage
    from gpen_live.inference.device import Device
    from gpen_live.look import Beauty, Look

Open = Callable[["Device"], "Stage | None"]
_log = logging.getLogger(__name__)


class BeautyLoader:
    """Gives an engine the stage for its device. One that can't be opened is tried again when the look's beauty is another one.

    All methods belong to the thread that owns the engine. `trouble` says why beauty that is asked for is not drawn.

    Args:
        note: tells the user a message.
        opener: opens the stage for a device; None: `gpen_live.beauty.stage.open_stage`.
    """

    def __init__(self, note: Callable[[Message], None], opener: Open | None = None) -> None:
        self._note, self._opener = note, opener or _open_stage
        self._opening: _Opening | None = None
        self._refused: Beauty | None = None
        self._refusal: Message | None = None
        self.trouble: Message | None = None

    def follow(self, engine: Engine, look: Look, *, wait: bool = False) -> None:
        """Between two frames: opens the stage if `look` asks for it, and hands it over once it is there.

        Args:
            wait: until it is there, or has failed.
        """
        if self._opening is not None:
            self._take(engine, wait=wait)
        self._open(engine, look, wait=wait)
        refused = look.beauty == self._refused
        self.trouble = (self._refusal if refused else engine.stage_trouble) if look.beauty.uses() else None

    def _open(self, engine: Engine, look: Look, *, wait: bool) -> None:
        if not look.beauty.uses() or engine.stages or self._opening is not None or look.beauty == self._refused:
            return
        self._refused = None
        self._opening = _Opening(self._opener, engine.device, look.beauty)
        if wait:
            self._take(engine, wait=True)

    def _take(self, engine: Engine, *, wait: bool) -> None:
        opening = self._opening
        assert opening is not None
        if wait:
            opening.join()
        if opening.is_alive():
            return
        self._opening = None
        if opening.device != engine.device:
            return  # another one has taken over meanwhile
        if opening.stage is not None:
            engine.stages = (opening.stage,)
            return
        self._refused, self._refusal = opening.beauty, opening.failure
        self._note(opening.failure)


class _Opening(threading.Thread):
    def __init__(self, opener: Open, device: Device, beauty: Beauty) -> None:
        super().__init__(name="gpen-live-beauty", daemon=True)
        self.device, self.beauty = device, beauty
        self.stage: Stage | None = None
        self.failure = message("live.beauty_missing", device=device)
        self._opener = opener
        self.start()

    def run(self) -> None:
        try:
            self.stage = self._opener(self.device)
        except Exception as error:  # frames go on without it
            _log.exception("beauty could not be loaded")
            plain = as_plain(error, message("live.beauty_failed", reason=reason_of(error)))
            self.failure = message("live.beauty_unloaded", cause=plain.message)
        give_back()  # each such thread has a heap of its own, and nobody after it uses what it leaves there


def _open_stage(device: Device) -> Stage | None:
    from gpen_live.beauty.stage import open_stage
    from gpen_live.inference.device import background_stream

    with background_stream(device):
        return open_stage(device)
