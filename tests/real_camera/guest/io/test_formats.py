"""Every format that cameras deliver, through our camera source: a loopback is the camera, which shows numbered pictures."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from gpen_live.frame import Size
from gpen_live.sources import open_source
from tests.real_camera.guest import drivers
from tests.real_camera.guest.numbered import look
from tests.real_camera.guest.programs import film

TOLERANCE = {"YUYV": 1.5, "NV12": 1.5, "MJPG": 2.5}
"""Mean difference over a picture, of 255: colours of half the resolution, and JPEG's losses."""

SIZES = [Size(640, 480), Size(1280, 720), Size(1920, 1080)]
PICTURES = 6


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("fourcc", TOLERANCE)
def test_pictures_arrive_whole_in_order_and_as_they_were_sent(fourcc: str, size: Size) -> None:
    with film(drivers.FILM, size, fourcc, fps=2) as camera:
        with closing(open_source("camera:11", size=size, fps=None)) as source:
            assert source.size == size
            assert source.label == "Film camera"
            seen = [look(np.asarray(source.read())) for _ in range(PICTURES)]
        sent = {int(line) for line in camera.lines}
    numbers = [one.number for one in seen]
    assert all(one.whole for one in seen), seen
    assert numbers == sorted(set(numbers)), "out of order, or twice"
    assert set(numbers) <= sent | {max(sent) + 1}, "a number that was never sent"  # sent a moment before its line is read
    assert max(one.difference for one in seen) < TOLERANCE[fourcc], seen
    print(f"{fourcc} {size}: worst mean difference {max(one.difference for one in seen):.2f}")
