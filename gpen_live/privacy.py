"""Takes out of a text what names its user: people post logs and the doctor's report in public.

A file of the user's becomes FILE with its ending, the home folder ~, and the names of the user and the computer and serial
numbers words that say so. Paths of the program, its libraries and the system stay, as they say where something failed; so do
names of cameras.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import platform
import re
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path, PurePath
from types import TracebackType
from urllib.parse import quote

import gpen_live
from gpen_live.system.folders import HOME_VARIABLE, cache_dir, config_dir, data_dir, log_file

_log = logging.getLogger(__name__)

_SYSTEM = re.compile(
    r"(?:/(?:bin|boot|dev|etc|lib(?:32|64|x32)?|opt|proc|run|sbin|sys|usr|Applications|Library|System)(?![\w-])"
    r"|[A-Z]:[\\/]+(?:Windows|Program Files|ProgramData)(?![\w-]))(?!/media)",
    re.IGNORECASE,
)
_ENDINGS = "mp4|mkv|mov|webm|avi|flv|wmv|mpe?g|m4v|ts|gif|png|jpe?g|webp|bmp|tiff?|pth|pt|ckpt|onnx|safetensors"
_START = r"(?<![\w.~/\\-])(?:file:/+|[A-Z]:[\\/]|\\{2,4}\w|/(?![/\s])|~[\\/])"
_PATH = re.compile(
    rf"""(?P<quote>["'`])(?P<inside>{_START}(?:(?!(?P=quote)).)*)"""
    rf"""|{_SYSTEM.pattern}[^\s"'<>|]*"""
    rf"""|{_START}[^<>|\n]*?\.(?:{_ENDINGS})\b"""
    rf"""|{_START}(?:(?:[^\s"'<>|]|'(?=\w))*[^\s"'<>|,;:.()\[\]])?""",
    re.IGNORECASE,
)
_SERIALS = (
    (re.compile(r"(?<=/by-id/)[^\s\"']+"), "SERIAL"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "SERIAL"),
    (re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", re.IGNORECASE), "SERIAL"),
)
_HOMES = re.compile(r"(?<=[/\\])(?P<folder>home|Users|media)(?P<slash>[/\\]+)[^/\\\s\"'<>|]+", re.IGNORECASE)
_NOBODY = ("root", "user", "home", "localhost", "computer", "debian", "ubuntu", "fedora", "nvidia")
"""Names that say nothing about who it is; the systems' are what a computer is called unless someone names it."""

_LARGEST_LOG = 500_000  # bytes, of two files

_hidden: set[str] = set()


def hide(name: str | Path) -> None:
    """The user chose this file: neither its path nor its name is in any text from now on."""
    _hidden.update((str(name), PurePath(name).name))


def scrub(
    text: str, *, home: Path | None = None, user: str | None = None, host: str | None = None, files: Iterable[str] = ()
) -> str:
    """The text without anything that names the user; by default the one who runs this.

    Args:
        files: paths that are known to be in it, beside those given to `hide`. In others a blank may be taken for the end, unless
            they are quoted or have the ending of a film, a picture or weights.
    """
    home = home or _home()
    own = sorted(_own_folders(home), key=lambda each: len(str(each[0])), reverse=True)
    for name in sorted({*_hidden, *files}, key=len, reverse=True):
        if _is_private(name, own):
            for form in _forms(name):
                text = _replace(text, form, _shown(name), rf"(?<![\w-]){re.escape(form)}(?![\w-])")
    for folder, label in own:
        text = _replace_folder(text, folder, label)
    text = _replace_folder(text, home, "~")
    kept = tuple(label for _, label in own if label.startswith("~"))
    text = _PATH.sub(lambda found: _without_names(found, kept), text)
    text = _HOMES.sub(r"\g<folder>\g<slash>user", text)
    for pattern, word in _SERIALS:
        text = pattern.sub(word, text)
    for word, names in (("user", (user or _user(), home.name)), ("computer", _host_names(host))):
        for name in names:
            if len(name) > 2 and name.lower() not in _NOBODY:
                text = re.sub(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", word, text, flags=re.IGNORECASE)
    return text


def _without_names(found: re.Match[str], kept: tuple[str, ...]) -> str:
    path = found["inside"] or found[0]
    if _SYSTEM.match(path) or path.startswith(kept):
        return found[0]
    quote_mark = found["quote"] or ""
    return f"{quote_mark}{_shown(path)}"


def _is_private(name: str, own: list[tuple[Path, str]]) -> bool:
    """Whether it looks like a file, and is none of the system's or the program's: `a`, `demo` and /dev/video0 stay."""
    path = PurePath(name)
    if len(path.name) < 3 or (not path.suffix and "/" not in name and "\\" not in name):
        return False
    return not _SYSTEM.match(name) and not any(name.startswith(f"{folder}{os.sep}") for folder, _ in own)


def _shown(path: str) -> str:
    """What stands for a file of the user's."""
    ending = re.search(r"\.\w{1,11}$", path)
    return f"{'~/' if path.startswith('~') else ''}FILE{ending[0] if ending else ''}"


def _own_folders(home: Path) -> Iterator[tuple[Path, str]]:
    """Folders of the program and what they are called in a text; commands that name the last ones still work."""
    if own := os.environ.get(HOME_VARIABLE):
        yield Path(own).expanduser().absolute(), HOME_VARIABLE
    package = Path(gpen_live.__file__).resolve().parent
    yield package.parent, "gpen-live" if (package.parent / "pyproject.toml").is_file() else "site-packages"
    for name in ("purelib", "platlib"):
        yield Path(sysconfig.get_path(name)), "site-packages"
    yield Path(sysconfig.get_path("stdlib")), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for folder in (Path(sys.prefix), config_dir(), data_dir(), cache_dir(), log_file().parent):
        if home in folder.parents and home != Path(home.anchor):
            yield folder, f"~/{folder.relative_to(home).as_posix()}"


def _replace_folder(text: str, folder: Path, label: str) -> str:
    """Puts the label in the place of a folder's path, written in any way; not where the path of another one begins like it."""
    flags = re.IGNORECASE if os.name == "nt" or "\\" in str(folder) else 0
    if folder == Path(folder.anchor):
        return text
    for form in sorted({*_forms(str(folder)), *_forms(str(folder.resolve()))}, key=len, reverse=True):
        text = _replace(text, form, label, rf"{re.escape(form)}(?![\w-])", flags)
    return text


def _replace(text: str, form: str, word: str, pattern: str, flags: int = 0) -> str:
    """`re.sub` with a word that is taken as it is, where there is anything to do."""
    return re.sub(pattern, lambda _: word, text, flags=flags) if flags or form in text else text


def _forms(path: str) -> list[str]:
    """A path as it may stand in a text: as it is, with slashes, in Python's and JSON's escapes, in an address; longest first."""
    slashes = path.replace("\\", "/")
    forms = {path, slashes, repr(path)[1:-1], ascii(path)[1:-1], json.dumps(path)[1:-1], quote(slashes, errors="replace")}
    return sorted(forms, key=len, reverse=True)


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user whom the system does not know
        return Path("/")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such entry; no pwd module on Windows
        return ""


def _host_names(host: str | None) -> tuple[str, ...]:
    name = platform.node() if host is None else host
    return name, name.partition(".")[0]


class PrivateFormatter(logging.Formatter):
    """Log lines and their tracebacks, scrubbed."""

    def format(self, record: logging.LogRecord) -> str:
        arguments = record.args if isinstance(record.args, tuple) else ()
        files = [str(each) for each in arguments if isinstance(each, PurePath)]
        return scrub(super().format(record), files=[*files, *_files_in(record.exc_info[1] if record.exc_info else None)])


def _files_in(error: BaseException | None) -> Iterator[str]:
    """The files that an error and those behind it are about."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, OSError):
            names = (each.filename, each.filename2)
            yield from (os.fsdecode(name) for name in names if isinstance(name, (str, bytes, PurePath)))


class _LogFile(RotatingFileHandler):
    """A log that is not worth a failure: a full disk, or another program that holds the file."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nobody is told."""


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]  # no class to index before Python 3.11
    """The standard error output."""


def log_to_terminal(level: int) -> None:
    """Sets up logging, for the whole program: to the standard error output, scrubbed; another time, another level."""
    handlers = logging.getLogger().handlers
    ours = next((handler for handler in handlers if isinstance(handler, _Terminal)), None)
    if ours is not None or all(isinstance(handler, _LogFile) for handler in handlers):  # else somebody else has set it up
        _log_to(ours or _Terminal(), level, "%(asctime)s %(name)s: %(message)s")


def log_to_file(path: Path) -> None:
    """Also keeps warnings and worse in a file, scrubbed; it is made with the first of them, and never grows beyond a megabyte."""
    handler = _LogFile(path, maxBytes=_LARGEST_LOG, backupCount=1, encoding="utf-8", delay=True)
    _log_to(handler, logging.WARNING, "%(asctime)s %(levelname)s %(name)s: %(message)s")


def _log_to(handler: logging.Handler, level: int, line: str) -> None:
    handler.setLevel(level)
    handler.setFormatter(PrivateFormatter(line))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(min(each.level for each in root.handlers))  # what nobody takes costs nothing


def guard_tracebacks() -> None:
    """Logs what nobody has caught, so that its traceback is scrubbed, and Python's warnings. For the program's start."""

    def tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and not issubclass(kind, (KeyboardInterrupt, SystemExit)):
            _log.critical("unforeseen", exc_info=(kind, error, trace))

    sys.excepthook = tell
    threading.excepthook = lambda failed: tell(failed.exc_type, failed.exc_value, failed.exc_traceback)
    logging.captureWarnings(capture=True)
