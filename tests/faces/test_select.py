"""Which faces are enhanced where there is no time for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.faces.select import FaceSelection
from gpen_live.faces.state import FaceState, FaceStates

STEP = 1 / 30


class Faces:
    """Faces of given sizes and weights, and the selection among them."""

    def __init__(self) -> None:
        self.states = FaceStates()
        self._selection = FaceSelection(self.states)
        self._known: dict[int, FaceState] = {}

    def __call__(self, faces: list[tuple[int, float]], most: int | None, at: float) -> dict[int, float]:
        """The weights, by track_id, of `faces` (track_id and size each, largest first) at `at` seconds."""
        for track_id, size in faces:
            state = self._known.setdefault(track_id, FaceState(track_id, GPEN_TEMPLATE * size, at))
            state.size, state.weight = size, 1.0
        self._known = {track_id: self._known[track_id] for track_id, _ in faces}
        self.states.faces = list(self._known.values())
        self._selection.update(most, at)
        return {state.track_id: state.face().weight for state in self.states.faces}


def test_with_room_for_all_nothing_changes() -> None:
    assert Faces()([(1, 100), (2, 60)], None, 0.0) == {1: 1.0, 2: 1.0}


def test_the_smaller_ones_fade_out_and_in_again() -> None:
    weights, faces = Faces(), [(1, 100.0), (2, 60.0), (3, 50.0)]
    weights(faces, None, 0.0)
    going = [weights(faces, 1, i * STEP) for i in range(1, 12)]
    assert all(one[1] == 1.0 for one in going)
    assert 0 < going[0][2] < 1
    assert going[-1] == {1: 1.0, 2: 0.0, 3: 0.0}
    coming = [weights(faces, None, (12 + i) * STEP)[3] for i in range(12)]
    assert 0 < coming[0] < 1
    assert coming == sorted(coming)
    assert coming[-1] == 1.0


def test_two_faces_of_about_one_size_do_not_take_turns() -> None:
    weights = Faces()
    for i in range(60):
        sizes = (100.0, 104.0) if i % 2 else (104.0, 100.0)
        found = weights(sorted([(1, sizes[0]), (2, sizes[1])], key=lambda one: -one[1]), 1, i * STEP)
    assert found == {1: 1.0, 2: 0.0}


def test_a_much_larger_face_takes_over() -> None:
    weights = Faces()
    weights([(1, 100)], 1, 0.0)
    for i in range(1, 20):
        found = weights([(2, 150), (1, 100)], 1, i * STEP)
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
    weights = Faces()
    for i, (faces, most) in enumerate(frames):
        row = sorted(faces, key=lambda one: -one[1])
        for repeat in range(8):  # a quarter of a second each
            found = weights(row, most, i * 2.0 + repeat * 0.25)
            assert list(found) == [track_id for track_id, _ in row]
            assert all(0 <= weight <= 1 for weight in found.values())
        assert sum(weight > 0 for weight in found.values()) == min(most, len(row))
