"""What was measured on this machine and need not be measured again: a JSON file in the cache folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from gpen_live.system.atomic import replace_file
from gpen_live.system.folders import cache_dir

_log = logging.getLogger(__name__)
_MOST = 200  # entries; the oldest go
_LARGEST = 4_000_000  # bytes of a file of ours


def recall(key: str) -> object:
    """What was remembered under `key`; None if nothing was, or the file can't be read."""
    return _read().get(key)


def remember(key: str, value: object) -> None:
    """Keeps a value that JSON can hold. A cache folder that can't be written to only costs the next start some time."""
    entries = _read()
    entries.pop(key, None)
    entries[key] = value
    kept = dict(list(entries.items())[-_MOST:])
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(kept).encode())
    except OSError as error:
        _log.warning("measurements are not kept: %s", error.strerror)


def _path() -> Path:
    return cache_dir() / "measured.json"


def _read() -> dict[str, object]:
    try:
        path = _path()
        entries = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= _LARGEST else {}
    except (OSError, ValueError, RecursionError):  # nested without end, if it is not ours
        return {}
    return entries if isinstance(entries, dict) else {}
