"""What is asked of Linux's video devices directly, by the kernel's own interface (Video4Linux2, linux/videodev2.h)."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct

CAPTURE, OUTPUT, CAPTURE_MPLANE = 0x00000001, 0x00000002, 0x00001000

_VIDIOC_QUERYCAP, _VIDIOC_QUERYBUF, _VIDIOC_STREAMON = 0x80685600, 0xC0585609, 0x40045612
_VIDIOC_S_FMT = 0xC0D05605  # of 64-bit systems
_FORMAT_BYTES, _FORMAT_UNION = 208, 8
_DEVICE_CAPS = 0x80000000
_BUF_TYPE_VIDEO_OUTPUT = 2
_BUF_FLAG_MAPPED = 0x00000001
_MOST_BUFFERS = 32  # VIDEO_MAX_FRAME


def capabilities(device: str) -> int:
    """What a device node can do now: CAPTURE, OUTPUT and so on, or-ed.

    Raises:
        OSError: it can't be opened, or is no video device (ENOTTY).
    """
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        return _capabilities(descriptor)[1]
    finally:
        os.close(descriptor)


def _capabilities(descriptor: int) -> tuple[str, int]:
    """The driver's name, and what the device can do."""
    import fcntl  # not on Windows

    # struct v4l2_capability: driver[16], card[32], bus_info[32], version, capabilities, device_caps, reserved[3]
    reply = fcntl.ioctl(descriptor, _VIDIOC_QUERYCAP, bytes(104))
    all_nodes, this_node = struct.unpack_from("=II", reply, 84)
    driver = reply[:16].partition(b"\0")[0].decode(errors="replace")
    return driver, int(this_node if all_nodes & _DEVICE_CAPS else all_nodes)


def is_loopback_output(descriptor: int) -> bool:
    """Whether an open device is one of v4l2loopback that takes frames now; other kinds of files are not."""
    try:
        driver, able = _capabilities(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL):
            return False
        raise
    return driver == "v4l2 loopback" and bool(able & OUTPUT)


def set_output_format(descriptor: int, width: int, height: int, fourcc: str) -> None:
    """Says what frames will be written: `fourcc` is the kernel's name of their pixel format, such as "YU12".

    Raises:
        OSError: the driver refuses; EBUSY: another program sends.
    """
    import fcntl

    # struct v4l2_format: type, then a union that begins with v4l2_pix_format: width, height, pixelformat, field, ...
    wish = bytearray(_FORMAT_BYTES)
    struct.pack_into("=I", wish, 0, _BUF_TYPE_VIDEO_OUTPUT)
    struct.pack_into("=II4s", wish, _FORMAT_UNION, width, height, fourcc.encode("ascii"))
    fcntl.ioctl(descriptor, _VIDIOC_S_FMT, wish)


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
