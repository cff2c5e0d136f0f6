"""Cameras, by a stand-in for OpenCV's capture."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from gpen_live.errors import SourceError
from gpen_live.frame import Array, Size
from gpen_live.messages import Message, message
from gpen_live.sources import camera, open_source
from gpen_live.sources.camera import CameraSource, open_capture
from gpen_live.sources.devices import CameraInfo
from tests.messages.says import says

PICTURE = np.full((480, 640, 3), 90, np.uint8)
MJPG, YUYV = (cv2.VideoWriter.fourcc(*code) for code in ("MJPG", "YUYV"))
TWO = [CameraInfo(0, "Integrated Camera"), CameraInfo(1, "C920")]
Answer = tuple[bool, Array | None]


class FakeCapture:
    """A camera: which backends open it, which formats it knows, what reading it gives."""

    made: ClassVar[list[FakeCapture]]
    opens: Callable[[int], bool]
    formats: tuple[int, ...]
    answer: Callable[[FakeCapture], Answer]

    def __init__(self, index: int, backend: int, params: list[int] | None = None) -> None:
        self.index, self.backend, self.params = index, backend, params
        self.settings: dict[int, float] = {}
        self.asked: list[int] = []
        self.released = threading.Event()
        self.reads = 0
        self.thread = threading.current_thread()
        type(self).made.append(self)

    def isOpened(self) -> bool:
        return type(self).opens(self.backend)

    def set(self, prop: int, value: float) -> bool:
        self.asked.append(prop)
        if prop == cv2.CAP_PROP_FOURCC and value not in type(self).formats:
            return False
        self.settings[prop] = value
        return True

    def get(self, prop: int) -> float:
        return self.settings.get(prop, 0.0)

    def read(self) -> Answer:
        self.reads += 1
        return type(self).answer(self)

    def release(self) -> None:
        assert threading.current_thread() is self.thread, "released by another thread than the one that opened it"
        self.released.set()


def thirty_a_second(capture: FakeCapture) -> Answer:
    time.sleep(1 / 120)
    return True, np.full_like(PICTURE, capture.reads % 250)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeCapture]]:
    """A Windows machine with two cameras that work."""

    class Fake(FakeCapture):
        made: ClassVar[list[FakeCapture]] = []
        opens = staticmethod(lambda backend: True)
        formats = (MJPG, YUYV)
        answer = staticmethod(thirty_a_second)

    monkeypatch.setattr(cv2, "VideoCapture", Fake)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(camera, "list_cameras", lambda: TWO)
    yield Fake
    for capture in Fake.made:
        assert capture.released.wait(5), "a capture was left open"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_OPEN_TIMEOUT_S", "_FIRST_FRAME_TIMEOUT_S", "_FRAME_TIMEOUT_S", "_CLOSE_TIMEOUT_S"):
        monkeypatch.setattr(camera, name, 0.2)


def consume(pictures: Iterator[object]) -> None:
    deque(pictures, maxlen=0)


def linux(monkeypatch: pytest.MonkeyPatch, folder: Path, *nodes: int) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(camera, "_DEVICES", folder)
    monkeypatch.setattr(camera, "captures", lambda device: True)
    for node in nodes:
        (folder / f"video{node}").touch()


def test_it_delivers_its_newest_pictures_until_closed(fake: type[FakeCapture]) -> None:
    source = open_source("camera:1", size=None, fps=None)
    assert (source.label, source.size) == ("C920", Size(640, 480))
    numbers = []
    for _ in range(5):
        image = source.read()
        assert image is not None
        numbers.append(int(image[0, 0, 0]))
    assert numbers == sorted(set(numbers))
    (capture,) = fake.made
    while capture.reads < numbers[-1] + 6:  # a slow reader: the next picture is a new one
        time.sleep(0.01)
    late = source.read()
    assert late is not None
    assert late[0, 0, 0] > numbers[-1] + 3
    source.close()
    source.close()
    assert capture.released.is_set()
    assert capture.index == 1


def test_the_frame_rate_is_measured() -> None:
    source = CameraSource(0, fps=60)
    assert source.fps == 60
    end = time.monotonic() + 20
    while source.fps == 60 and time.monotonic() < end:
        source.read()
    assert source.fps != 60
    assert 1 < source.fps < 125  # it sleeps for 1/120 s a picture, on a machine that may be busy
    source.close()


def test_grey_cameras_are_shown_grey(fake: type[FakeCapture]) -> None:
    fake.answer = staticmethod(lambda capture: (True, PICTURE[:, :, 0]))
    source = CameraSource(0)
    assert np.array_equal(source.read(), PICTURE)
    source.close()


# How it is opened


class DirectShow(FakeCapture):
    """A camera that remembers what it is asked for, in turn, and does as it likes: `stubborn` times it stays in YUYV at 5 fps."""

    stubborn = 0

    def __init__(self, index: int, backend: int, params: list[int] | None = None) -> None:
        super().__init__(index, backend, params)
        for prop, value in zip((params or [])[::2], (params or [])[1::2], strict=True):
            self.set(prop, value)

    def get(self, prop: int) -> float:
        stubborn = self.asked.count(prop) <= type(self).stubborn
        slow: dict[int, float] = {cv2.CAP_PROP_FOURCC: YUYV, cv2.CAP_PROP_FPS: 5.0}
        return slow.get(prop, super().get(prop)) if stubborn else super().get(prop)


RATE_FORMAT_SIZE = [cv2.CAP_PROP_FPS, cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT]


@pytest.mark.parametrize(("stubborn", "times"), [(0, 1), (1, 2), (9, 2)])
def test_directshow_is_asked_for_rate_then_format_then_size_and_once_more_where_it_gave_others(
    stubborn: int, times: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Fake(DirectShow):
        made: ClassVar[list[FakeCapture]] = []
        opens = staticmethod(lambda backend: True)
        formats = (MJPG, YUYV)

    Fake.stubborn = stubborn
    monkeypatch.setattr(cv2, "VideoCapture", Fake)
    capture = open_capture(1, Size(1920, 1080), 59.94)
    (made,) = Fake.made
    assert (made.index, made.backend) == (1, cv2.CAP_DSHOW)
    assert made.params == [
        *(cv2.CAP_PROP_FPS, 60, cv2.CAP_PROP_FOURCC, MJPG),
        *(cv2.CAP_PROP_FRAME_WIDTH, 1920, cv2.CAP_PROP_FRAME_HEIGHT, 1080),
    ]
    assert made.asked == RATE_FORMAT_SIZE * times
    assert ("1920x1080 YUYV at 5 fps" in caplog.text) is (stubborn == 9), "what it gives in the end is in the log"
    assert capture is not None
    capture.release()


def test_windows_falls_back_to_media_foundation(fake: type[FakeCapture]) -> None:
    fake.opens = staticmethod(lambda backend: backend == cv2.CAP_MSMF)
    capture = open_capture(0, Size(640, 480), 30)
    assert [made.backend for made in fake.made] == [cv2.CAP_DSHOW, cv2.CAP_MSMF]
    assert fake.made[0].released.is_set()
    assert capture is not None
    capture.release()


def test_macos_uses_avfoundation(fake: type[FakeCapture], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    capture = open_capture(0, Size(640, 480), 30)
    (made,) = fake.made
    assert made.backend == cv2.CAP_AVFOUNDATION
    assert made.params is not None
    assert cv2.CAP_PROP_FRAME_WIDTH in made.params
    assert capture is not None
    capture.release()


@pytest.mark.parametrize(("formats", "taken"), [((MJPG, YUYV), MJPG), ((YUYV,), YUYV), ((), None)])
def test_linux_asks_for_mjpg_then_yuyv(
    formats: tuple[int, ...], taken: int | None, fake: type[FakeCapture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    fake.formats = formats
    capture = open_capture(2, Size(800, 600), 25)
    (made,) = fake.made
    assert (made.index, made.backend) == (2, cv2.CAP_V4L2)
    assert made.settings.get(cv2.CAP_PROP_FOURCC) == taken
    wished = {cv2.CAP_PROP_FRAME_WIDTH: 800, cv2.CAP_PROP_FRAME_HEIGHT: 600, cv2.CAP_PROP_FPS: 25}
    assert wished.items() <= made.settings.items()
    assert capture is not None
    capture.release()


# What goes wrong


def test_a_driver_that_raises_while_it_is_opened_is_told_at_once(
    fake: type[FakeCapture], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(index: int, size: Size, fps: float) -> cv2.VideoCapture | None:
        raise RuntimeError("driver gone mad")

    began = time.monotonic()
    with pytest.raises(SourceError, check=says("camera.failed", reason="driver gone mad")):
        CameraSource(0, device=broken)
    assert time.monotonic() - began < 5


def test_a_driver_that_raises_while_it_is_read_is_told_at_once(fake: type[FakeCapture]) -> None:
    source = CameraSource(0)

    def broken(capture: FakeCapture) -> Answer:
        raise RuntimeError("driver gone mad")

    fake.answer = staticmethod(broken)
    with pytest.raises(SourceError, check=says("camera.failed", reason="driver gone mad")):
        consume(source.read() for _ in range(1000))
    source.close()
    assert fake.made[0].released.is_set()


CHOICES = message("camera.choices", cameras="camera:0 (Integrated Camera), camera:1 (C920)")


def said(**options: Any) -> Message:
    with pytest.raises(SourceError) as caught:
        CameraSource(options.pop("index", 1), **options)
    return caught.value.message


@pytest.mark.parametrize("system", ["Windows", "Darwin"])
def test_a_camera_that_does_not_exist(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    assert said(index=7) == message("camera.missing", index=7, choices=CHOICES)


def test_no_camera_at_all(fake: type[FakeCapture], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "list_cameras", list)
    fake.opens = staticmethod(lambda backend: False)
    assert said(index=0) == message("camera.missing", index=0, choices=message("camera.no_choice"))


@pytest.mark.parametrize(
    ("system", "key"), [("Windows", "camera.busy_windows"), ("Darwin", "camera.busy_macos"), ("Linux", "camera.busy")]
)
def test_a_camera_in_use(system: str, key: str, fake: type[FakeCapture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linux(monkeypatch, tmp_path, 1)
    monkeypatch.setattr(platform, "system", lambda: system)
    fake.opens = staticmethod(lambda backend: False)
    assert said() == message(key, name="C920", index=1)


def test_linux_a_camera_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linux(monkeypatch, tmp_path, 0)
    assert said() == message("camera.missing", index=1, choices=CHOICES)


def test_linux_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linux(monkeypatch, tmp_path, 1)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert said() == message("camera.no_permission", index=1, device=tmp_path / "video1")


def test_linux_a_device_that_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linux(monkeypatch, tmp_path, 1)
    monkeypatch.setattr(camera, "captures", lambda device: False)
    assert said() == message("camera.not_a_camera", device=tmp_path / "video1", choices=CHOICES)


@pytest.mark.parametrize(
    "answer",
    [
        (False, None),
        (True, np.zeros((0, 0, 3), np.uint8)),
        (True, np.zeros((4, 4, 2), np.uint8)),
        (True, np.zeros((9,), np.uint8)),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_camera_that_delivers_nothing(answer: Answer, fake: type[FakeCapture]) -> None:
    fake.answer = staticmethod(lambda capture: answer)
    assert said() == message("camera.silent", name="C920")


@pytest.mark.usefixtures("impatient")
def test_a_driver_that_hangs_while_opening(fake: type[FakeCapture]) -> None:
    goes_on = threading.Event()
    fake.opens = staticmethod(lambda backend: goes_on.wait(10))
    assert said().id.startswith("camera.busy")
    goes_on.set()  # and the camera is released after all: see the fixture


@pytest.mark.usefixtures("impatient")
def test_a_driver_that_hangs_while_reading(fake: type[FakeCapture]) -> None:
    goes_on = threading.Event()
    fake.answer = staticmethod(lambda capture: (goes_on.wait(10), None))
    assert said().id == "camera.silent"
    goes_on.set()


def test_a_camera_that_is_pulled_out(fake: type[FakeCapture]) -> None:
    fake.answer = staticmethod(lambda capture: (True, PICTURE) if capture.reads < 3 else (False, None))
    source = CameraSource(0)
    with pytest.raises(SourceError) as caught:
        consume(source.read() for _ in range(10))
    assert caught.value.message == message("camera.stopped", name="Integrated Camera")
    source.close()
