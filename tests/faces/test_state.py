"""What lives for a face ends with it, and what was made of it last ends earlier."""

from __future__ import annotations

import pytest

from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.faces.smooth import LONGEST_S
from gpen_live.faces.state import FaceStates, LastResult


def states(count: int = 2) -> FaceStates:
    """Some faces, each with a last result, and the whole frame with one."""
    made = FaceStates()
    for i in range(count):
        made.add(GPEN_TEMPLATE * 100 + 300 * i, 1.0)
    for last in (made.whole, *(face.last for face in made.faces)):
        last.keep(1.0, picture="picture", change="change")
    return made


@pytest.mark.parametrize(
    ("at", "fresh"), [(1.0, True), (1.0 + LONGEST_S, True), (1.01 + LONGEST_S, False), (0.99, False), (61.0, False)]
)
def test_a_last_result_is_of_help_for_a_moment(at: float, fresh: bool) -> None:
    last = LastResult()
    assert not last.fresh(at)
    last.keep(1.0, picture="picture")
    assert last.fresh(at) is fresh


def test_a_face_that_ends_leaves_nothing_to_the_others() -> None:
    made = states()
    ended = made.faces[0]
    made.end(ended)
    assert [face.track_id for face in made.faces] == [1]
    assert (ended.last.picture, ended.last.change, ended.last.fresh(1.0)) == (None, None, False)
    assert made.faces[0].last.picture == "picture"


def test_another_scene_ends_all_and_its_faces_are_new_ones() -> None:
    made = states()
    old = [face.last for face in made.faces]
    made.clear()
    assert made.faces == []
    assert not any(last.fresh(1.0) for last in (made.whole, *old))
    made.add(GPEN_TEMPLATE * 100, 2.0)
    assert made.faces[0].track_id == 2
    assert made.faces[0].face().weight == 0.0


def test_another_network_ends_what_was_made_but_no_track() -> None:
    made = states()
    made.faces[0].update(GPEN_TEMPLATE * 100, 2.0)
    made.forget_results()
    assert [face.track_id for face in made.faces] == [0, 1]
    assert made.faces[0].face().weight == 1.0
    assert not any(last.fresh(1.0) for last in (made.whole, *(face.last for face in made.faces)))


def test_what_stages_keep_ends_with_the_track_and_the_scene_but_not_with_the_network() -> None:
    made = states()
    one, other = made.faces
    one.kept["beauty"], other.kept["beauty"] = "of one", "of the other"
    made.forget_results()
    assert (one.kept["beauty"], other.kept["beauty"]) == ("of one", "of the other")
    made.end(one)
    assert one.kept == {}
    assert other.kept["beauty"] == "of the other"
    made.clear()
    assert other.kept == {}
