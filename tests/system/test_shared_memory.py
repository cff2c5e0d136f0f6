"""Memory that two processes share, on each system."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpen_live.system import shared_memory

CHILD = """
import sys
from gpen_live.system import shared_memory
memory = shared_memory.attach(sys.argv[1], 5000)
memory[4999] = memory[0] + 1
"""

posix = pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX")


@posix
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_what_one_writes_the_other_reads_and_no_name_is_left(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if platform == "linux" and sys.platform != "linux":
        pytest.skip("memfd_create is Linux's")
    monkeypatch.setattr(sys, "platform", platform)
    descriptors = set(os.listdir("/dev/fd"))  # noqa: PTH208
    memory = shared_memory.create(5000)
    assert not [name for name in Path("/dev/shm").glob("*gpen*") if Path("/dev/shm").exists()]
    memory.bytes[0] = 41
    subprocess.run([sys.executable, "-c", CHILD, memory.handle], pass_fds=memory.descriptors, check=True)
    assert memory.bytes[4999] == 42
    memory.release_descriptors()
    memory.release_descriptors()
    memory.bytes.close()
    assert set(os.listdir("/dev/fd")) == descriptors  # noqa: PTH208


def test_windows_names_it_and_forgets_it_with_its_last_user(monkeypatch: pytest.MonkeyPatch) -> None:
    named: dict[str, bytearray] = {}

    def mapped(descriptor: int, size: int, tagname: str) -> bytearray:
        assert descriptor == -1
        return named.setdefault(tagname, bytearray(size))

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(mmap, "mmap", mapped)
    memory = shared_memory.create(10)
    assert memory.descriptors == ()
    assert shared_memory.attach(memory.handle, 10) is memory.bytes
    assert shared_memory.create(10).handle != memory.handle
