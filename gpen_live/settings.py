"""What the app remembers between runs: typed, versioned, written atomically.

A file that can't be used is never lost: it is moved aside, defaults take its place, and the notice says so. Where the disk takes
nothing, the settings hold in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from gpen_live.frame import Size
from gpen_live.live.budget.ladder import DEFAULT_MS
from gpen_live.live.config import LiveConfig, Resting
from gpen_live.look import CONTROLS, Control, Look
from gpen_live.messages import Message, message
from gpen_live.presets import BUILT_IN, DEFAULT
from gpen_live.system.atomic import replace_file, sweep
from gpen_live.system.folders import config_dir

VERSION = 4
_FIRST_WITH_BEAUTY = 4
_LAST_VERSION = 9999  # a number beyond is damage, and too long for a file's name
_AMOUNT = Control("amount", "skin")  # of all groups
_FARTHEST = 2**24 - 1  # device-independent pixels, the largest side of a window in Qt

Theme = Literal["system", "dark", "light"]


class WindowGeometry(msgspec.Struct, frozen=True):
    """Place of the window on the desktop, in device-independent pixels."""

    x: int
    y: int
    width: int
    height: int
    maximized: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The user's choices. A change makes a new object: `msgspec.structs.replace(settings, model="lite-512")`.

    `width`, `height` and `fps` of 0 mean "as the camera delivers"; `leave_room` is 0 to 1; `budget_ms` is the
    latency that is held, 0 for none; `vcam_device` of "" takes the first virtual camera; `weights` maps names of models to files
    that the user picked; `accepted_licences` holds names of models. `preset` is the name of the preset that the values of
    `look.beauty` come from; they may have been changed since.
    """

    version: int = VERSION
    source: str = "demo"
    width: int = 1280
    height: int = 720
    fps: float = 30.0
    model: str = "lite-256"
    device: str = "auto"
    look: Look = Look(beauty=BUILT_IN[DEFAULT])
    preset: str = DEFAULT
    leave_room: float = 0.0
    budget_ms: float = DEFAULT_MS
    rest: Resting = Resting.KNOWN
    vcam: bool = False
    vcam_device: str = ""
    overlay: bool = True
    overlay_to_viewers: bool = False
    mirror: bool = False
    theme: Theme = "system"
    window: WindowGeometry | None = None
    weights: dict[str, str] = {}
    accepted_licences: tuple[str, ...] = ()

    def sinks(self) -> tuple[str, ...]:
        """The pipeline's names for the outputs that are chosen here."""
        if not self.vcam:
            return ()
        return (f"vcam:{self.vcam_device}" if self.vcam_device else "vcam",)

    def live_config(self) -> LiveConfig:
        """What the pipeline is asked to do when these are the settings."""
        picked = self.weights.get(self.model)
        return LiveConfig(
            source=self.source,
            sinks=self.sinks(),
            size=Size(self.width, self.height) if self.width and self.height else None,
            fps=self.fps or None,
            model=self.model,
            weights=Path(picked) if picked else None,
            look=self.look,
            device=self.device,
            leave_room=self.leave_room,
            budget_ms=self.budget_ms,
            rest=self.rest,
            overlay=self.overlay_to_viewers,
        )


class LoadedSettings(NamedTuple):
    """Settings, and a message for the user when something about their file needs saying."""

    settings: Settings
    notice: Message | None = None


class SettingsStore:
    """Reads and writes the settings file; never raises for what the disk holds or refuses."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_dir() / "settings.json"
        self.unsaved = False
        """Whether the last attempt to save failed: try again later."""
        self._in_the_way: str | None = None

    def load(self) -> LoadedSettings:
        """The settings on disk, migrated from older versions; defaults when there are none or they can't be used."""
        sweep(self.path.parent)
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return LoadedSettings(Settings())
        except OSError as error:
            why = message("settings.unreadable", reason=_reason(error))
            return LoadedSettings(Settings(), self._set_aside(f"settings.unreadable-{stamp}", why))
        try:
            tree = msgspec.json.decode(data, type=dict[str, Any])
            version = msgspec.convert(tree.get("version", 1), int)
            if version > _LAST_VERSION:  # no version of ours
                raise msgspec.ValidationError("no such settings version")
            if version > VERSION:
                return LoadedSettings(Settings(), self._set_aside(f"settings.from-version-{version}", message("settings.newer")))
            tree, wrong = _beauty_within_range(migrate(tree))
            settings = msgspec.convert(tree, Settings)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return LoadedSettings(Settings(), self._set_aside(f"settings.broken-{stamp}", message("settings.broken")))
        settings, more = _within_range(settings)
        if wrong or more:
            return LoadedSettings(settings, message("settings.out_of_range", names=", ".join(sorted(wrong | more))))
        return LoadedSettings(settings, message("settings.beauty_is_new") if version < _FIRST_WITH_BEAUTY else None)

    def save(self, settings: Settings) -> Message | None:
        """Writes `settings` (all of them or nothing); the first failure returns a message for the user, everything else None."""
        data = msgspec.json.format(msgspec.json.encode(settings), indent=2)
        first = not self.unsaved
        try:
            if self._in_the_way is not None:
                with suppress(FileNotFoundError):  # gone meanwhile
                    self._move_aside(self._in_the_way)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, data, mode=0o600)
        except OSError as error:
            self.unsaved = True
            return message("settings.unsaved", path=self.path, reason=_reason(error)) if first else None
        self.unsaved = False
        return None

    def _set_aside(self, stem: str, why: Message) -> Message:
        try:
            aside = self._move_aside(stem)
        except OSError as error:
            self._in_the_way = stem  # nothing is saved over it
            return message("settings.in_the_way", cause=why, path=self.path, reason=_reason(error))
        return message("settings.set_aside", cause=why, name=aside.name)

    def _move_aside(self, stem: str) -> Path:
        aside = self.path.with_name(f"{stem}.json")
        count = 1
        while aside.exists():
            count += 1
            aside = self.path.with_name(f"{stem}-{count}.json")
        self.path.replace(aside)
        self._in_the_way = None
        return aside


def migrate(tree: dict[str, Any]) -> dict[str, Any]:
    """Lifts the tree of an older settings file to today's version, one version at a time.

    Raises:
        msgspec.ValidationError: the tree has no such version, or holds values of the wrong type.
    """
    version = tree.get("version", 1)
    while version < VERSION:
        step = _MIGRATIONS.get(version)
        if step is None:
            raise msgspec.ValidationError(f"no settings version {version}")
        tree = step(tree)
        version = tree["version"]
    return tree


class _Version1(msgspec.Struct):
    """The format of the pre-releases: strength in percent, the camera as an index, the size as text."""

    camera: int | None = None
    size: str = "1280x720"
    fps: float = 30.0
    model: str = "lite-256"
    device: str = "auto"
    full_frame: bool = False
    strength_percent: float = 100.0
    virtual_camera: bool = False
    show_latency: bool = True


def _from_version_1(tree: dict[str, Any]) -> dict[str, Any]:
    old = msgspec.convert(tree, _Version1)
    try:
        width, height = (int(part) for part in old.size.lower().split("x"))
    except ValueError:
        raise msgspec.ValidationError(f"size {old.size!r} is not WxH") from None
    return {
        "version": 2,
        "source": "demo" if old.camera is None else f"camera:{old.camera}",
        "width": width,
        "height": height,
        "fps": old.fps,
        "model": old.model,
        "device": old.device,
        "mode": "full" if old.full_frame else "roi",
        "strength": old.strength_percent / 100,
        "vcam": old.virtual_camera,
        "overlay": old.show_latency,
    }


def _from_version_2(tree: dict[str, Any]) -> dict[str, Any]:
    """Until then mode, strength and enhance were settings of their own."""
    names = ("enhance", "mode", "strength")
    rest = {name: value for name, value in tree.items() if name not in names}
    return {**rest, "version": 3, "look": {name: tree[name] for name in names if name in tree}}


def _from_version_3(tree: dict[str, Any]) -> dict[str, Any]:
    """Until then there was no beauty: whoever comes from there keeps the picture that they know."""
    look = tree.get("look", {})
    if not isinstance(look, dict):
        raise msgspec.ValidationError("look is no object")
    return {**tree, "version": 4, "look": {**look, "beauty": {}}, "preset": "off"}


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _from_version_1,
    2: _from_version_2,
    3: _from_version_3,
}


def _beauty_within_range(tree: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """A tree whose numbers of beauty are within their ranges, without wrong colours, and the names of what was not so.

    `Beauty` itself takes nothing else. Values of a wrong type stay: with them the file is broken.
    """
    look = tree.get("look")
    beauty = look.get("beauty") if isinstance(look, dict) else None
    if not isinstance(look, dict) or not isinstance(beauty, dict):
        return tree, set()
    inside, wrong = dict(beauty), set()
    for control in (_AMOUNT, *CONTROLS):
        value: Any = beauty.get(control.name)
        if control.allows(value):
            continue
        if control.colour and isinstance(value, str):
            del inside[control.name]
        elif control.least is not None and control.most is not None and type(value) in (int, float):
            inside[control.name] = min(max(value, control.least), control.most)
        else:
            continue
        wrong.add(control.name)
    return {**tree, "look": {**look, "beauty": inside}}, wrong


def _within_range(settings: Settings) -> tuple[Settings, set[str]]:
    """Settings whose numbers are within their ranges, and the names of those that were not."""
    limits: dict[str, tuple[float, float]] = {
        "leave_room": (0, 0.9),
        "budget_ms": (0, 5000),
        "width": (0, 7680),
        "height": (0, 4320),
        "fps": (0, 240),
    }
    clamped: dict[str, Any] = {}
    for name, (low, high) in limits.items():
        value = getattr(settings, name)
        inside = min(max(value, low), high)
        if inside != value:
            clamped[name] = type(value)(inside)
    named = set(clamped)
    strength = min(max(settings.look.strength, 0.0), 1.0)
    if strength != settings.look.strength:
        clamped["look"] = dataclasses.replace(settings.look, strength=strength)
        named.add("strength")
    window = settings.window
    if window is not None and not (
        abs(window.x) <= _FARTHEST
        and abs(window.y) <= _FARTHEST
        and 1 <= window.width <= _FARTHEST
        and 1 <= window.height <= _FARTHEST
    ):
        clamped["window"] = None
        named.add("window")
    return msgspec.structs.replace(settings, **clamped), named


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
