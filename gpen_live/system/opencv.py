"""How OpenCV is to treat cameras: it is told by the environment, some of which it reads while it is loaded."""

from __future__ import annotations

import os
from typing import Final

_SETTINGS: Final = {
    "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS": "0",  # else opening takes up to a minute
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "1",  # seconds; else a silent camera can't be released for 10 s
    "OPENCV_AVFOUNDATION_SKIP_AUTH": "1",  # OpenCV asks on the main thread only; macOS itself asks on any
}


def prepare() -> None:
    """Sets what the user has not set. To be called before anything imports OpenCV."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
