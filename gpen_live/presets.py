"""Named looks: those that come with the app, and the user's own as small files.

A file is JSON with the preset's name, the version of the format, and what differs from no beauty at all (docs/beauty.md). In the
user's folder a file's name is the preset's; the name inside is for those who are given the file. A file that can't be used is
left as it is, and its message says what is wrong with it. `amount` is in no preset: it is one slider over all of them.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.look import CONTROLS, Beauty, Control
from gpen_live.messages import Message, message
from gpen_live.system.atomic import replace_file
from gpen_live.system.folders import config_dir

VERSION: Final = 1
ENDING: Final = ".json"

BUILT_IN: Final[Mapping[str, Beauty]] = MappingProxyType(
    {
        "off": Beauty(),
        "natural": Beauty(smooth=0.5, even=0.5, blemish=0.75, under_eye=0.65, shine=0.4, eyes=0.45, teeth=0.5, brighten=0.45),
        "studio": Beauty(
            smooth=0.62,
            even=0.65,
            blemish=0.9,
            under_eye=0.85,
            shine=0.5,
            eyes=0.6,
            teeth=0.65,
            brighten=0.7,
            warmth=0.05,
            slim=0.25,
            eye_size=0.12,
            lips=0.12,
        ),
        "glam": Beauty(
            smooth=0.7,
            even=0.7,
            blemish=1.0,
            under_eye=0.9,
            shine=0.45,
            eyes=0.65,
            teeth=0.7,
            brighten=0.7,
            warmth=0.08,
            slim=0.6,
            jaw=0.25,
            eye_size=0.25,
            nose=0.3,
            lips=0.75,
            lips_gloss=0.4,
            blush=0.45,
            brows=0.4,
            liner=0.55,
        ),
    }
)
"""The presets that come with the app, from none to most."""

DEFAULT: Final = "natural"
"""A new user's."""

_LARGEST_FILE = 64 * 1024  # bytes; one of ours has less than a thousand
_LONGEST_NAME = 40
_LONGEST_QUOTE = 40  # characters of a file's content in a message
_UNSAFE = '<>:"/\\|?*'
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no file of Windows's can be called so
_CONTROLS: Final = {control.name: control for control in CONTROLS}


class Preset(NamedTuple):
    """A look and its name; its `amount` is 1."""

    name: str
    beauty: Beauty


class Found(NamedTuple):
    """The user's presets, by name, and what is wrong with files that can't be used."""

    presets: list[Preset]
    problems: list[Message]


class PresetStore:
    """The user's own presets: a folder with one file each. Names differ in more than case, and from those of the built-in ones.

    Args:
        folder: `presets` in the folder of the settings by default; made when the first preset is saved.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or config_dir() / "presets"

    def found(self) -> Found:
        """What is there. Never raises for what the disk holds or refuses."""
        presets, problems = [], []
        try:
            for path in self._files():
                try:
                    presets.append(self._read(path))
                except GpenLiveError as error:
                    problems.append(error.message)
        except OSError as error:
            problems.append(message("preset.unreadable", path=self.folder, reason=_reason(error)))
        return Found(sorted(presets, key=lambda one: one.name.casefold()), problems)

    def get(self, name: str) -> Preset:
        """The user's preset `name`, in whatever case.

        Raises:
            UsageError: there is none.
            GpenLiveError: its file can't be used.
        """
        return self._read(self._existing(name))

    def has(self, name: str) -> bool:
        """Whether there is a file for the user's preset `name`, sound or not."""
        return self._file_of(name) is not None

    def save(self, name: str, beauty: Beauty) -> Preset:
        """Keeps the values of `beauty`, but for its amount, as `name`; a preset of the user's with that name is replaced.

        Raises:
            UsageError: it can't be a name, or it is a built-in preset's.
            GpenLiveError: the disk refuses, or a file of that name is there that can't be used, which would be lost.
        """
        preset = Preset(own_name(name), dataclasses.replace(beauty, amount=1.0))
        there = self._file_of(preset.name)
        if there is not None:
            try:
                self._read(there)
            except GpenLiveError as error:
                raise GpenLiveError("preset.in_the_way", cause=error.message) from error
        self._write(preset, there)
        return preset

    def rename(self, old: str, new: str) -> Preset:
        """The user's preset `old` under the name `new`.

        Raises:
            UsageError: there is no `old`, or `new` can't be a name or is taken.
            GpenLiveError: its file can't be used, or the disk refuses.
        """
        source = self._existing(old)
        preset = Preset(own_name(new), self._read(source).beauty)
        if self._file_of(preset.name) not in (None, source):
            raise UsageError("preset.name_taken", name=preset.name)
        self._write(preset, source)
        return preset

    def delete(self, name: str) -> None:
        """Removes the user's preset `name` from the disk.

        Raises:
            UsageError: there is none.
            GpenLiveError: its file can't be used (it is left for the user to look at), or the disk refuses.
        """
        path = self._existing(name)
        self._read(path)
        try:
            path.unlink()
        except OSError as error:
            raise GpenLiveError("preset.not_deleted", path=path, reason=_reason(error)) from error

    def bring(self, path: Path) -> Preset:
        """Takes in a preset that the user was given as a file. It gets another name where its own belongs to another look.

        Raises:
            GpenLiveError: the file can't be used, or the disk refuses.
        """
        given = read_preset(path)
        mine = {_alike(each.name): each for each in [*built_in(), *self.found().presets]}
        for name in _names_like(given.name):
            same = mine.get(_alike(name))
            if same is not None and same.beauty == given.beauty:
                return same
            if same is None and not self.has(name):
                return self.save(name, given.beauty)
        raise AssertionError("there is always another name")

    def _files(self) -> list[Path]:
        try:
            inside = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        return [path for path in inside if path.suffix.lower() == ENDING and not path.name.startswith(".")]

    def _file_of(self, name: str) -> Path | None:
        """Asked of the folder's list, as disks differ in whether case counts; where it does, the very name comes first."""
        try:
            alike = [path for path in self._files() if _alike(path.stem) == _alike(name)]
        except OSError as error:
            raise GpenLiveError("preset.unreadable", path=self.folder, reason=_reason(error)) from error
        return min(alike, key=lambda path: (path.stem != name, path.stem), default=None)

    def _existing(self, name: str) -> Path:
        path = self._file_of(name)
        if path is None:
            raise UsageError("preset.missing", name=name)
        return path

    def _write(self, preset: Preset, there: Path | None) -> None:
        """Writes its file, in place of the one that is `there` under this name or another."""
        path = self.folder / f"{preset.name}{ENDING}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if there is not None:
                there.replace(path)
            replace_file(path, encoded(preset))
        except OSError as error:
            raise GpenLiveError("preset.unsaved", path=path, reason=_reason(error)) from error

    @staticmethod
    def _read(path: Path) -> Preset:
        """The file's own name counts, whatever it says inside: so no two presets have one name."""
        try:
            name = own_name(path.stem)
        except UsageError as error:
            raise GpenLiveError("preset.misnamed", path=path, cause=error.message) from error
        return Preset(name, read_preset(path).beauty)


def built_in() -> list[Preset]:
    """The presets that come with the app, from none to most."""
    return [Preset(name, beauty) for name, beauty in BUILT_IN.items()]


def find(word: str, store: PresetStore | None = None) -> Preset:
    """The preset that a user means by `word`: a built-in one, one of their own, or a file.

    Raises:
        UsageError: it is none of these; the message names what is allowed.
        GpenLiveError: the file can't be used.
    """
    store = store or PresetStore()
    for preset in built_in():
        if _alike(preset.name) == _alike(word):
            return preset
    if store.has(word):
        return store.get(word)
    path = Path(word)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # such as a name that is too long
        is_file = False
    if is_file:
        return read_preset(path)
    names = [preset.name for preset in [*built_in(), *store.found().presets]]
    raise UsageError("preset.unknown", name=word, names=", ".join(names))


def name_of(beauty: Beauty) -> str:
    """What to call these values in a table: the built-in preset that has them, or "custom"."""
    return next((name for name, values in BUILT_IN.items() if values == beauty), "custom")


def own_name(name: str) -> str:
    """`name` without blanks around it, as the name of a preset of the user's.

    Raises:
        UsageError: it can't be the name of a file on every system, or it is a built-in preset's.
    """
    sound = _sound_name(name)
    if _alike(sound) in BUILT_IN:
        raise UsageError("preset.name_built_in", name=sound, names=", ".join(BUILT_IN))
    return sound


def encoded(preset: Preset) -> bytes:
    """A preset as the content of a file."""
    tree = {"name": preset.name, "version": VERSION, "beauty": differences(preset.beauty)}
    return msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"


def write_preset(preset: Preset, path: Path) -> None:
    """Writes any preset to a file that can be passed on.

    Raises:
        GpenLiveError: it can't be written.
    """
    try:
        replace_file(path, encoded(preset))
    except OSError as error:
        raise GpenLiveError("file.unwritable", path=path, reason=_reason(error)) from error


def differences(beauty: Beauty) -> dict[str, float | bool | str]:
    """The values, but for `amount`, that differ from no beauty at all, and the colours of what is on."""
    nothing = Beauty()
    return {
        name: getattr(beauty, name)
        for name, control in _CONTROLS.items()
        if getattr(beauty, name) != getattr(nothing, name) or (control.colour and getattr(beauty, name.removesuffix("_color")))
    }


def read_preset(path: Path) -> Preset:
    """A preset's file.

    Raises:
        GpenLiveError: it can't be read, or not used; the message says what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise GpenLiveError("preset.unreadable", path=path, reason=_reason(error)) from error
    if len(content) > _LARGEST_FILE:
        raise GpenLiveError("preset.too_large", path=path, most=_LARGEST_FILE // 1024)
    try:
        tree = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))  # some editors put that mark at the start
    except msgspec.DecodeError as error:
        raise GpenLiveError("preset.not_json", path=path, reason=error) from error
    except (RecursionError, UnicodeError) as error:
        raise GpenLiveError("preset.not_one", path=path) from error
    return _preset(tree, path)


def _preset(tree: object, path: Path) -> Preset:
    version = tree.get("version") if isinstance(tree, dict) else None
    if not isinstance(tree, dict) or type(version) is not int or version < 1:
        raise GpenLiveError("preset.not_one", path=path)
    if version > VERSION:
        raise GpenLiveError("preset.newer", path=path)
    name, values = tree.get("name"), tree.get("beauty")
    if not isinstance(name, str) or not isinstance(values, dict):
        raise GpenLiveError("preset.not_one", path=path)
    for key in tree.keys() - {"name", "version", "beauty"}:
        raise GpenLiveError("preset.no_part", path=path, name=_quoted(key))
    for key, value in values.items():
        control = _CONTROLS.get(key)
        if control is None:
            raise GpenLiveError("preset.no_control", path=path, name=_quoted(key), names=", ".join(_CONTROLS))
        if not control.allows(value):
            raise GpenLiveError("preset.wrong_value", path=path, name=key, value=_quoted(value), allowed=_allowed(control))
    try:
        sound = _sound_name(name)
    except UsageError as error:
        raise GpenLiveError("preset.misnamed", path=path, cause=error.message) from error
    chosen: dict[str, Any] = {key: float(value) if _CONTROLS[key].number else value for key, value in values.items()}
    return Preset(sound, Beauty(**chosen))


def _allowed(control: Control) -> Message:
    if control.colour:
        return message("preset.a_colour")
    return message("preset.a_number", least=control.least, most=control.most) if control.number else message("preset.a_switch")


def _quoted(value: object) -> str:
    """A file's content in a message: in JSON, and not too much of it."""
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def _sound_name(name: str) -> str:
    """What can be a file's name on every system, so that presets can be passed on."""
    sound = unicodedata.normalize("NFC", name).strip()
    if _RESERVED.fullmatch(sound):
        raise UsageError("preset.reserved_name", name=_quoted(name))
    fits = 0 < len(sound) <= _LONGEST_NAME and sound.isprintable() and not set(sound) & set(_UNSAFE)
    if not fits or sound[0] in ".-" or sound[-1] == ".":
        raise UsageError("preset.bad_name", name=_quoted(name), most=_LONGEST_NAME, without=" ".join(_UNSAFE))
    return sound


def _alike(name: str) -> str:
    """The same for names that some disks take for one."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _names_like(name: str) -> Iterator[str]:
    """NAME, NAME 2, NAME 3 ..."""
    yield name
    for number in itertools.count(2):
        suffix = f" {number}"
        yield f"{name[: _LONGEST_NAME - len(suffix)].rstrip()}{suffix}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
