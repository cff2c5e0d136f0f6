"""Loads models beside the running pipeline: the old one goes on until the new one is warm."""

from __future__ import annotations

import dataclasses
import gc
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.inference.failures import Failure, failure_of, keep_for_ever
from gpen_live.live.models.stepdown import Fallback, explained, step_down
from gpen_live.live.models.stepdown import ModelRequest as ModelRequest
from gpen_live.live.pacing.clock import now
from gpen_live.live.session import Session
from gpen_live.live.slot import Slot
from gpen_live.live.status.board import as_plain
from gpen_live.live.status.snapshot import Health
from gpen_live.messages import Message, message
from gpen_live.system.heap import give_back

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detector
    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer

_TIDY_S = 2.0  # from a model's loading to its first frames being through
_TIDY_EVERY_S = 60.0


@dataclass(frozen=True)
class LoadedModel:
    """A warm network with a detector on the same device, and those that may stand in for it, the strongest first."""

    wanted: ModelRequest
    device: Device
    device_label: str
    detector: Detector
    enhancer: HostEnhancer | Enhancer
    lighter: tuple[HostEnhancer | Enhancer, ...] = ()


class _OvertakenError(Exception):
    """Another model was asked for, or the end, while this one was being fitted."""


class Loader:
    """One thread that loads what was asked for last. `ready` is set after each attempt, successful or not.

    Where the device can't carry that, something smaller takes its place (see `stepdown`) until a model is asked for anew.
    Once the device is lost, nothing of it is touched any more.

    `load` is called instead of loading from weights, if it is given; what was loaded goes through `handed_over`, if that is.
    """

    def __init__(
        self,
        session: Session,
        load: Callable[[ModelRequest], LoadedModel] | None = None,
        handed_over: Callable[[LoadedModel], LoadedModel] | None = None,
    ) -> None:
        self._board, self._stop = session.board, session.stop
        self.ready = threading.Event()
        self._call, self._from_weights = load or self._load, load is None
        self._handed_over = handed_over or (lambda loaded: loaded)
        self._requests: Slot[ModelRequest] = Slot()
        self._lock = threading.Lock()
        self._asked: ModelRequest | None = None
        self._current: ModelRequest | None = None  # what is being loaded or runs: what was asked for, or what takes its place
        self._at_work: ModelRequest | None = None
        self._step: Fallback | None = None
        self._due: ModelRequest | None = None
        self._running = False
        self._lost = False
        self._detector: tuple[Device, Detector] | None = None
        self.loaded: Slot[LoadedModel] = Slot()

    def ask(self, wanted: ModelRequest) -> None:
        """Asks for a model, unless it is what was asked for last."""
        with self._lock:
            if wanted == self._asked:
                return
            self._asked, self._step, self._due = wanted, None, None
            self._current = self._without_the_lost(wanted)
            self._requests.put(self._current)

    def step_down(self, error: Exception, running: ModelRequest) -> Message | None:
        """Why the model that runs is given up after `error`, for the thread that owns the device; None where it is kept.

        What takes its place is loaded once that thread has let go of it, see `go_on`.
        """
        with self._lock:
            step = step_down(error, running)
            if step is None:
                return None
            self._running = False
            self._board.write("model", Health.WARNING, step.wanted.model, step.reason)
            self._take(step, error)
            self._due = step.wanted
            untaken = self.loaded.take(0)  # the same network again, with its stand-ins
            if failure_of(error) is Failure.LOST:
                keep_for_ever(untaken)
            return step.reason

    def go_on(self) -> None:
        """For the thread that owns the device, between frames: what was given up is gone, and has left its memory to others."""
        if self._due is None:
            return
        with self._lock:
            due, self._due = self._due, None
            if due is not None:
                self._requests.put(due)

    def tell_well(self, label: str) -> None:
        """Writes on the board that the model is well, or what it is in place of."""
        step = self._step
        if step is None:
            self._board.write("model", Health.OK, label)
        else:
            self._board.write("model", Health.WARNING, label, step.reason, again=step.again)

    def gave_up(self, error: GpenLiveError) -> None:
        """Tells that `run` keeps failing: nothing can be loaded any more; what runs goes on."""
        label = self._board.read("model").label
        if self._running:
            self._board.write("model", Health.WARNING, label, error.message, again=True)
        else:
            self._board.fail("model", label, error)

    def run(self) -> None:
        with self._lock:
            if self._at_work is not None and self._at_work == self._current:  # a failure came between
                self._requests.put(self._at_work)
        tidy_at = now() + _TIDY_EVERY_S
        while not self._stop.is_set():
            wanted = self._requests.take(0.1)
            if wanted is not None:
                self._at_work = wanted
                self._attempt(wanted)
                self._at_work = None
                tidy_at = now() + _TIDY_S
            elif now() >= tidy_at:
                give_back()  # an old model's memory, freed by its last user; that of a camera's thread which hung and ended late
                tidy_at = now() + _TIDY_EVERY_S

    def _without_the_lost(self, wanted: ModelRequest) -> ModelRequest:
        """What was asked for, on the processor where its device is lost."""
        if not self._lost or wanted.device == "cpu":
            return wanted
        kept = dataclasses.replace(wanted, device="cpu")
        self._step = Fallback(kept, message("model.still_lost", model=wanted.model), again=False)
        return kept

    def _take(self, step: Fallback, error: Exception) -> None:
        self._lost = self._lost or failure_of(error) is Failure.LOST
        self._step, self._current = step, step.wanted

    def _attempt(self, wanted: ModelRequest) -> None:
        said = message("model.loading", model=wanted.model) if self._step is None else self._step.reason
        self._board.write("model", Health.STARTING, wanted.model, said)
        try:
            if self._step is not None and not self._lost:
                _make_room()
            loaded = self._handed_over(self._call(wanted))
        except _OvertakenError:
            pass
        except Exception as error:
            if self._failed(wanted, error):
                return
        else:
            self._hand_over(wanted, loaded)
        self.ready.set()

    def _hand_over(self, wanted: ModelRequest, loaded: LoadedModel) -> None:
        with self._lock:
            if wanted != self._current:
                return
            self._running = True
            self.tell_well(wanted.model)  # before anyone can use it, and fail
            self.loaded.put(loaded)
        self.ready.set()
        if self._from_weights and self._step is None:  # else its device has no memory for more
            self._stand_by(wanted, loaded)

    def _failed(self, wanted: ModelRequest, error: Exception) -> bool:
        """Whether something takes the place of a model that could not be loaded.

        Nothing does while another one runs, which goes on, nor where the device was asked for by name: that is used or refused.
        """
        with self._lock:
            if wanted != self._current:
                return False
            step = None if self._running else step_down(error, wanted)
            named = self._asked is not None and self._asked.device not in ("auto", "cpu")
            if step is not None and not (named and step.wanted.device == "cpu"):
                self._take(step, error)
                self._requests.put(step.wanted)
                return True
            self._lost = self._lost or failure_of(error) is Failure.LOST
        self._board.fail("model", wanted.model, explained(error, wanted))
        return False

    def _load(self, wanted: ModelRequest) -> LoadedModel:
        from gpen_live.engine.paths.base import has_fast_path
        from gpen_live.inference.device import background_stream, choose_device, describe_device
        from gpen_live.inference.loading import load_detector, load_enhancer

        unusable: list[Message] = []
        device = choose_device(wanted.device, unusable)
        with background_stream(device):
            enhancer = load_enhancer(wanted.model, wanted.weights, device, fit=lambda share: self._fitting(wanted, share))
            for note in (*unusable, *enhancer.notes):
                self._board.note(note)
            if self._detector is None or self._detector[0] != device:
                self._detector = (device, load_detector(device))
            has_fast_path(device)  # compiles its kernels, here and not while a frame waits
        return LoadedModel(wanted, device, describe_device(device), self._detector[1], enhancer)

    def _stand_by(self, wanted: ModelRequest, loaded: LoadedModel) -> None:
        """Loads those that may stand in for the network under load, while it works already: so the change will cost no frame."""
        from gpen_live.inference.device import background_stream
        from gpen_live.inference.loading import load_enhancer
        from gpen_live.models.registry import get, lighter_than

        found = []
        for spec in lighter_than(get(wanted.model)):
            try:
                with background_stream(loaded.device):
                    found.append(load_enhancer(spec.name, None, loaded.device, fit=lambda share: self._check_time(wanted)))
            except _OvertakenError:
                return
            except Exception as error:  # it is for the case of need only
                plain = as_plain(error, message("live.failed", name=spec.name, reason=reason_of(error)))
                self._board.note(message("model.no_stand_in", lighter=spec.name, model=wanted.model, cause=plain.message))
        with self._lock:
            if found and wanted == self._current and self._running:
                self.loaded.put(dataclasses.replace(loaded, lighter=tuple(found)))

    def _check_time(self, wanted: ModelRequest) -> None:
        if wanted != self._current or self._stop.is_set():
            raise _OvertakenError

    def _fitting(self, wanted: ModelRequest, share: float) -> None:
        """Tells how far the fitting to a card has come, which happens once and takes up to a minute."""
        self._check_time(wanted)
        self._board.write("model", Health.STARTING, wanted.model, message("model.fitting", model=wanted.model, share=share))


def _make_room() -> None:
    """Gives back the memory of what could not go on."""
    gc.collect()
    if "torch" not in sys.modules:
        return
    import torch

    from gpen_live.kernels.streams import give_memory_back

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        give_memory_back()
