"""Loads models beside the running pipeline: the old one goes on until the new one is warm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpen_live.live.board import Board
from gpen_live.live.slot import Slot
from gpen_live.live.status import Health

if TYPE_CHECKING:
    import torch

    from gpen_live.engine.enhancer import Enhancer
    from gpen_live.faces.detect import Detector


@dataclass(frozen=True)
class Wanted:
    """What determines a loaded model. `attempt` counts the user's retries."""

    model: str
    weights: Path | None
    device: str
    attempt: int = 0


@dataclass(frozen=True)
class Loaded:
    """A warm network with a detector on the same device, and those that may stand in for it, the strongest first."""

    wanted: Wanted
    device: torch.device
    device_label: str
    detector: Detector
    enhancer: Enhancer
    lighter: tuple[Enhancer, ...] = ()


class _OvertakenError(Exception):
    """Another model was asked for, or the end, while this one was being fitted."""


class Loader:
    """One thread that loads what was asked for last. `ready` is set after each attempt, successful or not.

    `load` is called instead of loading from weights, if it is given.
    """

    def __init__(
        self,
        board: Board,
        stop: threading.Event,
        ready: threading.Event,
        load: Callable[[Wanted], Loaded] | None = None,
    ) -> None:
        self._board, self._stop, self._ready = board, stop, ready
        self._call = load or self._load
        self._requests: Slot[Wanted] = Slot()
        self._asked: Wanted | None = None
        self._detector: tuple[torch.device, Detector] | None = None
        self.loaded: Slot[Loaded] = Slot()

    def ask(self, wanted: Wanted) -> None:
        """Asks for a model, unless it is what was asked for last."""
        if wanted != self._asked:
            self._asked = wanted
            self._requests.put(wanted)

    def run(self) -> None:
        while not self._stop.is_set():
            wanted = self._requests.take(0.1)
            if wanted is not None:
                self._attempt(wanted)

    def _attempt(self, wanted: Wanted) -> None:
        self._board.write("model", Health.STARTING, wanted.model, f"Loading {wanted.model}.")
        try:
            loaded = self._call(wanted)
        except _OvertakenError:
            pass
        except Exception as error:
            if wanted == self._asked:
                self._board.fail("model", wanted.model, error)
        else:
            if wanted == self._asked:
                self._board.write("model", Health.OK, wanted.model)  # before anyone can use it, and fail
                self.loaded.put(loaded)
        self._ready.set()

    def _load(self, wanted: Wanted) -> Loaded:
        from gpen_live.engine.device import background_stream, choose_device, describe_device
        from gpen_live.engine.engine import load_detector
        from gpen_live.engine.enhancer import load_enhancer
        from gpen_live.engine.frame_path import has_fast_path

        device = choose_device(wanted.device)
        with background_stream(device):
            enhancer = load_enhancer(wanted.model, wanted.weights, device, fit=lambda share: self._fitting(wanted, share))
            for note in enhancer.notes:
                self._board.note(note)
            if self._detector is None or self._detector[0] != device:
                self._detector = (device, load_detector(device))
            has_fast_path(device)  # compiles its kernels, here and not while a frame waits
            lighter = self._load_lighter(wanted, device)
        return Loaded(wanted, device, describe_device(device), self._detector[1], enhancer, lighter)

    def _load_lighter(self, wanted: Wanted, device: torch.device) -> tuple[Enhancer, ...]:
        """Those that may stand in for the network under load: loaded beside it and warm, so that the change costs no frame."""
        from gpen_live.engine.enhancer import load_enhancer
        from gpen_live.models.registry import get, lighter_than

        found = []
        for spec in lighter_than(get(wanted.model)):
            try:
                found.append(load_enhancer(spec.name, None, device))
            except Exception as error:  # it is for the case of need only
                self._board.note(f"{spec.name} can't stand in for {wanted.model} under load. {error}")
        return tuple(found)

    def _fitting(self, wanted: Wanted, share: float) -> None:
        """Tells how far the fitting to a card has come, which happens once and takes up to a minute."""
        if wanted != self._asked or self._stop.is_set():
            raise _OvertakenError
        text = f"Fitting {wanted.model} to this graphics card, this once: {share:.0%}. The raw picture goes out meanwhile."
        self._board.write("model", Health.STARTING, wanted.model, text)
