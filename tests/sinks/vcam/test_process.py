"""The virtual camera's process: frames go through it as they are, it is ended when it hangs, and it leaves nothing behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from gpen_live.errors import GpenLiveError, SinkError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.sinks import open_sink, readers
from gpen_live.sinks.vcam import sink
from gpen_live.sinks.vcam.ring import PLACES, Ring
from gpen_live.sinks.vcam.sink import VirtualCameraSink, native_format
from tests.live.fakes import wait_for
from tests.messages.says import says
from tests.sinks.vcam.driver import FakeDriver

SIZE = Size(64, 48)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A virtual camera for the processes that this one starts."""
    made = FakeDriver(tmp_path)
    for name in ("LD_PRELOAD", "FAKE_LOOPBACK"):
        monkeypatch.setenv(name, made.environment[name])
    return made


def frame(number: int) -> Array:
    pixels = np.random.default_rng(number).integers(0, 255, (72, 64), np.uint8)
    pixels[0, 0] = number
    return pixels


def opened(driver: FakeDriver, size: Size = SIZE) -> VirtualCameraSink:
    sink = open_sink(driver.spec, size=size, fps=30)
    assert isinstance(sink, VirtualCameraSink)
    return sink


def children() -> list[psutil.Process]:
    """The virtual camera's processes that this one has."""
    return [each for each in psutil.Process().children() if "gpen_live.sinks.vcam.process" in each.cmdline()]


def test_frames_arrive_as_they_are_and_in_order(driver: FakeDriver) -> None:
    camera = opened(driver)
    assert camera.wants is PixelFormat.I420
    assert camera.label == str(driver.device)
    for number in range(20):
        pixels = frame(number)
        camera.send(pixels[:, ::-1] if number % 2 else pixels, 0.0)
        assert driver.device.read_bytes() == (pixels[:, ::-1] if number % 2 else pixels).tobytes()
    process = children()[0].pid
    assert {process} == readers.OWN, "it is no program that reads the camera"
    camera.close()
    camera.close()
    assert [taken.size for taken in driver.taken()] == [72 * 64] * 20
    assert {taken.process for taken in driver.taken()} == {process}
    assert children() == []
    assert set() == readers.OWN


def test_a_frame_that_is_made_in_its_place_is_not_copied(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = opened(driver)
    monkeypatch.setattr(Ring, "put", lambda *_: pytest.fail("copied"))
    kept = []
    for number in range(PLACES):
        place = camera.buffer()
        assert place is not None
        np.copyto(place, frame(number))
        camera.send(place, 0.0)
        kept.append(place)
    assert [taken.first[0] for taken in driver.taken()] == list(range(PLACES))
    assert camera.buffer() is None, "all of them are somebody's"
    camera.send(kept[2], 0.0)
    assert driver.taken()[-1].first[0] == 2, "a frame can be sent again"
    camera.close()


def test_a_place_is_somebodys_for_as_long_as_anything_refers_to_it() -> None:
    ring = Ring((6, 4), places=1)
    place = ring.take()
    assert place is not None
    row = place[2:3].reshape(-1)[1:]
    del place
    gc.collect()
    assert ring.take() is None
    del row
    assert ring.take() is not None
    assert ring.place_of(np.zeros((6, 4), np.uint8)) is None
    assert ring.place_of(np.zeros((4, 6), np.uint8)) is None


def test_a_shape_that_was_not_agreed_on(driver: FakeDriver) -> None:
    camera = opened(driver, Size(63, 47))
    camera.send(frame(1), 0.0)
    with pytest.raises(SinkError, check=says("vcam.frame_shape")):
        camera.send(np.zeros((36, 32), np.uint8), 0.0)
    camera.close()
    with pytest.raises(SinkError, check=says("vcam.closed")):
        camera.send(frame(1), 0.0)


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("fail", says("vcam.frame_refused", reason="Input/output error")),
        ("short", says("vcam.frame_short", written=2304, bytes=4608)),
    ],
)
def test_a_frame_that_the_driver_did_not_take(driver: FakeDriver, mode: str, told: Callable[[GpenLiveError], bool]) -> None:
    camera = opened(driver)
    camera.send(frame(1), 0.0)
    driver.set(mode)
    with pytest.raises(SinkError, check=told):
        camera.send(frame(2), 0.0)
    camera.close()
    assert children() == []
    driver.set()
    opened(driver).close()


@pytest.mark.parametrize(("mode", "key"), [("busy", "vcam.in_use"), ("camera", "vcam.not_virtual"), ("gone", "vcam.missing")])
def test_a_device_that_does_not_open(driver: FakeDriver, mode: str, key: str) -> None:
    driver.set(mode)
    with pytest.raises(SinkError, check=says(key)):
        opened(driver)
    assert children() == []


def test_a_file_and_a_camera_that_is_not_there() -> None:
    with pytest.raises(SinkError, check=says("vcam.missing", device="/dev/video77")):
        VirtualCameraSink("/dev/video77", size=SIZE, fps=30)
    with pytest.raises(SinkError, check=says("vcam.not_virtual", device=os.devnull)):
        VirtualCameraSink(os.devnull, size=SIZE, fps=30)


def test_a_driver_that_does_not_come_back_is_left_after_a_second(driver: FakeDriver) -> None:
    camera = opened(driver)
    driver.set("block 60")
    begun = time.monotonic()
    with pytest.raises(SinkError, check=says("vcam.not_taking")):
        camera.send(frame(1), 0.0)
    assert 0.9 < time.monotonic() - begun < 4
    camera.close()
    assert children() == []


def test_its_end_is_an_error_of_the_next_frame(driver: FakeDriver) -> None:
    camera = opened(driver)
    process = children()[0]
    process.kill()
    process.wait()
    with pytest.raises(SinkError, check=says("vcam.ended")):
        camera.send(frame(1), 0.0)
    camera.close()


APP = """
import sys, numpy as np
from gpen_live.frame import Size
from gpen_live.sinks import open_sink
sink = open_sink(sys.argv[1], size=Size(64, 48), fps=30)
print(sink._process.pid, flush=True)
while True:
    sink.send(np.zeros((72, 64), np.uint8), 0.0)
"""


@pytest.mark.parametrize("mode", ["", "block 60"])
def test_it_ends_when_the_app_is_killed_whatever_the_driver_does(driver: FakeDriver, mode: str) -> None:
    names = set(Path("/dev/shm").iterdir())
    app = subprocess.Popen(
        [sys.executable, "-c", APP, driver.spec],
        env=driver.environment,
        stdout=subprocess.PIPE,
        text=True,
        cwd=driver.device.parent,
    )
    assert app.stdout is not None
    process = psutil.Process(int(app.stdout.readline()))
    wait_for(lambda: driver.taken() != [])
    if mode:
        driver.set(mode)
        time.sleep(0.3)
    app.kill()
    app.wait()
    app.stdout.close()
    process.wait(5)
    assert {name for name in Path("/dev/shm").iterdir() if "gpen" in name.name} <= names


def test_an_app_that_was_stopped_for_a_while_goes_on(driver: FakeDriver) -> None:
    app = subprocess.Popen(
        [sys.executable, "-c", APP, driver.spec],
        env=driver.environment,
        stdout=subprocess.PIPE,
        text=True,
        cwd=driver.device.parent,
    )
    assert app.stdout is not None
    process = int(app.stdout.readline())
    try:
        for _ in range(3):
            seen = len(driver.taken())
            wait_for(lambda: len(driver.taken()) > seen)  # noqa: B023
            app.send_signal(signal.SIGSTOP)
            time.sleep(1.5)
            app.send_signal(signal.SIGCONT)
        seen = len(driver.taken())
        wait_for(lambda: len(driver.taken()) > seen + 10)
        assert {taken.process for taken in driver.taken()} == {process}
    finally:
        app.kill()
        app.wait()
        app.stdout.close()


def test_it_starts_quickly_for_it_loads_little() -> None:
    heavy = "numpy, cv2, av, torch, scipy, click, PySide6, msgspec"
    code = f"import sys, gpen_live.sinks.vcam.process; print([m for m in {heavy.split(', ')} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("platform", "flags", "own_session"), [("win32", 0x08000200, False), ("darwin", 0, True)])
def test_how_it_is_started_elsewhere(platform: str, flags: int, own_session: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(sys, "platform", platform)
    if platform == "win32":
        monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
        monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x00000200, raising=False)
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: asked.update(how, command=command))
    sink._start(() if platform == "win32" else (7,))
    assert asked["command"] == [sys.executable, "-m", "gpen_live.sinks.vcam.process"]
    assert (asked["creationflags"], asked["start_new_session"]) == (flags, own_session)
    assert asked["cwd"] == Path(__file__).parents[3]
    assert asked["stderr"] == subprocess.DEVNULL


def test_the_pixel_format_that_costs_least() -> None:
    assert [native_format(system) for system in ("Windows", "Darwin", "Linux")] == [
        PixelFormat.NV12,
        PixelFormat.I420,
        PixelFormat.I420,
    ]
