"""The virtual camera's devices on each system: backends of pyvirtualcam made for the test, and the kernel's answers."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import pyvirtualcam
import pyvirtualcam.camera
from pyvirtualcam.util import decode_fourcc

from gpen_live.errors import SinkError
from gpen_live.frame import Array, Size
from gpen_live.messages import Message, message
from gpen_live.sinks import loopback
from gpen_live.sinks.vcam.devices import Complaints, Device, Wish, open_device
from gpen_live.sinks.vcam.explain import NotAnOutput, explain_loopback, no_loopback
from gpen_live.sinks.vcam.sink import native_format
from tests.messages.says import holds, says

FRAME = memoryview(bytes(64 * 72))


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


def on(**backends: type[pyvirtualcam.Backend] | str) -> None:
    """A machine with these backends, some of which only complain."""
    for name, backend in backends.items():
        pyvirtualcam.register_backend(name, failing(backend) if isinstance(backend, str) else backend)


def plug(tmp_path: Path, **devices: str) -> None:
    for node, label in devices.items():
        (tmp_path / "devices" / node).mkdir(parents=True)
        (tmp_path / "devices" / node / "name").write_text(label + "\n")


def vcam(system: str, device: str = "") -> Device:
    return open_device(Wish(device or None, 64, 48, 29.97, native_format(system).name), system)


def said(system: str, device: str = "") -> Message:
    with pytest.raises(SinkError) as caught:
        vcam(system, device)
    return caught.value.message


# It works


@pytest.mark.parametrize(("system", "fourcc"), [("Windows", "NV12"), ("Darwin", "I420")])
def test_frames_pass_through_as_they_are(system: str, fourcc: str) -> None:
    on(some=Backend)
    device = vcam(system)
    (backend,) = Backend.opened
    assert (backend.pixel_format, backend.size, backend.fps) == (fourcc, Size(64, 48), 29.97)
    assert device.label == "OBS Virtual Camera"
    pixels = np.random.default_rng(0).integers(0, 255, (72, 64), np.uint8)
    device.send(memoryview(pixels.tobytes()))
    assert np.array_equal(backend.sent[0], pixels.ravel())
    device.close()
    device.close()
    assert backend.closed == 1


def test_windows_takes_unity_capture_where_obs_is_missing() -> None:
    on(obs="OBS Virtual Camera device not found! Did you install OBS?", unitycapture=Backend)
    vcam("Windows").close()
    assert len(Backend.opened) == 1


# It does not


OBS_MISSING = "OBS Virtual Camera device not found! Did you install OBS?"
OBS_TAKEN = "virtual camera output could not be started"
OBS_OTHER = "This backend supports only the 'OBS Virtual Camera' device."
UNITY_MISSING = "No camera registered. Did you install any camera?"
UNITY_OTHER = "No camera registered with this name."


@pytest.mark.parametrize(
    ("obs", "unity", "device", "key"),
    [
        (OBS_MISSING, UNITY_MISSING, "", "vcam.not_installed"),
        (OBS_MISSING, UNITY_OTHER, "OBS Virtual Camera", "vcam.not_installed"),
        (OBS_TAKEN, UNITY_MISSING, "", "vcam.obs_taken"),
        (OBS_OTHER, UNITY_OTHER, "Webcam", "vcam.unknown_windows"),
        (OBS_MISSING, "All cameras are already in use.", "", "vcam.in_use_any"),
        (OBS_OTHER, "Device Unity is already in use.", "Unity", "vcam.in_use"),
        ("what is this", "and this", "", "vcam.unclear"),
    ],
)
def test_windows(obs: str, unity: str, device: str, key: str) -> None:
    on(obs=obs, unitycapture=unity)
    told = said("Windows", device)
    assert holds(told, key, reason=f"'obs' backend: {obs}; 'unitycapture' backend: {unity}")
    assert device in (told.params.get("device"), told.params.get("name"), "", "OBS Virtual Camera")


@pytest.mark.parametrize(
    ("text", "device", "key"),
    [
        (
            "OBS Virtual Camera is not installed in your system. Use the Virtual Camera function in OBS 30.0 or later to trigger "
            "the installation and activate the System Extension in System Settings.",
            "",
            "vcam.obs_not_set_up",
        ),
        ("Your OBS Virtual Camera version is not supported. Upgrade to OBS 28.", "", "vcam.obs_too_old"),
        ("Couldn't start stream", "", "vcam.obs_taken"),
        ("Stream not found", "", "vcam.obs_taken"),
        (OBS_TAKEN, "", "vcam.obs_taken"),
        ("Multiple cameras are not supported by this backend.", "", "vcam.obs_taken"),
        (OBS_OTHER, "Webcam", "vcam.unknown_macos"),
        ("unable to allocate pixel buffer pool", "", "vcam.unclear"),
    ],
)
def test_macos(text: str, device: str, key: str) -> None:
    on(obs=text)
    told = said("Darwin", device)
    assert holds(told, key, reason=f"'obs' backend: {text}")
    assert told.params.get("device", "") == device


MODPROBE = 'sudo modprobe v4l2loopback devices=1 video_nr=10 card_label="GPEN Live" exclusive_caps=1'


def system_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (system_error(errno.ENOENT), "vcam.missing"),
        (system_error(errno.ENODEV), "vcam.missing"),
        (NotAnOutput("/dev/video9 takes no frames"), "vcam.not_virtual"),
        (system_error(errno.EACCES), "vcam.no_permission"),
        (system_error(errno.EBUSY), "vcam.in_use"),
        (system_error(errno.EIO), "vcam.unclear"),
    ],
)
def test_linux(error: OSError, key: str) -> None:
    told = explain_loopback(error, "/dev/video9").message
    assert holds(told, key, reason=error.strerror or error)
    if key in ("vcam.missing", "vcam.not_virtual"):
        assert str(told.params["command"]).startswith(MODPROBE)


def test_linux_a_virtual_camera_that_somebody_sends_to(tmp_path: Path) -> None:
    plug(tmp_path, video10="GPEN Live")
    told = explain_loopback(NotAnOutput("/dev/video10 takes no frames"), "/dev/video10").message
    assert holds(told, "vcam.in_use", name="/dev/video10")


def test_linux_without_a_device(tmp_path: Path) -> None:
    told = no_loopback()
    assert told.message.id == "vcam.module"
    assert MODPROBE in told.remedy
    assert "sudo apt install v4l2loopback-dkms" in told.remedy
    (tmp_path / "module").mkdir()
    told = no_loopback()
    assert told.message.id == "vcam.in_use_all"
    assert "sudo modprobe -r v4l2loopback" in told.remedy


def test_a_system_without_backends() -> None:
    assert said("FreeBSD") == message("vcam.no_backend")


def test_a_device_that_fails_while_sending() -> None:
    class Breaking(Backend):
        def send(self, frame: Array) -> None:
            raise RuntimeError("gone")

    on(some=Breaking)
    device = vcam("Windows")
    with pytest.raises(SinkError, check=says("vcam.frame_refused", name="OBS Virtual Camera", reason="gone")):
        device.send(FRAME)
    device.close()
    with pytest.raises(SinkError, check=says("vcam.closed")):
        device.send(FRAME)


def test_a_failure_that_the_library_only_prints_is_one_all_the_same() -> None:
    class Printing(Backend):
        def send(self, frame: Array) -> None:
            os.write(2, b"unable to allocate pixel buffer (error -6662)")

    on(some=Printing)
    device = vcam("Darwin")
    with pytest.raises(SinkError, check=says("vcam.frame_refused", reason="unable to allocate pixel buffer (error -6662)")):
        device.send(FRAME)
    device.close()


def test_complaints_are_told_once_and_end_with_the_device(tmp_path: Path) -> None:
    with (tmp_path / "terminal").open("wb") as terminal:
        complaints = Complaints(terminal.fileno())
        assert complaints.new() == ""
        for text in (b"one\n\ntwo", b"three"):
            os.write(terminal.fileno(), text)
            assert complaints.new() == text.decode().replace("\n\n", "; ")
            assert complaints.new() == ""
        complaints.close()
        os.write(terminal.fileno(), b"four")
    assert (tmp_path / "terminal").read_bytes() == b"four"


def test_devices_that_are_virtual(tmp_path: Path) -> None:
    assert loopback.virtual_devices() == {}
    assert loopback.own_device() is None
    plug(tmp_path, video10="GPEN Live", video9="Other", nothing="x")
    (tmp_path / "devices" / "video11").mkdir()  # removed while we look
    assert loopback.virtual_devices() == {"/dev/video9": "Other", "/dev/video10": "GPEN Live"}
    assert loopback.own_device() == "/dev/video10"
    assert not loopback.module_loaded()
