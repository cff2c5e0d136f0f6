"""Processes that are killed while they write: by us at any moment, or by themselves at a chosen one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SUICIDE = """
import builtins, os, signal, sys

def die(*_):
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    raise SystemExit("not reached")

def die_instead(owner, name, nth=1):
    # The nth call of owner.name does not happen: the process is killed.
    real, calls = getattr(owner, name), [0]
    def called(*arguments, **options):
        calls[0] += 1
        return die() if calls[0] == nth else real(*arguments, **options)
    setattr(owner, name, called)

def die_after(owner, name, nth=1):
    real, calls = getattr(owner, name), [0]
    def called(*arguments, **options):
        result = real(*arguments, **options)
        calls[0] += 1
        return die() if calls[0] == nth else result
    setattr(owner, name, called)

def die_in_the_middle_of_writing(nth=1):
    # Of the nth file that is opened for writing, half of what is written first reaches the disk.
    real, opened = builtins.open, [0]
    def opening(file, mode="r", *arguments, **options):
        stream = real(file, mode, *arguments, **options)
        if "w" not in mode and "a" not in mode:
            return stream
        opened[0] += 1
        if opened[0] != nth:
            return stream
        class Half:
            def __enter__(self): return self
            def __exit__(self, *_): stream.close()
            def __getattr__(self, name): return getattr(stream, name)
            def write(self, data):
                stream.write(data[: len(data) // 2])
                stream.flush()
                die()
        return Half()
    builtins.open = opening
"""


def start(code: str, *words: str | Path, home: Path) -> subprocess.Popen[str]:
    """Runs the code with SUICIDE's functions at hand, and waits for it to print "ready" on a line of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUICIDE + code, *map(str, words)],
        env={**os.environ, "GPEN_LIVE_HOME": str(home), "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed_after(process: subprocess.Popen[str], seconds: float) -> str:
    """Kills the process after a while, unless it has done so itself; returns what it printed."""
    time.sleep(seconds)
    process.kill()
    return _gone(process)


def killed_itself(process: subprocess.Popen[str]) -> str:
    """Waits for the process's end by its own hand; returns what it printed."""
    return _gone(process)


def _gone(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=60)
    if os.name == "posix":
        assert process.returncode == -signal.SIGKILL, "it ended in another way"
    return printed
