"""Whether a program reads a virtual camera: v4l2loopback tells, other systems don't.

The driver (0.13 and newer) has an event for it, V4L2_EVENT_PRI_CLIENT_USAGE, whose first value comes at once to who subscribes;
so each question opens the device for a moment and gets the present state, and no change can be missed. For older drivers the
processes are looked through that hold the device open, as far as this user may see them.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Final

SUBSCRIBE_EVENT: Final = 0x4020565A
DEQUEUE_EVENT: Final = 0x80885659
"""VIDIOC_SUBSCRIBE_EVENT and VIDIOC_DQEVENT of linux/videodev2.h, on 64-bit systems."""
CLIENT_USAGE: Final = 0x08000000 + 0x08E00000 + 1
"""V4L2_EVENT_PRI_CLIENT_USAGE of v4l2loopback."""

_SEND_INITIAL: Final = 1
_SUBSCRIPTION: Final = struct.Struct("=III5I")  # type, id, flags, reserved
_EVENT_BYTES, _PAYLOAD = 136, 8  # struct v4l2_event, and where its union begins
_COUNT: Final = struct.Struct("=I")
_PROCESSES: Final = Path("/proc")
OWN: Final[set[int]] = set()
"""Processes of ours that hold a virtual camera open: no readers."""


def readers(device: str) -> int | None:
    """How many programs other than this one read from `device` ("/dev/video10"); None where that can't be known."""
    if not sys.platform.startswith("linux"):
        return None
    told = told_by_driver(device)
    return holders(device) if told is None else told


def told_by_driver(device: str) -> int | None:
    """How many programs the driver streams to; None from drivers that don't tell."""
    import fcntl

    try:
        handle = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.ioctl(handle, SUBSCRIBE_EVENT, _SUBSCRIPTION.pack(CLIENT_USAGE, 0, _SEND_INITIAL, *[0] * 5))
        event = bytearray(_EVENT_BYTES)
        fcntl.ioctl(handle, DEQUEUE_EVENT, event)
    except OSError:
        return None
    finally:
        os.close(handle)
    (count,) = _COUNT.unpack_from(event, _PAYLOAD)
    return int(count)


def holders(device: str, processes: Path = _PROCESSES) -> int | None:
    """How many other processes of this user hold the device open; None where there is no list of processes."""
    own = {os.getpid(), *OWN}
    try:
        found = [entry for entry in processes.iterdir() if entry.name.isdecimal() and int(entry.name) not in own]
    except OSError:
        return None
    return sum(_holds(f"{process}/fd", os.path.realpath(device)) for process in found)


def _holds(handles: str, device: str) -> bool:
    """Whether one of a process's handles is the device. Plain strings: a desktop has ten thousand, looked at again and again."""
    try:
        return any(_target(f"{handles}/{name}") == device for name in os.listdir(handles))  # noqa: PTH208
    except OSError:  # it has ended, or is another user's
        return False


def _target(handle: str) -> str:
    try:
        return os.readlink(handle)  # noqa: PTH115
    except OSError:
        return ""
