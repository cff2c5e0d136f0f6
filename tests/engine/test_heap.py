from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from gpen_live.engine.heap import give_back

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed")
def test_what_was_freed_goes_back() -> None:
    code = """
import psutil
from gpen_live.engine.heap import give_back
rss = lambda: psutil.Process().memory_info().rss / 1e6
blocks = [bytearray(4000) for _ in range(50_000)]
last = bytearray(4000)  # above them: the heap can't simply end earlier
del blocks
before = rss()
give_back()
print(before - rss() > 100)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stdout + done.stderr


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_elsewhere_no_library_is_asked(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("ctypes.CDLL", None)
    give_back()
