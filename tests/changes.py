"""Whether some of the repository's files have changed: what decides about tests that are slow and hang on few files."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_MAIN = ("origin/HEAD", "origin/main", "main")


def changed(root: Path, paths: Sequence[str]) -> bool | None:
    """Whether files or folders differ from where this branch left main, on main itself from the commit before.

    What is not committed counts. None where git can't tell.
    """
    base = _base(root)
    if base is None:
        return None
    differs = _git(root, "diff", "--quiet", base, "--", *paths)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "--", *paths)
    if differs.returncode not in (0, 1) or untracked.returncode:
        return None
    return bool(differs.returncode or untracked.stdout)


def _base(root: Path) -> str | None:
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD").stdout
    for name in _MAIN:
        base = _git(root, "merge-base", "HEAD", name).stdout
        if base and base != head:
            return base.strip()
    return _git(root, "rev-parse", "--verify", "--quiet", "HEAD~1").stdout.strip() or None


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return subprocess.CompletedProcess(words, 128, "", "")


def digest(root: Path, paths: Iterable[str]) -> str:
    """Of the names and contents of files and folders."""
    found = hashlib.sha256()
    for path in paths:
        for file in _files(root / path):
            found.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
