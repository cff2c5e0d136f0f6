from __future__ import annotations

import numpy as np

from gpen_live.faces.align import GPEN_TEMPLATE, Points
from gpen_live.faces.detect import Detection
from gpen_live.faces.smooth import LandmarkFilter, face_size
from gpen_live.faces.state import Face, FaceStates
from gpen_live.faces.track import Tracker

STEP = 1 / 30


def landmarks(x: float, y: float, side: float) -> Points:
    return GPEN_TEMPLATE * side + [x, y]


def seen(points: Points, score: float = 0.99) -> Detection:
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return Detection((float(x0), float(y0), float(x1), float(y1)), score, points)


class Following:
    """A tracker with its faces, as the engine has them."""

    def __init__(self, max_faces: int = 4) -> None:
        self.states = FaceStates()
        self._tracker = Tracker(self.states, max_faces)

    def update(self, found: list[Detection], at: float) -> list[Face]:
        self._tracker.update(found, at)
        return [state.face() for state in self.states.faces]


def test_a_still_face_gives_a_still_crop() -> None:
    """Detector noise of 1 % of the face's size comes out at a third or less."""
    rng = np.random.default_rng(1)
    truth = landmarks(300, 200, 256)
    noise = 0.01 * face_size(truth)
    smooth, raw = LandmarkFilter(), []
    out = []
    for i in range(300):
        measured = truth + rng.normal(scale=noise, size=(5, 2))
        raw.append(measured)
        out.append(smooth(measured, i * STEP).copy())
    jitter = np.abs(np.diff(np.array(out[60:]), axis=0)).mean()
    before = np.abs(np.diff(np.array(raw[60:]), axis=0)).mean()
    assert jitter < before / 3


def test_a_fast_face_does_not_lag() -> None:
    """At three face sizes a second, the filter stays within 4 % of a face size of where the face is."""
    smooth = LandmarkFilter()
    start = landmarks(100, 200, 256)
    size = face_size(start)
    worst = 0.0
    for i in range(60):
        truth = start + np.array([3 * size * i * STEP, 0])
        out = smooth(truth, i * STEP)
        if i > 10:
            worst = max(worst, float(np.abs(out - truth).max()))
    assert worst < 0.04 * size


def test_a_pause_starts_anew() -> None:
    smooth = LandmarkFilter()
    smooth(landmarks(0, 0, 256), 0.0)
    moved = landmarks(500, 300, 256)
    assert np.array_equal(smooth(moved, 2.0), moved)


def test_a_clock_that_stands_still_does_no_harm() -> None:
    smooth = LandmarkFilter()
    smooth(landmarks(0, 0, 256), 1.0)
    assert np.isfinite(smooth(landmarks(5, 5, 256), 1.0)).all()


def test_identity_stays_with_the_face() -> None:
    tracker = Following()
    left, right = landmarks(50, 100, 200), landmarks(700, 100, 260)
    first = {f.track_id: f.landmarks[0, 0] for f in tracker.update([seen(left), seen(right)], 0.0)}
    for i in range(1, 60):
        shift = [4.0 * i, 0]
        order = [seen(left + shift), seen(right - shift)][:: 1 if i % 2 else -1]
        faces = tracker.update(order, i * STEP)
    assert {face.track_id for face in faces} == set(first)
    by_side = sorted(faces, key=lambda face: face.landmarks[0, 0])
    assert first[by_side[0].track_id] < first[by_side[1].track_id]


def test_largest_first_and_at_most_four() -> None:
    tracker = Following()
    found = [seen(landmarks(260.0 * i, 50, 100 + 20 * i)) for i in range(6)]
    for i in range(5):
        faces = tracker.update(found, i * STEP)
    assert len(faces) == 4
    sizes = [face.size for face in faces]
    assert sizes == sorted(sizes, reverse=True)


def test_a_larger_newcomer_takes_the_smallest_place() -> None:
    tracker = Following(max_faces=2)
    small = [seen(landmarks(0, 0, 100)), seen(landmarks(400, 0, 110))]
    tracker.update(small, 0.0)
    faces = tracker.update([*small, seen(landmarks(800, 0, 200))], STEP)
    assert len(faces) == 2
    assert faces[0].size == face_size(landmarks(800, 0, 200))


def test_a_face_missed_for_a_frame_stays_and_one_that_left_fades() -> None:
    tracker = Following()
    face = seen(landmarks(100, 100, 256))
    for i in range(30):
        tracker.update([face], i * STEP)
    assert tracker.update([], 30 * STEP)[0].weight == 1.0
    weights = []
    at = 30 * STEP
    while faces := tracker.update([], at):
        weights.append(faces[0].weight)
        at += STEP
        assert at < 3
    assert weights == sorted(weights, reverse=True)
    assert any(0 < weight < 1 for weight in weights)


def test_a_new_face_fades_in() -> None:
    tracker = Following()
    face = seen(landmarks(100, 100, 256))
    weights = [tracker.update([face], i * STEP)[0].weight for i in range(12)]
    assert weights[0] < 0.5
    assert weights == sorted(weights)
    assert weights[-1] == 1.0


def test_a_doubtful_newcomer_is_no_face_but_a_tracked_face_may_be_doubtful() -> None:
    tracker = Following()
    points = landmarks(100, 100, 256)
    for i in range(20):
        assert tracker.update([seen(points, 0.8)], i * STEP) == []
    for i in range(20, 40):
        tracker.update([seen(points, 0.99)], i * STEP)
    for i in range(40, 80):
        faces = tracker.update([seen(points, 0.65)], i * STEP)
    assert [face.weight for face in faces] == [1.0]


def test_another_scene_has_other_faces() -> None:
    tracker = Following()
    tracker.update([seen(landmarks(100, 100, 256))], 0.0)
    tracker.states.clear()
    assert tracker.update([], STEP) == []
