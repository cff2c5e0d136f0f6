"""Full-frame mode: how a whole frame is given to a network.

A fully convolutional network takes the frame as it is, continued on all sides up to its stride, so that the frame's own rim lies
inside. A network of fixed size gets the frame fitted into its square, edges continued; its picture is scaled back. Networks with
a memory get their last picture in the same way as the frame.
"""

from __future__ import annotations

from gpen_live.frame import Size

Around = tuple[int, int, int, int]
"""Pixels by which a picture is continued: top, bottom, left, right."""

_RIM = 8  # pixels by which a frame is continued at least: beside its zero padding a network is a few levels off


def rim(height: int, width: int, stride: int) -> Around:
    """By how much a frame is continued for a network whose pictures' sides must be multiples of `stride`."""
    more_y, more_x = (2 * _RIM + -(side + 2 * _RIM) % stride for side in (height, width))
    return more_y // 2, more_y - more_y // 2, more_x // 2, more_x - more_x // 2


def fitting(frame: Size, size: int) -> tuple[Size, Around]:
    """The size at which a frame fits into a square of `size`, and by how much it is continued there."""
    scale = size / max(frame.height, frame.width)
    small = Size(max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    top, left = (size - small.height) // 2, (size - small.width) // 2
    return small, (top, size - small.height - top, left, size - small.width - left)
