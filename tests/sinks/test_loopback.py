"""What the virtual camera asks of v4l2loopback itself; `tests/real_camera` asks the real one."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from gpen_live.errors import SinkError
from gpen_live.messages import message
from gpen_live.sinks import loopback
from gpen_live.sinks.vcam.devices import Device, Wish, open_device
from gpen_live.system import v4l2
from tests.messages.says import says

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such devices")

FRAME = memoryview(bytes(64 * 72))


class Driver:
    """v4l2loopback: what it says a device can do, who has streamed to it, and in which order things happened to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = str(folder / "dev" / "video10")
        self.able = v4l2.OUTPUT
        self.events: list[str] = []
        self._claims: set[int] = set()
        self._senders: set[int] = set()
        self._write, self._close = os.write, os.close
        for node in ("dev", "video10"):
            (folder / node).mkdir()
        Path(self.device).touch()
        (folder / "video10" / "name").write_text("GPEN Live\n")

    def capabilities(self, device: str) -> int:
        return self.able

    def open_as_output(self, device: str) -> int:
        descriptor = os.open(os.devnull, os.O_RDWR)
        self._claims.add(descriptor)
        self.events.append("claimed")
        return descriptor

    def give_up(self, descriptor: int) -> None:
        self._claims.remove(descriptor)
        self._close(descriptor)
        self.events.append("given up")
        self.able |= v4l2.OUTPUT

    def set_output_format(self, descriptor: int, *_: object) -> None:
        self._senders.add(descriptor)

    def write(self, descriptor: int, data: bytes) -> int:
        if descriptor in self._senders:
            self.able = v4l2.CAPTURE
            self.events.append("sent")
        return self._write(descriptor, data)

    def close(self, descriptor: int) -> None:
        if descriptor in self._senders:
            self._senders.remove(descriptor)
            self.able = 0  # what 0.12 makes of a sender that only ever wrote
            self.events.append("closed")
        self._close(descriptor)

    def shows(self, text: str) -> None:
        (self.folder / "video10" / "format").write_text(text)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Driver:
    """A Linux with one loopback."""
    made = Driver(tmp_path)
    monkeypatch.setattr(loopback, "_DEVICES", tmp_path)
    monkeypatch.setattr(loopback, "_NODES", tmp_path / "dev")
    monkeypatch.setattr(v4l2, "capabilities", made.capabilities)
    monkeypatch.setattr(v4l2, "is_loopback_output", lambda _: bool(made.able & v4l2.OUTPUT))
    monkeypatch.setattr(v4l2, "set_output_format", made.set_output_format)
    monkeypatch.setattr(v4l2, "open_as_output", made.open_as_output)
    monkeypatch.setattr(loopback, "_close", made.give_up)
    monkeypatch.setattr(os, "write", made.write)
    monkeypatch.setattr(os, "close", made.close)
    return made


def vcam(device: str | None = None) -> Device:
    return open_device(Wish(device, 64, 48, 30, "I420"), "Linux")


def test_the_driver_is_told_after_the_first_frame_and_again_at_the_end(driver: Driver) -> None:
    sink = vcam()
    sink.send(FRAME)
    sink.send(FRAME)
    sink.close()
    sink.close()
    assert driver.events == ["sent", "claimed", "sent", "closed", "given up"]
    vcam().close()


def test_a_device_that_a_sender_left_behind_is_freed(driver: Driver) -> None:
    driver.able = 0
    vcam().close()
    assert driver.events == ["claimed", "given up", "closed"]


def test_one_that_somebody_sends_to_is_left_alone(driver: Driver) -> None:
    driver.able = v4l2.CAPTURE
    with pytest.raises(SinkError, check=says("vcam.in_use", name=driver.device)):
        vcam()
    assert driver.events == []


def test_our_own_device_is_preferred_and_named(driver: Driver) -> None:
    for node, label in (("video2", "OBS Virtual Camera"), ("video3", "My camera")):
        (driver.folder / "dev" / node).touch()
        (driver.folder / node).mkdir()
        (driver.folder / node / "name").write_text(f"{label}\n")
    for wish, label in ((None, "GPEN Live"), ("video3", "My camera")):
        path = driver.device if wish is None else str(driver.folder / "dev" / wish)
        device = vcam(None if wish is None else path)
        assert device.label == f"{label} ({path})"
        device.close()


def test_without_ours_the_first_one_that_is_free_is_taken(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    (driver.folder / "video10" / "name").write_text("Another label\n")
    for node in ("video9", "video11"):
        (driver.folder / "dev" / node).touch()
    answers = iter([False, True])
    monkeypatch.setattr(v4l2, "is_loopback_output", lambda _: next(answers))
    device = vcam()
    assert device.label == f"Another label ({driver.device})"
    device.close()
    monkeypatch.setattr(v4l2, "is_loopback_output", lambda _: False)
    with pytest.raises(SinkError, check=says("vcam.module")):
        vcam()


def test_a_size_that_its_viewers_do_not_have_is_refused(driver: Driver) -> None:
    driver.shows("YU12:640x480@30\n")
    with pytest.raises(SinkError) as caught:
        vcam()
    assert caught.value.message == message("vcam.shown_otherwise", name=f"GPEN Live ({driver.device})", size="640x480")
    assert driver.events == ["closed"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("YU12:640x480@30\n", (640, 480)),
        ("MJPG:1920x1080@30000/1001\n", (1920, 1080)),
        ("", None),
        ("nonsense", None),
    ],
)
def test_what_the_driver_says_is_shown(text: str, size: tuple[int, int] | None, driver: Driver) -> None:
    driver.shows(text)
    assert loopback.shown_size(driver.device) == size
    assert loopback.shown_size("/dev/video11") is None


def test_a_driver_that_takes_no_claim_is_sent_to_all_the_same(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> int:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(v4l2, "open_as_output", refuse)
    sink = vcam()
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
    sink = vcam()
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
    sink = vcam()
    for _ in range(4):
        sink.send(FRAME)
    sink.close()
    assert asked == 1
    assert driver.events.count("sent") == 4
