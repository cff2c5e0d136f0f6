"""Whether a window can be shown at all; free of Qt, so that the command line may ask before it loads Qt."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def display_available(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> bool:
    """False on Linux and other Unix without an X11 or Wayland display (unless Qt was told which platform to use)."""
    if platform in ("win32", "darwin"):
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
