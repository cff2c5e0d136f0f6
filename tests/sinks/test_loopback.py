"""What the virtual camera asks of v4l2loopback itself; `tests/real_camera` asks the real one."""

from __future__ import annotations

import errno
import os
import platform
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvirtualcam
import pyvirtualcam.camera

from gpen_live.errors import SinkError
from gpen_live.frame import Array, Size
from gpen_live.sinks import loopback, open_sink
from gpen_live.system import v4l2

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such devices")

DEVICE = "/dev/video10"
FRAME = np.zeros((72, 64), np.uint8)


class Driver:
    """v4l2loopback: what it says a device can do, who has streamed to it, and in which order things happened to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.able = v4l2.OUTPUT
        self.events: list[str] = []
        self._claims: set[int] = set()

    def capabilities(self, device: str) -> int:
        assert device == DEVICE
        return self.able

    def open_as_output(self, device: str) -> int:
        assert device == DEVICE
        descriptor = os.open(os.devnull, os.O_RDWR)
        self._claims.add(descriptor)
        self.events.append("claimed")
        return descriptor

    def close(self, descriptor: int) -> None:
        self._claims.remove(descriptor)
        self.events.append("given up")
        self.able |= v4l2.OUTPUT

    def shows(self, text: str) -> None:
        (self.folder / "video10" / "format").write_text(text)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Driver:
    """A Linux with one loopback, and a backend of pyvirtualcam that takes whatever is an output."""
    made = Driver(tmp_path)
    (tmp_path / "video10").mkdir()
    (tmp_path / "video10" / "name").write_text("GPEN Live\n")

    class Backend(pyvirtualcam.Backend):  # type: ignore[misc]  # a library without types
        def __init__(self, **_: object) -> None:
            if not made.able & v4l2.OUTPUT:
                raise RuntimeError(f"Device {DEVICE} is not a video output device.")

        def send(self, frame: Array) -> None:
            made.able = v4l2.CAPTURE
            made.events.append("sent")

        def close(self) -> None:
            made.able = 0  # what 0.12 makes of a sender that only ever wrote
            made.events.append("closed")

        def device(self) -> str:
            return DEVICE

        def native_fourcc(self) -> None:
            return None

    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(loopback, "_DEVICES", tmp_path)
    monkeypatch.setattr(v4l2, "capabilities", made.capabilities)
    monkeypatch.setattr(v4l2, "open_as_output", made.open_as_output)
    monkeypatch.setattr(loopback, "_close", made.close)
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"v4l2loopback": Backend})
    return made


def test_the_driver_is_told_after_the_first_frame_and_again_at_the_end(driver: Driver) -> None:
    sink = open_sink("vcam", size=Size(64, 48), fps=30)
    sink.send(FRAME)
    sink.send(FRAME)
    sink.close()
    sink.close()
    assert driver.events == ["sent", "claimed", "sent", "closed", "given up"]
    open_sink("vcam", size=Size(64, 48), fps=30).close()


def test_a_device_that_a_sender_left_behind_is_freed(driver: Driver) -> None:
    driver.able = 0
    open_sink("vcam", size=Size(64, 48), fps=30).close()
    assert driver.events == ["claimed", "given up", "closed"]


def test_one_that_somebody_sends_to_is_left_alone(driver: Driver) -> None:
    driver.able = v4l2.CAPTURE
    with pytest.raises(SinkError, match="is in use"):
        open_sink("vcam", size=Size(64, 48), fps=30)
    assert driver.events == []


def test_a_size_that_its_viewers_do_not_have_is_refused(driver: Driver) -> None:
    driver.shows("YU12:640x480@30\n")
    with pytest.raises(SinkError) as caught:
        open_sink("vcam", size=Size(64, 48), fps=30)
    assert caught.value.what == "Another program still shows GPEN Live (/dev/video10) in 640x480."
    assert caught.value.remedy.endswith("or send 640x480.")
    assert driver.events == ["closed"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("YU12:640x480@30\n", Size(640, 480)),
        ("MJPG:1920x1080@30000/1001\n", Size(1920, 1080)),
        ("", None),
        ("nonsense", None),
    ],
)
def test_what_the_driver_says_is_shown(text: str, size: Size | None, driver: Driver) -> None:
    driver.shows(text)
    assert loopback.shown_size(DEVICE) == size
    assert loopback.shown_size("/dev/video11") is None


def test_a_driver_that_takes_no_claim_is_sent_to_all_the_same(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> int:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(v4l2, "open_as_output", refuse)
    sink = open_sink("vcam", size=Size(64, 48), fps=30)
    sink.send(FRAME)
    sink.close()
    assert driver.events == ["sent", "closed"]


def test_the_driver_is_reminded_of_the_viewers_buffers_when_it_has_forgotten_them(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = True

    def remind(_: int) -> None:
        nonlocal mapped
        mapped = True
        driver.events.append("reminded")

    monkeypatch.setattr(v4l2, "buffer_state", lambda descriptor, index: (mapped, 0))
    monkeypatch.setattr(v4l2, "map_buffers", remind)
    sink = open_sink("vcam", size=Size(64, 48), fps=30)
    for still in (True, True, False, True):
        mapped = still
        sink.send(FRAME)
    sink.close()
    assert driver.events == ["sent", "claimed", "sent", "reminded", "sent", "sent", "closed", "given up"]


def test_a_driver_that_tells_nothing_of_buffers_is_asked_once(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def refuse(descriptor: int, index: int) -> tuple[bool, int]:
        nonlocal asked
        asked += 1
        raise OSError(errno.EINVAL, "no such buffer")

    monkeypatch.setattr(v4l2, "buffer_state", refuse)
    sink = open_sink("vcam", size=Size(64, 48), fps=30)
    for _ in range(4):
        sink.send(FRAME)
    sink.close()
    assert asked == 1
    assert driver.events.count("sent") == 4
