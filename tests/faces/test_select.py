"""Which faces are enhanced where there is no time for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.faces.select import FaceSelection
from gpen_live.faces.track import Face

STEP = 1 / 30


def face(track_id: int, size: float, weight: float = 1.0) -> Face:
    return Face(track_id, GPEN_TEMPLATE * size, size, weight)


def weights(selection: FaceSelection, faces: list[Face], most: int | None, at: float) -> dict[int, float]:
    return {one.track_id: one.weight for one in selection(faces, most, at)}


def test_with_room_for_all_nothing_changes() -> None:
    selection, faces = FaceSelection(), [face(1, 100), face(2, 60, 0.4)]
    assert selection(faces, None, 0.0) == faces


def test_the_smaller_ones_fade_out_and_in_again() -> None:
    selection, faces = FaceSelection(), [face(1, 100), face(2, 60), face(3, 50)]
    selection(faces, None, 0.0)
    going = [weights(selection, faces, 1, i * STEP) for i in range(1, 12)]
    assert all(one[1] == 1.0 for one in going)
    assert 0 < going[0][2] < 1
    assert going[-1] == {1: 1.0, 2: 0.0, 3: 0.0}
    coming = [weights(selection, faces, None, (12 + i) * STEP)[3] for i in range(12)]
    assert 0 < coming[0] < 1
    assert coming == sorted(coming)
    assert coming[-1] == 1.0


def test_two_faces_of_about_one_size_do_not_take_turns() -> None:
    selection = FaceSelection()
    for i in range(60):
        sizes = (100.0, 104.0) if i % 2 else (104.0, 100.0)
        faces = sorted([face(1, sizes[0]), face(2, sizes[1])], key=lambda one: -one.size)
        found = weights(selection, faces, 1, i * STEP)
    assert found == {1: 1.0, 2: 0.0}


def test_a_much_larger_face_takes_over() -> None:
    selection = FaceSelection()
    selection([face(1, 100)], 1, 0.0)
    for i in range(1, 20):
        found = weights(selection, [face(2, 150), face(1, 100)], 1, i * STEP)
    assert found == {1: 0.0, 2: 1.0}


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 5), st.floats(1, 1e3)), max_size=4, unique_by=lambda f: f[0]), st.integers(0, 4)
        ),
        max_size=30,
    )
)
def test_never_more_than_allowed_once_it_has_faded(frames: list[tuple[list[tuple[int, float]], int]]) -> None:
    selection = FaceSelection()
    for i, (faces, most) in enumerate(frames):
        row = sorted((face(*one) for one in faces), key=lambda one: -one.size)
        for repeat in range(8):  # a quarter of a second each
            found = selection(row, most, i * 2.0 + repeat * 0.25)
            assert [one.track_id for one in found] == [one.track_id for one in row]
            assert all(0 <= one.weight <= 1 for one in found)
        assert sum(one.weight > 0 for one in found) == min(most, len(row))
