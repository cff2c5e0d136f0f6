"""Our camera source on vivid, a real driver of a camera that shows colour bars."""

from __future__ import annotations

import time
from contextlib import closing

import cv2
import numpy as np
import pytest

from gpen_live.errors import SourceError
from gpen_live.frame import Image, Size
from gpen_live.messages import message
from gpen_live.sources import open_source
from gpen_live.sources.base import Source
from gpen_live.sources.camera import CameraSource
from gpen_live.sources.devices import CameraInfo, list_cameras
from tests.real_camera.guest import drivers
from tests.real_camera.guest.programs import holder

BARS = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0))
"""vivid's 100% colour bars from left to right, RGB."""

NAME = "vivid-000-vid-cap"
SMALL = Size(640, 480)
SIZES = [Size(640, 360), SMALL, Size(1280, 720), Size(1920, 1080)]


def read(source: Source) -> Image:
    image = source.read()
    assert image is not None
    return image


def error_of(source: Source) -> SourceError:
    """What it says once it has no more pictures."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            source.read()
        except SourceError as error:
            return error
    raise AssertionError("it said nothing")


def bars_of(image: Image) -> list[tuple[int, int, int]]:
    """The colour in the middle of each bar, BGR, below the texts that vivid writes into the picture."""
    height, width = image.shape[:2]
    row = image[height * 3 // 4]
    middles = (round((i + 0.5) * width / len(BARS)) for i in range(len(BARS)))
    return [tuple(int(value) for value in row[x - 2 : x + 3].mean(axis=0)) for x in middles]  # type: ignore[misc]


def test_it_is_listed_by_name_without_our_own_output() -> None:
    assert list_cameras() == [CameraInfo(0, NAME), CameraInfo(12, "Open loopback")]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_each_size_arrives_with_the_right_colours(size: Size) -> None:
    drivers.control("test_pattern", 1)
    with closing(open_source("camera:0", size=size, fps=None)) as source:
        assert source.size == size
        assert source.label == NAME
        pictures = [read(source) for _ in range(5)]
    assert len({picture.tobytes() for picture in pictures}) == 5, "the same picture twice"
    for picture in pictures:
        assert Size.of(picture) == size
        for seen, (red, green, blue) in zip(bars_of(picture), BARS, strict=True):
            assert np.abs(np.subtract(seen, (blue, green, red))).max() <= 6, (seen, (blue, green, red))


def test_a_size_it_lacks_gives_the_nearest() -> None:
    with closing(open_source("/dev/video0", size=Size(800, 600), fps=None)) as source:
        assert source.size in SIZES
        assert Size.of(read(source)) == source.size


def test_held_by_another_program_then_free() -> None:
    with holder(drivers.CAMERA):
        with pytest.raises(SourceError) as caught:
            CameraSource(0)
        assert caught.value.message == message("camera.busy", name=NAME, index=0)
    with closing(CameraSource(0)) as source:
        assert read(source).any()


def test_unplugged_while_it_is_read_and_plugged_in_again() -> None:
    with closing(CameraSource(0, size=SMALL)) as source:
        read(source)
        drivers.unplug()
        assert error_of(source).message == message("camera.stopped", name=NAME)
        with pytest.raises(SourceError) as absent:
            CameraSource(0)
        assert absent.value.message.id == "camera.missing"
    drivers.plug_in()
    assert drivers.camera_node() == drivers.CAMERA, "closing did not let go of the old one"
    with closing(CameraSource(0, size=SMALL)) as again:
        assert read(again).any()


def test_plugged_in_again_before_the_old_one_was_closed_it_has_another_number() -> None:
    with closing(CameraSource(0, size=SMALL)) as source:
        read(source)
        drivers.unplug()
        drivers.plug_in()
        number = CameraInfo(1, NAME)
        assert number in list_cameras()
        with closing(open_source(number.spec, size=SMALL, fps=None)) as other:
            assert read(other).any()
        assert error_of(source).message == message("camera.stopped", name=NAME)


def test_torn_off_by_the_drivers_own_disconnect() -> None:
    with closing(CameraSource(0, size=SMALL)) as source:
        read(source)
        drivers.control("disconnect", 1)
        assert error_of(source).message == message("camera.stopped", name=NAME)
        with pytest.raises(SourceError):
            CameraSource(0)
    with closing(CameraSource(0, size=SMALL)) as again:  # vivid is back once nobody holds it any more
        assert read(again).any()


def test_a_fatal_error_of_the_stream_is_said_and_reopening_mends_it() -> None:
    with closing(CameraSource(0, size=SMALL)) as source:
        read(source)
        drivers.control("inject_fatal_streaming_error", 1)
        assert error_of(source).message == message("camera.stopped", name=NAME)
    with closing(CameraSource(0, size=SMALL)) as again:
        assert read(again).any()


def test_lost_and_damaged_buffers_are_lived_with() -> None:
    with closing(CameraSource(0, size=SMALL)) as source:
        try:
            drivers.control("percentage_of_dropped_buffers", 50)
            drivers.control("inject_v4l2_buf_flag_error", 1)
            pictures = [read(source) for _ in range(20)]
        finally:
            drivers.control("percentage_of_dropped_buffers", 0)
    assert all(Size.of(picture) == SMALL for picture in pictures)


def test_closing_lets_go_of_the_device_at_once() -> None:
    for _ in range(3):
        with closing(CameraSource(0, size=SMALL)) as source:
            read(source)
        capture = cv2.VideoCapture(0, cv2.CAP_V4L2)
        assert capture.isOpened()
        capture.release()
