"""Who reads the virtual camera: with a driver and a list of processes of the tests' own."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from gpen_live.sinks import readers as module
from gpen_live.sinks.readers import holders, readers, told_by_driver
from gpen_live.sinks.vcam import device_in

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="v4l2loopback is a driver of Linux")


class Driver:
    """Answers as v4l2loopback does: the present count at once to who subscribes to the event; older ones refuse."""

    def __init__(self, count: int, *, tells: bool = True) -> None:
        self.count, self.tells, self.subscribed = count, tells, False

    def ioctl(self, handle: int, request: int, data: bytes | bytearray) -> int:
        if request == module.SUBSCRIBE_EVENT:
            kind, _, flags = struct.unpack_from("=III", data)
            if not self.tells or kind != 0x10E00001:
                raise OSError(22, "Invalid argument")
            self.subscribed = flags == 1
        elif request == module.DEQUEUE_EVENT:
            assert isinstance(data, bytearray)
            if not self.subscribed:
                raise OSError(2, "No such event")
            struct.pack_into("=II", data, 0, 0x10E00001, 0)
            struct.pack_into("=I", data, 8, self.count)
        else:
            raise AssertionError(hex(request))
        return 0


def install(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    import fcntl

    monkeypatch.setattr(fcntl, "ioctl", driver.ioctl)


@linux
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_driver_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int) -> None:
    device = tmp_path / "video10"
    device.touch()
    install(monkeypatch, Driver(count))
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert readers(str(device)) == count
    assert len(list(Path("/proc/self/fd").iterdir())) == before, "the device is let go of"


@linux
def test_an_older_driver_does_not_tell_and_the_processes_are_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "video10"
    device.touch()
    install(monkeypatch, Driver(0, tells=False))
    assert told_by_driver(str(device)) is None
    monkeypatch.setattr(module, "holders", lambda path: 2 if path == str(device) else 0)
    assert readers(str(device)) == 2


@linux
def test_a_device_that_is_gone_is_read_by_nobody(tmp_path: Path) -> None:
    assert told_by_driver(str(tmp_path / "video99")) is None
    assert readers(str(tmp_path / "video99")) == 0


@linux
def test_processes_that_hold_the_device_are_counted_once_and_without_this_one(tmp_path: Path) -> None:
    device, other = tmp_path / "video10", tmp_path / "video1"
    device.touch()
    other.touch()
    open_files = {os.getpid(): [device], 7000001: [other, device, device], 7000002: [other], 7000003: []}
    for pid, files in open_files.items():
        folder = tmp_path / "proc" / str(pid) / "fd"
        folder.mkdir(parents=True)
        for number, file in enumerate(files):
            (folder / str(number)).symlink_to(file)
    (tmp_path / "proc" / "7000004").mkdir()  # ended meanwhile, or another user's
    (tmp_path / "proc" / "meminfo").touch()
    assert holders(str(device), tmp_path / "proc") == 1
    assert holders(str(other), tmp_path / "proc") == 2
    assert holders(str(device), tmp_path / "nowhere") is None


@linux
def test_a_real_process_that_holds_a_file_is_found(tmp_path: Path) -> None:
    import subprocess

    file = tmp_path / "video10"
    file.touch()
    assert holders(str(file)) == 0
    with file.open() as opened, subprocess.Popen(["sleep", "30"], stdin=opened) as process:
        assert holders(str(file)) == 1
        process.kill()


def test_other_systems_do_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in ("win32", "darwin"):
        monkeypatch.setattr(sys, "platform", platform)
        assert readers("/dev/video10") is None


def test_a_label_names_its_device() -> None:
    assert device_in("GPEN Live (/dev/video10)") == "/dev/video10"
    assert device_in("/dev/video3") == "/dev/video3"
    assert device_in("OBS Virtual Camera") is None
    assert device_in("") is None
