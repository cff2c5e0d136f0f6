"""Linux: the v4l2loopback devices that serve as virtual cameras."""

from __future__ import annotations

import re
from os import close as _close
from pathlib import Path

from gpen_live.system import v4l2

LABEL = "GPEN Live"
"""The card label that SETUP_COMMAND gives to our device: what other programs show in their lists of cameras."""

INSTALL_COMMAND = "sudo apt install v4l2loopback-dkms"
# With the driver's own two buffers, a program that lags by a frame is shown pictures while they are written over.
SETUP_COMMAND = f'sudo modprobe v4l2loopback devices=1 video_nr=10 card_label="{LABEL}" exclusive_caps=1 max_buffers=4'
UNLOAD_COMMAND = "sudo modprobe -r v4l2loopback"

_NODES = Path("/dev")
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
    return {str(_NODES / f"video{number}"): label for number, label in sorted(found)}


def device_nodes() -> list[str]:
    """The paths of all video devices that there may be, by number."""
    numbers = sorted(int(node.name[5:]) for node in _NODES.glob("video*") if node.name[5:].isdecimal())
    return [str(_NODES / f"video{number}") for number in numbers]


def label(device: str) -> str:
    """A device for people: its card's label and its path."""
    card = virtual_devices().get(device)
    return f"{card} ({device})" if card else device


def own_device() -> str | None:
    """The path of the device that carries our label; None when there is none."""
    return next((path for path, label in virtual_devices().items() if label == LABEL), None)


def shown_size(device: str) -> tuple[int, int] | None:
    """The width and height that programs which show the device have it in; None where the driver does not say, or has none."""
    try:
        text = (_DEVICES / Path(device).name / "format").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.match(r"....:(\d+)x(\d+)@", text)  # "YU12:640x480@30"
    return (int(match[1]), int(match[2])) if match else None


class Claim:
    """Has the driver offer a device to senders again once this is closed, be it by the kernel after the process was killed.

    v4l2loopback (up to 0.12) forgets senders that only ever call write(), as pyvirtualcam and FFmpeg do: with exclusive_caps=1
    the device is no output any more after their end, until the driver is loaded anew. It keeps count of those that stream.

    It also forgets, when one of several viewers lets go of its buffers as OpenCV does, that the others have mapped
    theirs, and gives them no picture any more: see `keep_viewers`.
    """

    def __init__(self, device: str) -> None:
        try:
            self._descriptor: int | None = v4l2.open_as_output(device)
        except OSError:  # sending has its own way to fail
            self._descriptor = None
        self._forgets = self._descriptor is not None

    def keep_viewers(self) -> None:
        """Before each frame: reminds the driver of the buffers that viewers have mapped. Costs one system call."""
        if self._descriptor is None or not self._forgets:
            return
        try:
            if not v4l2.buffer_state(self._descriptor, 0)[0]:
                v4l2.map_buffers(self._descriptor)
        except OSError:  # later drivers, which keep viewers apart
            self._forgets = False

    def close(self) -> None:
        if self._descriptor is not None:
            _close(self._descriptor)
            self._descriptor = None


def revive(device: str) -> None:
    """Frees a device that a forgotten sender (see `Claim`) has left neither camera nor output: nobody uses it then."""
    try:
        forgotten = device in virtual_devices() and not v4l2.capabilities(device) & (v4l2.CAPTURE | v4l2.OUTPUT)
    except OSError:
        return  # opening it says why
    if forgotten:
        Claim(device).close()
