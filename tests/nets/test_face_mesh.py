"""The mesh's networks: what they find, and files of other networks."""

from __future__ import annotations

import numpy as np
import pytest

from gpen_live.models.files import read_arrays
from gpen_live.models.registry import get, locate
from gpen_live.nets import face_mesh as nets


def test_parts_name_every_point_of_mouth_eyes_and_irises_once() -> None:
    found = [index for part in nets.PARTS for index in part]
    assert len(found) == len(set(found)) == 80 + 2 * 71 + 2 * 5
    assert set(range(nets.BASE_POINTS, nets.POINTS)) <= set(found) <= set(range(nets.POINTS))
    assert all(set(corners) <= set(box) for corners, box in zip(nets.CORNERS, nets.CROPS, strict=True))


def test_both_graphs_give_a_number_for_each_coordinate() -> None:
    graph = nets.base_graph()
    points, features = graph.outputs
    assert (points.channels, features.channels) == (3 * nets.BASE_POINTS + 1, nets.FEATURES)
    assert graph.steps[features] == nets.FEATURE_STEP
    assert nets.part_graph().outputs[0].channels == len(nets.PARTS) * nets.PART_WIDTH


@pytest.mark.parametrize(
    ("name", "words"), [("base.points.weight", "is missing"), ("parts.2.skip.weight", "is missing"), ("", "other is left over")]
)
def test_another_network_is_refused(name: str, words: str) -> None:
    state, _ = read_arrays(locate(get("face-mesh")))
    changed = {key: values for key, values in state.items() if key != name}
    if not name:
        changed["other"] = np.ones(1, np.float32)
    with pytest.raises(ValueError, match=words):
        nets.networks(changed)
