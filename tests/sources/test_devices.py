"""Which cameras there are, on each system."""

from __future__ import annotations

import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import pytest

from gpen_live.sources import devices
from gpen_live.sources.devices import CameraInfo, captures, list_cameras


def system(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: name)


def test_a_camera_names_its_source() -> None:
    assert CameraInfo(3, "C920").spec == "camera:3"


def test_linux_lists_capturing_devices_without_our_own_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for node, name in [
        ("video0", "Logitech C920\n"),
        ("video1", "Logitech C920\n"),  # its metadata
        ("video10", "GPEN Live\n"),
        ("video2", ""),
        ("v4l-subdev0", "something else"),
    ]:
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(name)
    (tmp_path / "video3").mkdir()  # unplugged while we look
    monkeypatch.setattr(devices, "_SYSFS", tmp_path)
    monkeypatch.setattr(devices, "captures", lambda device: device != "/dev/video1")
    system(monkeypatch, "Linux")
    assert list_cameras() == [CameraInfo(0, "Logitech C920"), CameraInfo(2, "video2")]


def test_linux_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_SYSFS", tmp_path / "none")
    system(monkeypatch, "Linux")
    assert list_cameras() == []


on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such devices to open")
CAPTURE, OUTPUT, META, DEVICE_CAPS = 0x1, 0x2, 0x00800000, 0x80000000


@on_posix
@pytest.mark.parametrize(
    ("capabilities", "device_caps", "expected"),
    [
        (CAPTURE, 0, True),
        (OUTPUT, 0, False),
        (CAPTURE | DEVICE_CAPS, CAPTURE, True),
        (CAPTURE | META | DEVICE_CAPS, META, False),  # the second node of a webcam
        (0x1000 | DEVICE_CAPS, 0x1000, True),  # multi-planar
    ],
)
def test_what_a_device_says_about_itself(
    capabilities: int, device_caps: int, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    node = tmp_path / "video0"
    node.touch()

    def querycap(handle: int, request: int, argument: bytes) -> bytes:
        assert request == 0x80685600  # _IOR('V', 0, struct v4l2_capability)
        reply = struct.pack("=16s32s32sIII12x", b"uvcvideo", b"C920", b"usb", 0x60000, capabilities, device_caps)
        assert len(reply) == len(argument)
        return reply

    monkeypatch.setattr(fcntl, "ioctl", querycap)
    assert captures(str(node)) is expected


@on_posix
def test_what_is_no_video_device_captures_nothing(tmp_path: Path) -> None:
    node = tmp_path / "video0"
    assert captures(str(node)) is False
    node.touch()
    assert captures(str(node)) is False


@on_posix
def test_a_device_without_permission_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert captures("/dev/video0") is True


def test_windows_lists_in_the_order_of_the_backend_that_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    library = ModuleType("cv2_enumerate_cameras")

    def enumerate_cameras(backend: int) -> list[SimpleNamespace]:
        asked.append(backend)
        return [SimpleNamespace(name=name) for name in ("Integrated Camera", "OBS Virtual Camera", "C920")]

    setattr(library, "enumerate_cameras", enumerate_cameras)  # noqa: B010
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", library)
    system(monkeypatch, "Windows")
    assert list_cameras() == [CameraInfo(0, "Integrated Camera"), CameraInfo(2, "C920")]
    assert asked == [cv2.CAP_DSHOW]


def test_macos_lists_by_unique_id_as_opencv_does(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = {
        "SPCameraDataType": [
            {"_name": "FaceTime HD Camera", "spcamera_unique-id": "B2"},
            {"_name": "iPhone", "spcamera_unique-id": "A1"},
            {"_name": "OBS Virtual Camera", "spcamera_unique-id": "C3"},
            {"_name": "USB Camera", "spcamera_unique-id": "D4"},
        ]
    }
    profiler(monkeypatch, json.dumps(listing))
    assert list_cameras() == [CameraInfo(0, "iPhone"), CameraInfo(1, "FaceTime HD Camera"), CameraInfo(3, "USB Camera")]


class Capture:
    """Two cameras are plugged in."""

    def __init__(self, index: int) -> None:
        self.index = index

    def isOpened(self) -> bool:
        return self.index < 2

    def release(self) -> None:
        pass


@pytest.mark.parametrize("listing", ["no json", "{}", '{"SPCameraDataType": [{}]}', None])
def test_macos_probes_when_it_has_no_list(listing: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    profiler(monkeypatch, listing)
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    assert list_cameras() == [CameraInfo(0, "Camera 0"), CameraInfo(1, "Camera 1")]


def test_windows_and_others_probe_when_they_have_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", None)
    for name in ("Windows", "FreeBSD"):
        system(monkeypatch, name)
        assert [camera.index for camera in list_cameras()] == [0, 1]


def profiler(monkeypatch: pytest.MonkeyPatch, listing: str | None) -> None:
    """A Mac whose system_profiler prints `listing`; None: it hangs."""
    system(monkeypatch, "Darwin")

    def run(command: list[str], **options: Any) -> SimpleNamespace:
        assert "SPCameraDataType" in command
        if listing is None:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return SimpleNamespace(stdout=listing.encode())

    monkeypatch.setattr(subprocess, "run", run)
