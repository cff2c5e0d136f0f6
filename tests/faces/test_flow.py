"""A face that is followed between two searches: in pixels, against where it truly is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import Engine
from gpen_live.faces.align import GPEN_TEMPLATE, Matrix, Points
from gpen_live.faces.detect import Detection, Detector
from gpen_live.faces.flow import FlowTracker
from gpen_live.faces.smooth import face_size
from gpen_live.frame import Image, Size
from gpen_live.inference.device import CPU
from gpen_live.inference.loading import load_detector
from gpen_live.look import Look
from gpen_live.sources.demo_scene import DemoScene
from tests.engine.networks import on_host

FPS = 30.0


def motion(number: int, centre: Points) -> Matrix:
    """A head that sways, bobs, leans and nods, up to 15 pixels a frame."""
    t = number / FPS
    about = (float(centre[0]), float(centre[1]))
    turn: Matrix = np.array(cv2.getRotationMatrix2D(about, 8 * np.sin(4 * t), 1 + 0.08 * np.sin(3 * t)), np.float64)
    turn[:, 2] += (90 * np.sin(5 * t), 30 * np.sin(8 * t))
    return turn


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector(CPU)


@pytest.fixture(scope="module")
def still() -> Image:
    return DemoScene(Size(1280, 720), FPS).frame(0)


@pytest.fixture(scope="module")
def landmarks(detector: Detector, still: Image) -> Points:
    found = detector.detect(still)
    assert len(found) == 1
    return found[0].landmarks


class Nothing(torch.nn.Module):
    stride = 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def lag(detector: Detector, still: Image, landmarks: Points, every: int, *, frozen: bool = False) -> float:
    """How far the engine's landmarks are from the truth, in pixels, at the 90th percentile of three seconds."""
    engine = Engine(CPU, detector, on_host(Nothing()))
    engine.effort = Effort(detect_every=every)
    if frozen:
        engine._flow = Frozen()
    centre, apart, searched = landmarks.mean(axis=0), [], 0
    for number in range(90):
        matrix = motion(number, centre)
        image = np.asarray(cv2.warpAffine(still, matrix, (1280, 720), borderMode=cv2.BORDER_REFLECT), np.uint8)
        done = engine.process(image, number / FPS, Look())
        searched += engine._since_search == 0
        truth = landmarks @ matrix[:, :2].T + matrix[:, 2]
        if number > 10:
            apart.append(float(np.linalg.norm(done.faces[0].landmarks - truth, axis=1).mean()))
    assert searched == -(-90 // every)
    return float(np.percentile(apart, 90))


class Frozen(FlowTracker):
    """What there would be without following: the last search's result."""

    def follow(self, image: Image) -> list[Detection] | None:
        return list(self._faces) if self._grey is not None else None


def test_with_a_search_in_every_fourth_frame_nothing_lags_the_head(detector: Detector, still: Image, landmarks: Points) -> None:
    searched = lag(detector, still, landmarks, 1)
    followed = lag(detector, still, landmarks, 4)
    left_behind = lag(detector, still, landmarks, 4, frozen=True)
    print(f"90th percentile in pixels: searched {searched:.2f}, followed {followed:.2f}, left behind {left_behind:.2f}")
    assert followed < searched + 0.01 * face_size(landmarks)
    assert left_behind > 4 * followed


def blot(x: float, y: float, side: float, *, seed: int = 1) -> tuple[Image, Detection]:
    """A picture with a patch of texture, and the face that it is said to be."""
    rng = np.random.default_rng(seed)
    image = np.full((360, 640, 3), 90, np.uint8)
    patch = cv2.GaussianBlur(rng.integers(0, 255, (int(side), int(side), 3), dtype=np.uint8), (0, 0), 4)
    patch = cv2.normalize(patch, patch, 0, 255, cv2.NORM_MINMAX)
    x0, y0 = int(x - side / 2), int(y - side / 2)
    image[y0 : y0 + int(side), x0 : x0 + int(side)] = patch
    points = (GPEN_TEMPLATE - GPEN_TEMPLATE.mean(axis=0)) * side + [x, y]
    return image, Detection((x - side / 4, y - side / 4, x + side / 4, y + side / 4), 0.98, points)


def test_box_score_and_landmarks_move_together() -> None:
    image, face = blot(200, 180, 160)
    flow_tracker = FlowTracker()
    flow_tracker.anchor(image, [face])
    moved, _ = blot(209, 175, 160)
    followed = flow_tracker.follow(moved)
    assert followed is not None
    assert followed[0].score == face.score
    assert np.abs(followed[0].landmarks - face.landmarks - [9, -5]).max() < 0.7
    assert np.abs(np.array(followed[0].box).reshape(2, 2) - np.array(face.box).reshape(2, 2) - [9, -5]).max() < 0.7


def test_who_is_lost_must_be_searched() -> None:
    image, face = blot(200, 180, 160)
    flow_tracker = FlowTracker()
    assert flow_tracker.follow(image) is None, "there was nothing to start from"
    flow_tracker.anchor(image, [face])
    noise = np.random.default_rng(3).integers(0, 255, image.shape, dtype=np.uint8)
    assert flow_tracker.follow(noise) is None
    assert flow_tracker.follow(image) is None, "and not even what comes next is believed"


def test_where_nobody_was_found_nobody_is_followed() -> None:
    image, _ = blot(200, 180, 160)
    flow_tracker = FlowTracker()
    flow_tracker.anchor(image, [])
    assert flow_tracker.follow(image) == []


def test_a_camera_that_changes_its_size_is_searched() -> None:
    image, face = blot(200, 180, 160)
    flow_tracker = FlowTracker()
    flow_tracker.anchor(image, [face])
    assert flow_tracker.follow(np.ascontiguousarray(image[:300])) is None


def test_a_face_that_leaves_the_picture_must_be_searched() -> None:
    image, face = blot(90, 180, 160)
    flow_tracker = FlowTracker()
    flow_tracker.anchor(image, [face])
    lost = False
    for step in range(1, 10):
        shifted = np.roll(image, -12 * step, axis=1)
        shifted[:, -12 * step :] = 90
        lost = lost or flow_tracker.follow(shifted) is None
    assert lost
