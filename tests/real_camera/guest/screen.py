"""A screen for the app's window, and what is to be seen on it."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from gpen_live.frame import Image

_STAGE_NAMES = (slice(127, 260), slice(14, 76))
"""Rows and columns of the overlay's panel where the stages are named; the numbers beside them change."""


PREVIEW = (slice(430, 610), slice(320, 830))
"""Rows and columns of the screen where the window shows the picture, beside and below the overlay."""


@contextmanager
def display(folder: Path) -> Iterator[str]:
    """A screen without a screen; its picture is a file in `folder`."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "-fbdir", str(folder), "-nolisten", "tcp"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        yield f":{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def screenshot(folder: Path) -> Image:
    """What is on the screen: Xvfb keeps it as an XWD file (big-endian header, then 32 bits a pixel)."""
    data = (folder / "Xvfb_screen0").read_bytes()
    header = struct.unpack_from(">25I", data)
    head, width, height, row, colours = header[0], header[4], header[5], header[12], header[19]
    pixels = np.frombuffer(data, np.uint8, row * height, head + 12 * colours).reshape(height, row // 4, 4)
    return np.ascontiguousarray(pixels[:, :width, :3])


def overlay_likeness(screen: Image) -> float:
    """How much some place of the screen looks like the latency overlay's list of stages: 1 the same, below 0.3 there is none."""
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):  # cv2's, of which Qt wants nothing
        os.environ.pop(name, None)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QApplication

    from gpen_live.live.status.snapshot import Snapshot
    from gpen_live.ui import overlay

    application = QApplication.instance() or QApplication([])
    panel = overlay.render(Snapshot(), 1.0).toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(panel.constBits(), np.uint8).reshape(panel.height(), -1, 4)[:, : panel.width(), :3]
    likeness = float(cv2.matchTemplate(screen, np.ascontiguousarray(pixels[_STAGE_NAMES]), cv2.TM_CCOEFF_NORMED).max())
    del application
    return likeness
