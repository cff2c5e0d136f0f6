"""The looks that the window offers: presets, the values in use, what was changed since, and the way back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from gpen_live.errors import GpenLiveError
from gpen_live.look import CONTROLS, Beauty
from gpen_live.messages import Message, joined
from gpen_live.presets import BUILT_IN, Preset, PresetStore, built_in, write_preset
from gpen_live.ui.controller import Controller
from gpen_live.ui.notify import Level, Notice

UNSAVED = ""
"""The name of values that come from no preset."""

NOTICE = "presets"

_ONE_CHANGE_S = 1.0
_NEAR = 3  # controls that may differ from a preset for values to be a change of it
_MOST_STEPS = 200


class _State(NamedTuple):
    name: str
    beauty: Beauty


class Looks(QObject):
    """The presets and the look in use. What goes wrong with a file becomes a notice, and nothing is lost.

    `listed` tells that there are other presets than before, `changed` that other values hold.

    Args:
        controller: the values in use lie in its settings.
        store: the user's own presets.
        clock: seconds, for what counts as one change.
    """

    listed = Signal()
    changed = Signal()

    def __init__(
        self,
        controller: Controller,
        store: PresetStore | None = None,
        parent: QObject | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._store = store or PresetStore(controller.settings_folder / "presets")
        self._clock = clock
        self._undo: list[_State] = []
        self._redo: list[_State] = []
        self._last_change = ("", 0.0)
        self.own: list[Preset] = []
        self.problems = self._read()
        self._loose = self.beauty  # the base of values that come from no preset
        self._name = self._origin()
        controller.changed.connect(self.changed)

    # what there is

    @property
    def presets(self) -> Sequence[Preset]:
        """The built-in ones, from none to most, and the user's by name."""
        return [*built_in(), *self.own]

    @property
    def beauty(self) -> Beauty:
        """The values in use."""
        return self._controller.config.look.beauty

    @property
    def name(self) -> str:
        """Of the preset that the values in use come from; UNSAVED where that one is gone, or there never was one."""
        return self.base.name

    @property
    def base(self) -> Preset:
        """The preset that the values in use come from, as it is kept; where that one is gone, the values that it had."""
        return next((one for one in self.presets if one.name == self._name), Preset(UNSAVED, self._loose))

    @property
    def modified(self) -> bool:
        """Whether values other than the amount differ from the preset's."""
        return not _alike(self.beauty, self.base.beauty)

    def is_own(self, name: str) -> bool:
        """Whether it is a preset of the user's."""
        return any(one.name == name for one in self.own)

    # values

    def choose(self, name: str) -> None:
        """Takes all values of a preset; the amount stays, unless nothing would be seen of it."""
        preset = next(one for one in self.presets if one.name == name)
        amount = self.beauty.amount or 1.0
        self._take("preset", _State(name, dataclasses.replace(preset.beauty, amount=amount)))

    def set_value(self, name: str, value: float | bool | str) -> None:
        """Gives a control, or "amount", another value."""
        if value != getattr(self.beauty, name):
            self._remember(name)
            self._controller.change_beauty({name: value})

    def reset(self) -> None:
        """Back to the values of the preset."""
        self._take("reset", _State(self.name, dataclasses.replace(self.base.beauty, amount=self.beauty.amount)))

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back."""
        return bool(self._redo)

    def undo(self) -> None:
        """Takes the last change back."""
        self._step(self._undo, self._redo)

    def redo(self) -> None:
        """Makes the change again that was taken back last."""
        self._step(self._redo, self._undo)

    # the user's own

    def save(self, name: str) -> None:
        """Keeps the values in use as the user's preset `name`.

        Raises:
            GpenLiveError: that can't be a name, or the disk refuses.
        """
        preset = self._store.save(name, self.beauty)
        self._name = preset.name
        self._controller.settled.emit(NOTICE)
        self._listed()

    def rename(self, old: str, new: str) -> None:
        """Gives a preset of the user's another name.

        Raises:
            GpenLiveError: that can't be a name, it is taken, or the disk refuses.
        """
        renamed = self._store.rename(old, new).name
        self._name = renamed if self._name == old else self._name
        self._undo = [_State(renamed if name == old else name, beauty) for name, beauty in self._undo]
        self._redo = [_State(renamed if name == old else name, beauty) for name, beauty in self._redo]
        self._controller.settled.emit(NOTICE)
        self._listed()

    def delete(self, name: str) -> None:
        """Removes a preset of the user's; the values in use stay."""
        if name == self.name:
            self._loose = self.base.beauty
        self._try(lambda: self._store.delete(name))

    def bring(self, path: Path) -> None:
        """Takes a preset from a file, and uses it."""

        def take() -> str:
            return self._store.bring(path).name

        name = self._try(take)
        if name is not None:
            self.choose(name)

    def export(self, path: Path) -> None:
        """Writes the values in use, under the name of their preset or of the file, to a file that can be passed on."""
        name = path.stem if self.modified or self.name == UNSAVED else self.name
        self._try(lambda: write_preset(Preset(name, dataclasses.replace(self.beauty, amount=1.0)), path))

    def tell_problems(self) -> None:
        """Says once what is wrong with files of the user's."""
        if self.problems:
            self._controller.noticed.emit(Notice(NOTICE, joined(self.problems), Level.WARNING))
            self.problems = []

    # inside

    def _read(self) -> list[Message]:
        found = self._store.found()
        self.own = found.presets
        return found.problems

    def _listed(self) -> None:
        self._read()
        if self._controller.settings.preset != self.name:
            self._controller.update(preset=self.name)
        self.listed.emit()
        self.changed.emit()

    def _try(self, action: Callable[[], Any]) -> Any:
        """What `action` gives; None, and a notice, where it fails."""
        try:
            done = action()
        except GpenLiveError as error:
            self._controller.noticed.emit(Notice(NOTICE, error.message, Level.WARNING))
            return None
        self._controller.settled.emit(NOTICE)
        self._listed()
        return done

    def _origin(self) -> str:
        """The preset that the values at the start come from: the one in the settings, or the nearest to the command line's."""
        kept, beauty = self._controller.settings.preset, self.beauty
        if _alike(beauty, self._controller.settings.look.beauty):
            return kept
        nearest = min(self.presets, key=lambda one: (_distance(one.beauty, beauty), one.name != kept))
        return nearest.name if _distance(nearest.beauty, beauty) <= _NEAR else UNSAVED

    def _take(self, what: str, state: _State) -> None:
        if state != _State(self.name, self.beauty):
            self._remember(what)
            self._hold(state)

    def _hold(self, state: _State) -> None:
        self._name = state.name
        if self.name == UNSAVED:
            self._loose = state.beauty
        self._controller.change_beauty(_fields(state.beauty), preset=state.name)

    def _remember(self, what: str) -> None:
        """The state before a change; a control that is moved on and on changes once."""
        last, at = self._last_change
        now = self._clock()
        self._last_change = (what, now)
        if what == last and now - at < _ONE_CHANGE_S and what not in ("preset", "reset"):
            return
        self._undo.append(_State(self.name, self.beauty))
        del self._undo[:-_MOST_STEPS]
        self._redo.clear()

    def _step(self, back: list[_State], forth: list[_State]) -> None:
        if back:
            forth.append(_State(self.name, self.beauty))
            self._last_change = ("", 0.0)
            self._hold(back.pop())


def title(name: str) -> str:
    """A preset's name as the window writes it."""
    return name.capitalize() if name in BUILT_IN else name


def _fields(beauty: Beauty) -> dict[str, Any]:
    return {one.name: getattr(beauty, one.name) for one in dataclasses.fields(beauty)}


def _distance(first: Beauty, second: Beauty) -> int:
    """In how many controls they differ."""
    return sum(getattr(first, one.name) != getattr(second, one.name) for one in CONTROLS)


def _alike(first: Beauty, second: Beauty) -> bool:
    """Whether they differ in the amount at most."""
    return _distance(first, second) == 0
