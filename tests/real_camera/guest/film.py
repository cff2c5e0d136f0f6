"""Another program: shows numbered pictures on a loopback, which thereby is a camera.

`film DEVICE WIDTHxHEIGHT FOURCC FPS FIRST [forgotten] [face]`.

Talks to the driver itself, since no library sends MJPG. Ends when it is terminated; "forgotten": without telling the driver, as
programs end that only ever call write(); "face": the demo camera's person instead of soft colours.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from collections.abc import Callable

import cv2

from gpen_live.frame import Array, Image, Size
from tests.real_camera.guest.numbered import BITS, picture, stamped

_VIDIOC_S_FMT, _VIDIOC_STREAMON = 0xC0D05605, 0x40045612
_OUTPUT, _NO_FIELD, _SRGB = 2, 1, 8


def _nv12(image: Image) -> Array:
    height, width = image.shape[:2]
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    u, v = planes[height:].reshape(2, height // 2, width // 2)
    planes[height:] = cv2.merge((u.copy(), v.copy())).reshape(height // 2, width)
    return planes


def _mjpg(image: Image) -> Array:
    return cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 92))[1]


LAYOUTS: dict[str, Callable[[Image], Array]] = {
    "YUYV": lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2YUV_YUYV),
    "NV12": _nv12,
    "MJPG": _mjpg,
    "YU12": lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420),
}


def open_output(device: str, size: Size, fourcc: str) -> int:
    """A descriptor to write pictures to.

    Raises:
        OSError: the driver refused; EBUSY: another program has it.
    """
    descriptor = os.open(device, os.O_WRONLY)
    # struct v4l2_format: type, padding, then v4l2_pix_format
    pixel_format = int.from_bytes(fourcc.encode("ascii"), "little")
    wish = struct.pack(
        "=IIIIIIIII168x4x", _OUTPUT, 0, size.width, size.height, pixel_format, _NO_FIELD, 0, size.width * size.height * 2, _SRGB
    )
    got = struct.unpack_from("=IIIII", fcntl.ioctl(descriptor, _VIDIOC_S_FMT, wish))
    if got[2:] != (size.width, size.height, pixel_format):
        os.close(descriptor)
        raise OSError(f"{device} took {got[2:]}")
    return descriptor


def face(size: Size) -> Callable[[int], Image]:
    """Numbered pictures of somebody whose face moves."""
    from gpen_live.sources.demo_scene import DemoScene  # reads a photo, which takes a while

    scene = DemoScene(size, fps=10)
    return lambda number: stamped(scene.frame(number), number)


def main() -> None:
    device, sides, fourcc, fps, first, *how = sys.argv[1:]
    width, height = map(int, sides.split("x"))
    size, layout, period = Size(width, height), LAYOUTS[fourcc], 1 / float(fps)
    scene = face(size) if "face" in how else lambda number: picture(number, size)
    descriptor = open_output(device, size, fourcc)
    if "forgotten" not in how:
        fcntl.ioctl(descriptor, _VIDIOC_STREAMON, struct.pack("=I", _OUTPUT))
    number = int(first)
    due = time.monotonic()
    while True:
        os.write(descriptor, layout(scene(number % 2**BITS)).tobytes())
        print(number, flush=True)
        number += 1
        due = max(due + period, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
