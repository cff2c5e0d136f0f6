"""The virtual camera: OBS or Unity Capture on Windows, OBS on macOS, v4l2loopback on Linux.

A driver may hold a frame for as long as it likes, and the library that talks to those of Windows and macOS holds Python's
interpreter meanwhile. So a process of its own (`process`) talks to the driver (`devices`); the app's side (`sink`) hands it
frames in shared memory (`ring`), and ends it when it does not answer.
"""

from __future__ import annotations

import re

OBS_DEVICE = "OBS Virtual Camera"


def device_in(label: str) -> str | None:
    """The device that a virtual camera's label names; None for one without a path, as on Windows and macOS."""
    found = re.search(r"/dev/video\d+(?=\)?$)", label)
    return found[0] if found else None
