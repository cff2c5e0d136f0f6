from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from gpen_live.system.heap import give_back, share_one

ROOT = Path(__file__).resolve().parents[2]


on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed, and has such heaps")


@on_glibc
def test_what_was_freed_goes_back() -> None:
    code = """
import psutil
from gpen_live.system.heap import give_back
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


@on_glibc
@pytest.mark.parametrize(("first", "heaps"), [("share_one()", "1"), ("", "5")])
def test_threads_share_one_heap_once_told_to(first: str, heaps: str) -> None:
    code = f"""
import ctypes, sys, tempfile, threading
from gpen_live.system.heap import share_one
{first}
everyone = threading.Barrier(4)
def work():
    mine = [bytes(600 + i) for i in range(1000)]
    everyone.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as found:
    file = ctypes.c_void_p(libc.fopen(found.name.encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    print(found.read().count(b"<heap nr"))
"""
    untold = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=untold, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == heaps, done.stdout + done.stderr


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_elsewhere_no_library_is_asked(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("ctypes.CDLL", None)
    give_back()
    share_one()
