"""Everywhere that finished frames go: the virtual camera, a recording, nowhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gpen_live.errors import UsageError

if TYPE_CHECKING:  # the virtual camera's process needs none of it, nor NumPy
    from gpen_live.frame import Size
    from gpen_live.sinks.base import Sink


def is_virtual_camera(spec: str) -> bool:
    """Whether a sink's name means a virtual camera."""
    return spec == "vcam" or spec.startswith("vcam:")


def is_file(spec: str) -> bool:
    """Whether a sink's name means a recording."""
    return spec != "none" and not is_virtual_camera(spec)


def check_spec(spec: str) -> None:
    """Checks a sink's name; opens nothing.

    Raises:
        UsageError: nonsense; says what is allowed.
    """
    from gpen_live.privacy import hide
    from gpen_live.sinks.recorder import SUFFIXES

    if spec == "none" or (is_virtual_camera(spec) and spec != "vcam:"):
        return
    if not spec or "://" in spec or Path(spec).suffix.lower() not in SUFFIXES:
        raise UsageError("sink.unknown", spec=spec)
    hide(spec)


def check_specs(specs: Sequence[str]) -> None:
    """Checks the names of several sinks that are to be open at once; opens nothing.

    Raises:
        UsageError: one is nonsense, or two would send to one device or file.
    """
    for spec in specs:
        check_spec(spec)
    check_distinct(specs)


def check_distinct(specs: Sequence[str]) -> None:
    """Checks that several sinks may be open at once.

    Raises:
        UsageError: two would send to one device or file.
    """
    cameras = [spec for spec in specs if is_virtual_camera(spec)]
    if len(set(cameras)) < len(cameras) or ("vcam" in cameras and len(cameras) > 1):
        raise UsageError("sink.same_camera")
    files = [os.path.realpath(spec) for spec in specs if is_file(spec)]
    if len({os.path.normcase(file) for file in files}) < len(files):
        raise UsageError("sink.same_file")


def open_sink(spec: str, *, size: Size, fps: float) -> Sink:
    """Opens what `spec` names, for frames of `size` at about `fps` frames per second.

    Args:
        spec: "none", "vcam", "vcam:DEVICE", or a path that ends in .mp4, .mkv or .mov (an existing file is overwritten).

    Raises:
        UsageError: `spec` is nonsense.
        SinkError: it can't be opened.
    """
    check_spec(spec)
    if spec == "none":
        from gpen_live.sinks.null import NullSink

        return NullSink()
    if is_virtual_camera(spec):
        from gpen_live.sinks.vcam.sink import VirtualCameraSink

        return VirtualCameraSink(spec.removeprefix("vcam").removeprefix(":") or None, size=size, fps=fps)
    from gpen_live.sinks.recorder import RecorderSink

    return RecorderSink(Path(spec), size=size, fps=fps)
