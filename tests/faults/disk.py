"""Disks that take no more: a small one where this process may mount one, and on all of POSIX a limit for the files it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = 8 * 2**20
KINDS = ["a small disk", "a limit"]


class Disk(ABC):
    """A folder on a disk that can be made full, and free again."""

    folder: Path
    reason: str
    """What the system says when it is full."""

    @abstractmethod
    def leave(self, room: int) -> None:
        """Leaves only so many bytes to write: on all of the disk, or in any one file."""

    @abstractmethod
    def free(self) -> None:
        """Makes room."""


class SmallDisk(Disk):
    reason = "No space left on device"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def leave(self, room: int) -> None:
        self.free()
        there = os.statvfs(self.folder)
        with self._ballast.open("wb") as file:
            file.write(bytes(there.f_bavail * there.f_frsize - room))

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


class Limit(Disk):
    """Python ignores the signal that goes with it, so that a write beyond the limit fails as on a full disk."""

    reason = "File too large"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave(self, room: int) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    def free(self) -> None:
        lift_limit()


def lift_limit() -> None:
    """Lets this process write files of any size again."""
    if sys.platform != "win32":
        import resource

        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Disk]:
    """A disk of that kind at `folder`; skips the test where there is none."""
    folder.mkdir()
    if kind == "a limit":
        if sys.platform == "win32":
            pytest.skip("Windows has no limit for a process's files")
        disk: Disk = Limit(folder)
        try:
            yield disk
        finally:
            disk.free()
        return
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "gpen-live-test", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a disk is not allowed here; the limit stands in for it")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
