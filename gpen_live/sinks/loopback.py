"""Linux: the v4l2loopback devices that serve as virtual cameras."""

from __future__ import annotations

import re
from pathlib import Path

LABEL = "GPEN Live"
"""The card label that SETUP_COMMAND gives to our device: what other programs show in their lists of cameras."""

INSTALL_COMMAND = "sudo apt install v4l2loopback-dkms"
SETUP_COMMAND = f'sudo modprobe v4l2loopback devices=1 video_nr=10 card_label="{LABEL}" exclusive_caps=1'
UNLOAD_COMMAND = "sudo modprobe -r v4l2loopback"

_DEVICES = Path("/sys/devices/virtual/video4linux")
_MODULE = Path("/sys/module/v4l2loopback")


def module_loaded() -> bool:
    """Whether the kernel module is loaded."""
    return _MODULE.is_dir()


def virtual_devices() -> dict[str, str]:
    """The card labels of virtual video devices by path ("/dev/video10"), by number."""
    found = []
    for entry in _DEVICES.glob("video*") if _DEVICES.is_dir() else ():
        match = re.fullmatch(r"video(\d+)", entry.name)
        if match is None:
            continue
        try:
            found.append((int(match[1]), (entry / "name").read_text(encoding="utf-8", errors="replace").strip()))
        except OSError:
            continue  # removed meanwhile
    return {f"/dev/video{number}": label for number, label in sorted(found)}


def own_device() -> str | None:
    """The path of the device that carries our label; None when there is none."""
    return next((path for path, label in virtual_devices().items() if label == LABEL), None)
