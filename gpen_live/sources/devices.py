"""Which cameras there are, named and numbered as OpenCV opens them (see `sources.camera`)."""

from __future__ import annotations

import errno
import importlib
import json
import logging
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2

from gpen_live.sinks.loopback import LABEL as OWN_OUTPUT
from gpen_live.sinks.vcam import OBS_DEVICE
from gpen_live.system import v4l2

_SYSFS = Path("/sys/class/video4linux")
_NO_CAMERA = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTTY, errno.EINVAL)
_PROFILER_TIMEOUT_S = 10
_PROBED = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraInfo:
    """A camera: its number for OpenCV, its name for people, and the source to open it ("camera:0")."""

    index: int
    name: str

    @property
    def spec(self) -> str:
        return f"camera:{self.index}"


def list_cameras() -> list[CameraInfo]:
    """The cameras of this machine, by number, without the virtual ones that we send to.

    Reads the system's list; opens no camera unless there is no such list.
    Takes up to a few seconds on macOS: call it beside the window's thread.
    """
    system = platform.system()
    if system == "Linux":
        return _linux()
    names = _windows_names() if system == "Windows" else _macos_names() if system == "Darwin" else None
    if names is None:
        return _probed()
    return [CameraInfo(index, name) for index, name in enumerate(names) if name != OBS_DEVICE]


def _linux() -> list[CameraInfo]:
    cameras = []
    for entry in _SYSFS.glob("video*") if _SYSFS.is_dir() else ():
        match = re.fullmatch(r"video(\d+)", entry.name)
        if match is None:
            continue
        try:
            name = (entry / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # unplugged meanwhile
        if name != OWN_OUTPUT and captures(f"/dev/{entry.name}"):
            cameras.append(CameraInfo(int(match[1]), name or entry.name))
    return sorted(cameras, key=lambda camera: camera.index)


def captures(device: str) -> bool:
    """Whether a V4L2 node delivers pictures (others carry metadata or are outputs); True when that can't be asked."""
    try:
        return bool(v4l2.capabilities(device) & (v4l2.CAPTURE | v4l2.CAPTURE_MPLANE))
    except OSError as error:
        # No permission, or in use: opening it as a source tells why.
        return error.errno not in _NO_CAMERA


def _windows_names() -> list[str] | None:
    """Names in DirectShow's order, which is the order in which CAP_DSHOW numbers them."""
    try:
        library = importlib.import_module("cv2_enumerate_cameras")
        return [str(camera.name) for camera in library.enumerate_cameras(cv2.CAP_DSHOW)]
    except (ImportError, OSError, RuntimeError):
        _log.exception("DirectShow did not list the cameras")
        return None


def _macos_names() -> list[str] | None:
    """Names by unique id, which is the order in which OpenCV's AVFoundation numbers them."""
    command = ["/usr/sbin/system_profiler", "SPCameraDataType", "-json"]
    try:
        listing = subprocess.run(command, capture_output=True, timeout=_PROFILER_TIMEOUT_S, check=True).stdout
        cameras = json.loads(listing)["SPCameraDataType"]
        return [str(camera["_name"]) for camera in sorted(cameras, key=lambda camera: str(camera["spcamera_unique-id"]))]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        _log.exception("system_profiler did not list the cameras")
        return None


def _probed() -> list[CameraInfo]:
    """Tries the first few numbers, ending at the first that does not open."""
    cameras = []
    for index in range(_PROBED):
        capture = cv2.VideoCapture(index)
        there = capture.isOpened()
        capture.release()
        if not there:
            break
        cameras.append(CameraInfo(index, f"Camera {index}"))
    return cameras
