"""Files written whole or not at all: after a crash, a kill or a full disk there is the old content or the new one."""

from __future__ import annotations

import itertools
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

_DRAFT = re.compile(r"\.gpen-live-(\d+)-([0-9a-f]+)-\d+\.draft")
_THIS = secrets.token_hex(4)  # tells this process from an earlier one of the same number, as in containers
_numbers = itertools.count()


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Writes a draft beside `path`, down to the disk, and then gives it the name.

    Args:
        mode: permissions of a new file on POSIX, less the process's umask.

    Raises:
        OSError: it can't be written; what was there is as it was, and nothing is left beside it.
    """
    sweep(path.parent)
    draft = path.with_name(f".gpen-live-{os.getpid()}-{_THIS}-{next(_numbers)}.draft")
    try:
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def free_name(path: Path, *, first: int = 1) -> Path:
    """The first of NAME, NAME-2, NAME-3 ... where nothing is yet; `first`: the number to begin with."""
    names = (path if number == 1 else path.with_stem(f"{path.stem}-{number}") for number in itertools.count(first))
    return next(name for name in names if not name.exists())


def sweep(folder: Path) -> None:
    """Removes drafts of processes that were killed while they wrote into this folder."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            draft = _DRAFT.fullmatch(entry.name)
            if draft and draft[2] != _THIS and not _runs(int(draft[1])):
                with suppress(OSError):
                    os.unlink(entry.path)


def _runs(process: int) -> bool:
    import psutil

    return process != os.getpid() and psutil.pid_exists(process)
