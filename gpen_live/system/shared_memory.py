"""Memory that this process shares with one that it starts, and that the system frees when both have ended, however they end."""

from __future__ import annotations

import importlib
import mmap
import os
import secrets
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class SharedMemory:
    """`bytes` of it, zeroed at first. `handle` is what the other process attaches by; on POSIX it must inherit `descriptors`.

    It has no name that could be left behind (Linux, macOS), or one that goes with its last user (Windows). The standard
    library's own keeps a name, and a process to tidy it up.
    """

    bytes: mmap.mmap
    handle: str
    descriptors: tuple[int, ...] = ()

    def release_descriptors(self) -> None:
        """Once the other process has been started; the memory itself stays for as long as something refers to `bytes`."""
        descriptors, self.descriptors = self.descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)


def create(size: int) -> SharedMemory:
    """Memory of so many bytes.

    Raises:
        OSError: there is not so much.
    """
    if sys.platform == "win32":
        name = f"gpen-live-{os.getpid()}-{secrets.token_hex(8)}"
        return SharedMemory(mmap.mmap(-1, size, tagname=name), name)
    descriptor = _nameless()
    try:
        os.ftruncate(descriptor, size)
        return SharedMemory(mmap.mmap(descriptor, size), str(descriptor), (descriptor,))
    except BaseException:
        os.close(descriptor)
        raise


def attach(handle: str, size: int) -> mmap.mmap:
    """The memory of the process that started this one.

    Raises:
        OSError: it is gone.
    """
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=handle)
    descriptor = int(handle)
    try:
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _nameless() -> int:
    """A descriptor of memory without a name."""
    if sys.platform == "linux":
        return os.memfd_create("gpen-live")
    posix: Any = importlib.import_module("_posixshmem")  # what multiprocessing.shared_memory is made of
    name = f"/gpen-live-{secrets.token_hex(8)}"
    descriptor: int = posix.shm_open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with suppress(OSError):
        posix.shm_unlink(name)
    return descriptor
