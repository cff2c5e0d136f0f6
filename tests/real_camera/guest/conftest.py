"""Each test finds the drivers as they are after the guest's start."""

from __future__ import annotations

import os
import time

import cv2
import pytest

from gpen_live.sinks.vcam import sink
from gpen_live.system.opencv import prepare
from tests.real_camera.guest import drivers


def pytest_configure() -> None:
    prepare()
    os.environ["OPENCV_LOG_LEVEL"] = "ERROR"  # for the other programs
    cv2.setNumThreads(2)
    sink.PATIENCE_S, sink._OPEN_S = 15.0, 120.0  # an emulated processor takes its time


@pytest.fixture(autouse=True)
def machine() -> None:
    """The camera plugged in as the first one, without faults."""
    for _ in range(20):
        if drivers.camera_node() == drivers.CAMERA:
            break
        if drivers.camera_node() is not None:  # under another number, since somebody still held the old one
            drivers.unplug()
            time.sleep(0.5)
        drivers.plug_in()
    assert drivers.camera_node() == drivers.CAMERA, "something still holds the last test's camera"
    assert drivers.loopbacks_loaded()
