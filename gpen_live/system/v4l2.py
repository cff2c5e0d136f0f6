"""What is asked of Linux's video devices directly, by the kernel's own interface (Video4Linux2, linux/videodev2.h)."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct

CAPTURE, OUTPUT, CAPTURE_MPLANE = 0x00000001, 0x00000002, 0x00001000

_VIDIOC_QUERYCAP, _VIDIOC_QUERYBUF, _VIDIOC_STREAMON = 0x80685600, 0xC0585609, 0x40045612
_DEVICE_CAPS = 0x80000000
_BUF_TYPE_VIDEO_OUTPUT = 2
_BUF_FLAG_MAPPED = 0x00000001
_MOST_BUFFERS = 32  # VIDEO_MAX_FRAME


def capabilities(device: str) -> int:
    """What a device node can do now: CAPTURE, OUTPUT and so on, or-ed.

    Raises:
        OSError: it can't be opened, or is no video device (ENOTTY).
    """
    import fcntl  # not on Windows

    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        reply = fcntl.ioctl(descriptor, _VIDIOC_QUERYCAP, bytes(104))
    finally:
        os.close(descriptor)
    # struct v4l2_capability: driver[16], card[32], bus_info[32], version, capabilities, device_caps, reserved[3]
    all_nodes, this_node = struct.unpack_from("=II", reply, 84)
    return int(this_node if all_nodes & _DEVICE_CAPS else all_nodes)


def open_as_output(device: str) -> int:
    """A descriptor that is known to the driver as one that sends; whoever opens it closes it.

    Raises:
        OSError: it can't be opened.
    """
    import fcntl

    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(OSError):  # v4l2loopback has taken note before it says that there is no format yet
        fcntl.ioctl(descriptor, _VIDIOC_STREAMON, struct.pack("=i", _BUF_TYPE_VIDEO_OUTPUT))
    return descriptor


def buffer_state(descriptor: int, index: int) -> tuple[bool, int]:
    """Whether the driver takes an output's buffer for mapped by a program, and its offset in bytes.

    Raises:
        OSError: there is no such buffer, or it is not to be told.
    """
    import fcntl

    # struct v4l2_buffer of 64-bit systems: index, type, bytesused, flags, ..., offset at 64
    wish = struct.pack("=II80x", index, _BUF_TYPE_VIDEO_OUTPUT)
    reply = fcntl.ioctl(descriptor, _VIDIOC_QUERYBUF, wish)
    (flags,), (offset,) = struct.unpack_from("=I", reply, 12), struct.unpack_from("=I", reply, 64)
    return bool(flags & _BUF_FLAG_MAPPED), offset


def map_buffers(descriptor: int) -> None:
    """Maps a page of each buffer for a moment, after which the driver takes all of them for mapped.

    Raises:
        OSError: the driver does not let this descriptor.
    """
    done: set[int] = set()
    for index in range(_MOST_BUFFERS):
        _, offset = buffer_state(descriptor, index)
        if offset in done:  # v4l2loopback counts them over and over
            return
        mmap.mmap(descriptor, mmap.PAGESIZE, offset=offset).close()
        done.add(offset)
