"""The end of the process, while a driver or a library still holds one of its threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import importlib, sys, threading
import cv2, numpy
room = importlib.import_module("gpen_live.cli.main")
picture = numpy.zeros((600, 800, 3), numpy.uint8)

def native():
    while True:
        cv2.GaussianBlur(picture, (31, 31), 0)

def failing():
    raise OSError("No space left on device")

for _ in range(4):
    threading.Thread(target=native, daemon=True).start()
room.main = failing if sys.argv[1] == "fails" else lambda: 3
room.entry()
"""


@pytest.mark.parametrize(("how", "code"), [("fails", 1), ("returns", 3)])
def test_the_exit_code_is_right_while_a_thread_is_inside_opencv(how: str, code: int) -> None:
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert ("No space left on device" in done.stderr) is (how == "fails")
