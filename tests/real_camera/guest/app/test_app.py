"""The whole app, with a network and its window, between a real camera and a real virtual camera."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gpen_live.frame import Image, Size
from tests.real_camera.guest import drivers
from tests.real_camera.guest.film import face
from tests.real_camera.guest.numbered import BLOCK, number_of
from tests.real_camera.guest.programs import film, wait_until
from tests.real_camera.guest.screen import PREVIEW, display, overlay_likeness, screenshot

SIZE = Size(640, 480)
OUT = Path(os.environ["GPEN_LIVE_OUT"])
PICTURES = 12


def watched(count: int) -> list[Image]:
    """Pictures of as many different frames, as a viewer of the virtual camera gets them."""
    capture = cv2.VideoCapture(drivers.VIRTUAL, cv2.CAP_V4L2)
    assert capture.isOpened()
    pictures: list[Image] = []

    def another() -> bool:
        there, image = capture.read()
        if there and (not pictures or number_of(np.asarray(image)) != number_of(pictures[-1])):
            pictures.append(np.asarray(image, np.uint8))
        return len(pictures) == count

    wait_until(another, what=lambda: f"a frozen picture after {len(pictures)}")
    capture.release()
    return pictures


def is_camera() -> bool:
    """Whether somebody sends to the virtual camera."""
    capture = cv2.VideoCapture(drivers.VIRTUAL, cv2.CAP_V4L2)
    opened = capture.isOpened()
    capture.release()
    return opened


@pytest.mark.timeout(800)
def test_a_face_is_enhanced_from_camera_to_viewer_while_the_window_shows_it(tmp_path: Path) -> None:
    report = OUT / "report.json"
    arguments = ["run", "--source", "camera:11", "--sink", "vcam", "--size", str(SIZE), "--model", "lite-256", "--device", "cpu"]
    arguments += [
        "--beauty",
        "off",
        "--fps",
        "10",
        "--budget",
        "0",
        "--report",
        str(report),
    ]  # in time or not, each face is enhanced
    with film(drivers.FILM, SIZE, "YUYV", fps=10, face=True), display(tmp_path) as name:
        environment = {**os.environ, "DISPLAY": name, "QT_QPA_PLATFORM": "xcb", "XDG_CONFIG_HOME": str(tmp_path)}
        app = subprocess.Popen([sys.executable, "-m", "gpen_live", *arguments], env=environment)
        try:
            wait_until(lambda: is_camera() or app.poll() is not None, 300)
            wait_until(lambda: app.poll() is not None or _changes(watched(1)[0]), 300)  # the network is there
            assert app.poll() is None, "the app has ended"
            seen = watched(PICTURES)
            before = screenshot(tmp_path)[PREVIEW]
            wait_until(lambda: not np.array_equal(before, screenshot(tmp_path)[PREVIEW]), 20)
            window = screenshot(tmp_path)
            cv2.imwrite(str(OUT / "window.png"), window)
            cv2.imwrite(str(OUT / "seen.png"), seen[-1])
            app.terminate()
            assert app.wait(60) == 0
        finally:
            app.kill()
    numbers = [number_of(image) for image in seen]
    assert None not in numbers, numbers
    assert numbers == sorted(numbers, key=lambda number: number or 0), "out of order"
    around = [_difference(image)[0] for image in seen]
    inside = [_difference(image)[1] for image in seen]
    print(f"differences around the face up to {max(around):.2f}, in the face from {min(inside):.2f}")
    assert max(around) < 0.2, "what is no face has changed"
    figures = json.loads(report.read_text())
    print(json.dumps(figures)[:3000])
    assert sum(_changes(image) for image in seen) > PICTURES // 2, "the face is as it was"
    assert before.std() > 20, "no picture in the window"
    assert overlay_likeness(window) > 0.9, "no latency overlay"


SCENE = face(SIZE)


def _difference(image: Image) -> tuple[float, float]:
    """How far a picture is from the raw one of the same number, around the face and in it: mean differences, of 255."""
    number = number_of(image)
    if number is None:
        return 0.0, 0.0
    raw = cv2.cvtColor(cv2.cvtColor(SCENE(number), cv2.COLOR_BGR2YUV_YUYV), cv2.COLOR_YUV2BGR_YUYV)  # from the camera
    raw = cv2.cvtColor(cv2.cvtColor(raw, cv2.COLOR_BGR2YUV_I420), cv2.COLOR_YUV2BGR_I420)  # to the viewer
    difference = cv2.absdiff(image, raw).mean(axis=2)
    border = np.concatenate((difference[BLOCK:-BLOCK, :100], difference[BLOCK:-BLOCK, -100:]), axis=1)
    middle = difference[120:300, 250:390]
    return float(border.mean()), float(middle.mean())


def _changes(image: Image) -> bool:
    return _difference(image)[1] > 0.5
