"""The tracker against any detections at all, in any order, at any time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpen_live.faces.align import GPEN_TEMPLATE, Points, to_template
from gpen_live.faces.detect import Detection
from gpen_live.faces.state import MAX_FACES
from tests.faces.test_track import Following


def seen(points: Points, score: float) -> Detection:
    return Detection((0.0, 0.0, 1.0, 1.0), score, points)


FACES = st.builds(
    lambda x, y, side: GPEN_TEMPLATE * side + [x, y], st.floats(-500, 2500), st.floats(-500, 1500), st.floats(1, 2000)
)
ANYTHING = hnp.arrays(np.float64, (5, 2), elements=st.floats(allow_nan=True, allow_infinity=True))
POINT = hnp.arrays(np.float64, (1, 2), elements=st.floats(-100, 100)).map(lambda point: np.repeat(point, 5, axis=0))
DETECTIONS = st.builds(seen, st.one_of(FACES, FACES, ANYTHING, POINT), st.one_of(st.just(0.99), st.floats(allow_nan=True)))
FRAMES = st.lists(
    st.tuples(st.floats(-1, 1), st.lists(DETECTIONS, max_size=7), st.booleans()),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(FRAMES)
def test_whatever_is_detected_the_faces_are_few_distinct_ordered_and_usable(
    frames: list[tuple[float, list[Detection], bool]],
) -> None:
    """Frames may come at the same time or earlier than the last one; detections may be doubled, coincide or be no numbers."""
    tracker = Following()
    at, newest = 100.0, -1
    for step, found, doubled in frames:
        at += step
        faces = tracker.update(found * 2 if doubled else found, at)
        assert len(faces) <= MAX_FACES
        track_ids = {face.track_id for face in faces}
        assert len(track_ids) == len(faces)
        assert all(track_id <= newest + 2 * len(found) for track_id in track_ids), "they are counted, and never jump"
        newest = max([newest, *track_ids])
        sizes = [face.size for face in faces]
        assert sizes == sorted(sizes, reverse=True)
        for face in faces:
            assert 0 <= face.weight <= 1
            assert np.isfinite(to_template(face.landmarks, 256)).all(), "a face that nothing can be cropped by is none"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.builds(seen, st.one_of(ANYTHING, POINT), st.just(0.99)), min_size=1, max_size=5))
def test_nonsense_does_not_disturb_a_face_that_is_there(nonsense: list[Detection]) -> None:
    face = seen(GPEN_TEMPLATE * 256 + [300, 200], 0.99)
    tracker = Following()
    for i in range(20):
        tracker.update([face], i / 30)
    faces = tracker.update([*nonsense, face, *nonsense], 20 / 30)
    assert 0 in {each.track_id for each in faces}
    kept = next(each for each in faces if each.track_id == 0)
    assert kept.weight == 1.0
    assert np.allclose(kept.landmarks, face.landmarks)
