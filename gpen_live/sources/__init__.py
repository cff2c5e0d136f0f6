"""Everything that delivers frames: cameras, video files, pictures and the demo camera."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from gpen_live.errors import SourceError, UsageError
from gpen_live.frame import Size
from gpen_live.privacy import hide
from gpen_live.sources.base import Source


def camera_index(spec: str) -> int | None:
    """The number of the camera that `spec` names ("camera:2", "/dev/video2"); None when it names no camera.

    Raises:
        UsageError: `spec` is meant as a camera, but has no valid number, or this system has no such devices.
    """
    if spec.startswith("/dev/"):
        if not (platform.system() == "Linux" and (match := re.fullmatch(r"/dev/video(\d{1,4})", spec, re.ASCII))):
            raise UsageError("camera.no_device", spec=spec)
        return int(match[1])
    if spec.startswith("camera:"):
        if not (match := re.fullmatch(r"camera:(\d{1,4})", spec, re.ASCII)):
            raise UsageError("camera.no_number", spec=spec)
        return int(match[1])
    return None


def check_spec(spec: str) -> None:
    """Checks a source's name and, for a file, that there is something to read; opens nothing, costs nothing.

    Raises:
        UsageError: nonsense; says what is allowed.
        SourceError: the file is missing, a folder, empty or not readable.
    """
    if not spec.strip():
        raise UsageError("source.empty_name")
    if "://" in spec:
        raise UsageError("source.address", spec=spec)
    if spec != "demo" and camera_index(spec) is None:
        hide(spec)
        _check_file(Path(spec))


def open_source(spec: str, *, size: Size | None, fps: float | None, realtime: bool = True, loop: bool = False) -> Source:
    """Opens what `spec` names.

    Args:
        spec: "demo", "camera:N", "/dev/videoN" (Linux) or a path of a video or picture.
        size, fps: asked of a camera (which gives the nearest that it has) and of the demo camera; a file keeps its own.
        realtime: False delivers a file or the demo as fast as it is read, without leaving anything out.
        loop: starts a video anew at its end.

    Raises:
        UsageError: `spec` is nonsense.
        SourceError: it can't be opened.
    """
    check_spec(spec)
    if spec == "demo":
        from gpen_live.sources.demo import DemoSource

        return DemoSource(size, fps, realtime=realtime)
    index = camera_index(spec)
    if index is not None:
        from gpen_live.sources.camera import CameraSource

        return CameraSource(index, size=size, fps=fps)
    from gpen_live.sources import still

    path = Path(spec)
    if path.suffix.lower() in still.SUFFIXES:
        return still.StillSource(path, realtime=realtime)
    from gpen_live.sources.video import VideoSource

    return VideoSource(path, realtime=realtime, loop=loop)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise SourceError("source.folder", path=path)
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError("source.empty_file", path=path)
    except FileNotFoundError as error:
        raise SourceError("source.missing", path=path) from error
    except (OSError, ValueError) as error:
        raise SourceError("source.unreadable", path=path) from error
