"""The demo camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gpen_live.frame import Size
from gpen_live.sources import open_source
from gpen_live.sources.demo_scene import LANDMARKS, DemoScene, _photo
from gpen_live.sources.pacing import Pace

SMALL = Size(320, 180)


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene(SMALL, 30.0)


def test_the_photo_is_scikit_image_s() -> None:
    from skimage.data import astronaut

    assert np.array_equal(_photo()[:, :, ::-1], astronaut())


def test_a_frame_is_a_function_of_its_number(scene: DemoScene) -> None:
    again = DemoScene(SMALL, 30.0)
    again.frame(3)
    for n in (0, 77, 5000):
        assert np.array_equal(scene.frame(n), again.frame(n))


def test_it_moves_and_flickers_from_frame_to_frame(scene: DemoScene) -> None:
    frames = [scene.frame(n) for n in range(5)]
    for before, after in zip(frames, frames[1:], strict=False):
        assert np.abs(before.astype(int) - after).mean() > 1.0
    assert np.abs(scene.landmarks(60) - scene.landmarks(0)).max() > 3


def test_noise_leaves_brightness_and_colour_as_they_are(scene: DemoScene) -> None:
    calm = np.mean([scene.frame(n)[:40, :60].reshape(-1, 3).mean(axis=0) for n in range(20)], axis=0)
    room = scene._room[:40, :60].reshape(-1, 3).mean(axis=0)
    assert np.abs(calm - room).max() < 1.0


@pytest.mark.parametrize("size", [Size(1280, 720), Size(640, 480), Size(720, 1280), Size(1920, 800), Size(333, 251)])
def test_the_face_stays_in_the_frame_and_has_a_plausible_size(size: Size) -> None:
    scene = DemoScene(size, 30.0)
    heights = []
    for n in range(0, 3000, 13):
        left, right, _, mouth_left, mouth_right = points = scene.landmarks(n)
        margin = 0.75 * np.linalg.norm(right - left)
        assert (points - margin > 0).all(), n
        assert (points + margin < (size.width, size.height)).all(), n
        eyes_to_mouth = np.linalg.norm((mouth_left + mouth_right) / 2 - (left + right) / 2)
        heights.append(eyes_to_mouth * 112 / 41.5)  # the photo's face is 112 px high, its eyes 41.5 px above its mouth
    reach = size.height if size.width > size.height else size.width
    assert 0.20 * reach < min(heights)
    assert max(heights) < 0.45 * reach
    assert max(heights) > 1.25 * min(heights)


def test_it_turns_by_up_to_fifteen_degrees(scene: DemoScene) -> None:
    eyes = np.array([scene.landmarks(n)[1] - scene.landmarks(n)[0] for n in range(0, 3000, 7)])
    straight = np.subtract(LANDMARKS[1], LANDMARKS[0])
    roll = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]) - np.arctan2(straight[1], straight[0]))
    assert 10 < roll.max() < 16
    assert -16 < roll.min() < -10


def test_the_landmarks_lie_on_the_face(scene: DemoScene) -> None:
    """Eyes are darker than the nose between them, wherever the face is."""
    for n in (0, 100, 250, 400):
        grey = cv2.blur(scene.frame(n), (3, 3)).mean(axis=2)
        left, right, nose = (grey[y, x] for x, y in np.rint(scene.landmarks(n)[:3]).astype(int))
        assert max(left, right) < nose - 20


@pytest.mark.parametrize("size", [Size(1, 1), Size(3, 2), Size(17, 400), Size(641, 361), Size(3840, 2160)])
def test_any_size(size: Size) -> None:
    frame = DemoScene(size, 30.0).frame(0)
    assert frame.shape == (size.height, size.width, 3)
    assert frame.dtype == np.uint8
    assert frame.flags.c_contiguous


def test_motion_does_not_depend_on_the_frame_rate() -> None:
    slow, fast = DemoScene(SMALL, 15.0), DemoScene(SMALL, 60.0)
    assert np.allclose(slow.landmarks(15), fast.landmarks(60))


def test_the_source_delivers_every_frame_in_turn_when_it_need_not_wait(scene: DemoScene) -> None:
    source = open_source("demo", size=SMALL, fps=30, realtime=False)
    for n in range(3):
        image = source.read()
        assert image is not None
        assert np.array_equal(image, scene.frame(n))
    source.close()
    source.close()


def test_defaults() -> None:
    source = open_source("demo", size=None, fps=None)
    assert (source.size, source.fps, source.label) == (Size(1280, 720), 30.0, "Demo camera")
    assert source.read() is not None


class Clock:
    """Stands in for `time`: sleeping moves it on."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gpen_live.sources.pacing.time", clock)
    return clock


def test_pace_waits_for_each_frame(clock: Clock) -> None:
    pace = Pace(25)
    times = []
    for expected in range(5):
        assert pace.next_number() == expected
        times.append(clock.now)
    assert np.allclose(np.diff(times), 0.04)


def test_pace_leaves_out_what_was_missed_and_makes_no_burst(clock: Clock) -> None:
    pace = Pace(10)
    assert pace.next_number() == 0
    clock.now += 1.05
    assert pace.next_number() == 10
    at = clock.now
    assert pace.next_number() == 11
    assert np.isclose(clock.now - at, 0.05)
