"""The virtual camera, with backends of pyvirtualcam that are registered for the test."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import pyvirtualcam
import pyvirtualcam.camera
from pyvirtualcam.util import decode_fourcc

from gpen_live.errors import SinkError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.sinks import loopback, open_sink
from gpen_live.sinks.base import Sink

SIZE = Size(64, 48)


class Backend(pyvirtualcam.Backend):  # type: ignore[misc]  # a library without types
    """Takes everything and remembers it."""

    opened: ClassVar[list[Backend]] = []

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None, **_: Any) -> None:
        self.size = Size(width, height)
        self.fps = fps
        self.pixel_format = decode_fourcc(fourcc)
        self.name = device or "OBS Virtual Camera"
        self.sent: list[Array] = []
        self.closed = 0
        Backend.opened.append(self)

    def close(self) -> None:
        self.closed += 1

    def send(self, frame: Array) -> None:
        self.sent.append(frame.copy())

    def device(self) -> str:
        return self.name

    def native_fourcc(self) -> int | None:
        return None


def failing(text: str) -> type[pyvirtualcam.Backend]:
    class Failing(Backend):
        def __init__(self, **_: Any) -> None:
            raise RuntimeError(text)

    return Failing


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No backends but the test's, no virtual devices."""
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    monkeypatch.setattr(loopback, "_DEVICES", tmp_path / "devices")
    monkeypatch.setattr(loopback, "_MODULE", tmp_path / "module")
    Backend.opened.clear()


def on(monkeypatch: pytest.MonkeyPatch, system: str, **backends: type[pyvirtualcam.Backend] | str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    for name, backend in backends.items():
        pyvirtualcam.register_backend(name, failing(backend) if isinstance(backend, str) else backend)


def plug(tmp_path: Path, **devices: str) -> None:
    for node, label in devices.items():
        (tmp_path / "devices" / node).mkdir(parents=True)
        (tmp_path / "devices" / node / "name").write_text(label + "\n")


def vcam(device: str = "", size: Size = SIZE) -> Sink:
    return open_sink(f"vcam:{device}" if device else "vcam", size=size, fps=29.97)


def said(device: str = "") -> tuple[str, str]:
    with pytest.raises(SinkError) as caught:
        vcam(device)
    return caught.value.what, caught.value.remedy


# It works


@pytest.mark.parametrize(
    ("system", "wants", "fourcc"),
    [
        ("Windows", PixelFormat.NV12, "NV12"),
        ("Darwin", PixelFormat.I420, "I420"),
        ("Linux", PixelFormat.I420, "I420"),
    ],
)
def test_frames_pass_through_as_they_are(system: str, wants: PixelFormat, fourcc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, system, some=Backend)
    sink = vcam()
    (backend,) = Backend.opened
    assert (sink.wants, backend.pixel_format, backend.size, backend.fps) == (wants, fourcc, Size(64, 48), 29.97)
    assert sink.label == "OBS Virtual Camera"
    pixels = np.random.default_rng(0).integers(0, 255, (72, 64), np.uint8)
    sink.send(pixels)
    sink.send(pixels[:, ::-1])
    assert np.array_equal(backend.sent[0], pixels.ravel())
    assert np.array_equal(backend.sent[1], pixels[:, ::-1].ravel())
    sink.close()
    sink.close()
    assert backend.closed == 1


def test_odd_sizes_are_rounded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "Linux", some=Backend)
    sink = vcam(size=Size(63, 47))
    assert Backend.opened[0].size == Size(64, 48)
    sink.close()


def test_a_chosen_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(tmp_path, video3="My camera", video10="GPEN Live")
    on(monkeypatch, "Linux", v4l2loopback=Backend)
    sink = vcam("/dev/video3")
    assert Backend.opened[0].name == "/dev/video3"
    assert sink.label == "My camera (/dev/video3)"
    sink.close()


def test_linux_prefers_our_own_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(tmp_path, video2="OBS Virtual Camera", video10="GPEN Live")
    on(monkeypatch, "Linux", v4l2loopback=Backend)
    sink = vcam()
    assert Backend.opened[0].name == "/dev/video10"
    assert sink.label == "GPEN Live (/dev/video10)"
    sink.close()


def test_windows_takes_unity_capture_where_obs_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "Windows", obs="OBS Virtual Camera device not found! Did you install OBS?", unitycapture=Backend)
    sink = vcam()
    assert len(Backend.opened) == 1
    sink.close()


# It does not


OBS_MISSING = "OBS Virtual Camera device not found! Did you install OBS?"
OBS_TAKEN = "virtual camera output could not be started"
OBS_OTHER = "This backend supports only the 'OBS Virtual Camera' device."
UNITY_MISSING = "No camera registered. Did you install any camera?"
UNITY_OTHER = "No camera registered with this name."


@pytest.mark.parametrize(
    ("obs", "unity", "device", "what", "remedy"),
    [
        (OBS_MISSING, UNITY_MISSING, "", "No virtual camera is installed.", "Install OBS Studio from https://obsproject.com"),
        (OBS_MISSING, UNITY_OTHER, "OBS Virtual Camera", "No virtual camera is installed.", "Install OBS Studio"),
        (
            OBS_TAKEN,
            UNITY_MISSING,
            "",
            "The OBS virtual camera is taken by OBS itself or by another program.",
            "Stop Virtual Camera",
        ),
        (OBS_OTHER, UNITY_OTHER, "Webcam", 'There is no virtual camera named "Webcam".', "Leave the device out"),
        (OBS_MISSING, "All cameras are already in use.", "", "The virtual camera is in use.", "Close the program"),
        (OBS_OTHER, "Device Unity is already in use.", "Unity", "Unity is in use.", "Close the program"),
        ("what is this", "and this", "", "The virtual camera can't be opened.", "Close other programs"),
    ],
)
def test_windows(obs: str, unity: str, device: str, what: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "Windows", obs=obs, unitycapture=unity)
    told = said(device)
    assert told[0] == what
    assert told[1].startswith(remedy) or remedy in told[1]
    assert told[1].endswith(f"('obs' backend: {obs}; 'unitycapture' backend: {unity})")


@pytest.mark.parametrize(
    ("text", "device", "what", "remedy"),
    [
        (
            "OBS Virtual Camera is not installed in your system. Use the Virtual Camera function in OBS 30.0 or later to trigger "
            "the installation and activate the System Extension in System Settings.",
            "",
            "OBS's virtual camera is not set up.",
            "Install OBS 30 or later",
        ),
        (
            "Your OBS Virtual Camera version is not supported. Upgrade to OBS 28.",
            "",
            "OBS's virtual camera is too old.",
            "OBS 30",
        ),
        (
            "Couldn't start stream",
            "",
            "The OBS virtual camera is taken by OBS itself or by another program.",
            "Stop Virtual Camera",
        ),
        ("Stream not found", "", "The OBS virtual camera is taken by OBS itself or by another program.", "Stop Virtual Camera"),
        (OBS_TAKEN, "", "The OBS virtual camera is taken by OBS itself or by another program.", "Stop Virtual Camera"),
        (
            "Multiple cameras are not supported by this backend.",
            "",
            "The OBS virtual camera is taken by OBS itself or by another program.",
            "Stop",
        ),
        (OBS_OTHER, "Webcam", 'There is no virtual camera named "Webcam".', "OBS Virtual Camera"),
        ("unable to allocate pixel buffer pool", "", "The virtual camera can't be opened.", "try again"),
    ],
)
def test_macos(text: str, device: str, what: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "Darwin", obs=text)
    told = said(device)
    assert told[0] == what
    assert remedy in told[1]
    assert told[1].endswith(f"('obs' backend: {text})")


NO_LOOPBACK = "No v4l2 loopback device found at /dev/video[0-99]. Did you run 'modprobe v4l2loopback'?"
MODPROBE = 'sudo modprobe v4l2loopback devices=1 video_nr=10 card_label="GPEN Live" exclusive_caps=1'


@pytest.mark.parametrize(
    ("text", "device", "what", "remedy"),
    [
        (NO_LOOPBACK, "", "The driver of the virtual camera is not loaded.", MODPROBE),
        (NO_LOOPBACK, "", "The driver of the virtual camera is not loaded.", "sudo apt install v4l2loopback-dkms"),
        ("Device /dev/video9 does not exist.", "/dev/video9", "There is no virtual camera /dev/video9.", MODPROBE),
        ("Device /dev/video0 is not a video output device.", "/dev/video0", "/dev/video0 is not a virtual camera.", MODPROBE),
        (
            "Device /dev/video0 is not a V4L2 device.",
            "/dev/video0",
            "/dev/video0 is not a virtual camera.",
            "Leave the device out",
        ),
        ("Device capabilities of /dev/x could not be queried.", "/dev/x", "/dev/x is not a virtual camera.", MODPROBE),
        (
            "Could not access /dev/video10 due to missing permissions. Did you add your user to the 'video' group?",
            "/dev/video10",
            "You may not use /dev/video10.",
            "sudo usermod -a -G video $USER",
        ),
        (
            "Virtual camera device /dev/video10 could not be configured: Device or resource busy",
            "/dev/video10",
            "/dev/video10 is in use.",
            "Close the program",
        ),
        ("Device /dev/video10 is already in use.", "/dev/video10", "/dev/video10 is in use.", "Close the program"),
        ("Unsupported image format.", "", "The virtual camera can't be opened.", "try again"),
    ],
)
def test_linux(text: str, device: str, what: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "Linux", v4l2loopback=text)
    told = said(device)
    assert told[0] == what
    assert remedy in told[1]
    assert told[1].endswith(f"('v4l2loopback' backend: {text})")


def test_linux_all_devices_busy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    on(monkeypatch, "Linux", v4l2loopback=NO_LOOPBACK)
    what, remedy = said()
    assert what == "The virtual camera is in use."
    assert "sudo modprobe -r v4l2loopback" in remedy


def test_linux_a_virtual_camera_that_somebody_sends_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(tmp_path, video10="GPEN Live")
    on(monkeypatch, "Linux", v4l2loopback="Device /dev/video10 is not a video output device.")
    assert said()[0] == "/dev/video10 is in use."


def test_a_system_without_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "FreeBSD")
    assert said() == ("There are no virtual cameras on this system.", "Record to a file instead.")


def test_a_device_that_fails_while_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaking(Backend):
        def send(self, frame: Array) -> None:
            raise RuntimeError("gone")

    on(monkeypatch, "Linux", some=Breaking)
    sink = vcam()
    with pytest.raises(SinkError, match=r"OBS Virtual Camera took no frame \(gone\)"):
        sink.send(np.zeros((72, 64), np.uint8))
    sink.close()
    with pytest.raises(SinkError, match="already closed"):
        sink.send(np.zeros((72, 64), np.uint8))


def test_frames_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "Linux", some=Backend)
    sink = vcam()
    with pytest.raises(SinkError, match="took no frame"):
        sink.send(np.zeros((36, 32), np.uint8))
    sink.close()


def test_devices_that_are_virtual(tmp_path: Path) -> None:
    assert loopback.virtual_devices() == {}
    assert loopback.own_device() is None
    plug(tmp_path, video10="GPEN Live", video9="Other", nothing="x")
    (tmp_path / "devices" / "video11").mkdir()  # removed while we look
    assert loopback.virtual_devices() == {"/dev/video9": "Other", "/dev/video10": "GPEN Live"}
    assert loopback.own_device() == "/dev/video10"
    assert not loopback.module_loaded()
