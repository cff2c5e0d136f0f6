"""The mesh's networks: their crops of features against a plain way to take them, and files of other networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gpen_live.models.files import read_arrays
from gpen_live.models.registry import get, locate
from gpen_live.nets import face_mesh as nets


def some_points(count: int) -> nets.Floats:
    random = np.random.default_rng(0)
    return np.asarray(random.uniform(20, 172, (count, nets.BASE_POINTS, 3)), np.float32)


def test_crops_lie_level_around_their_points() -> None:
    points = some_points(2)
    for found, each in zip(nets.crop_transforms(points), points, strict=True):
        for transform, box, corners in zip(found, nets.CROPS, nets.CORNERS, strict=True):
            local = np.linalg.solve(transform[:, :2], (each[:, :2] - transform[:, 2]).T).T
            inside = local[list(box)]
            margin = (1 - 1 / nets.CROP_MARGIN) / 2
            np.testing.assert_allclose(inside.min(axis=0), margin, atol=1e-4)
            np.testing.assert_allclose(inside.max(axis=0), 1 - margin, atol=1e-4)
            assert local[corners[0], 1] == pytest.approx(local[corners[1], 1], abs=1e-4)
            assert local[corners[0], 0] < local[corners[1], 0]


def test_parts_see_bilinear_samples_and_zero_outside() -> None:
    random = np.random.default_rng(1)
    features = np.asarray(random.normal(size=(2, nets.FEATURES, 48, 48)), np.float32)
    transforms = nets.crop_transforms(some_points(2) + np.array([60, 0, 0], np.float32))  # some of it outside
    found = nets.part_crops(features, transforms).reshape(2, len(nets.PARTS), nets.FEATURES, nets.CROP_SIDE, nets.CROP_SIDE)
    outside = 0
    for one, part, row, column in ((0, 0, 0, 0), (0, 1, 5, 9), (1, 2, 15, 3), (1, 3, 8, 8), (1, 4, 2, 14), (0, 0, 3, 15)):
        transform = transforms[one, nets.CROP_OF_PART[part]]
        x, y = transform @ [(column + 0.5) / nets.CROP_SIDE, (row + 0.5) / nets.CROP_SIDE, 1] / nets.FEATURE_STEP - 0.5
        wanted = np.zeros(nets.FEATURES)
        if 0 <= x <= 47 and 0 <= y <= 47:
            for at_y, share_y in ((math.floor(y), 1 - y % 1), (min(math.floor(y) + 1, 47), y % 1)):
                for at_x, share_x in ((math.floor(x), 1 - x % 1), (min(math.floor(x) + 1, 47), x % 1)):
                    wanted += share_x * share_y * features[one, :, at_y, at_x]
        else:
            outside += 1
        np.testing.assert_allclose(found[one, part, :, row, column], wanted, atol=1e-3)
    assert 0 < outside < 6


def test_points_found_anew_go_back_to_where_they_were_seen() -> None:
    base = some_points(1)
    transforms = nets.crop_transforms(base)
    parts = np.zeros((1, len(nets.PARTS), nets.PART_WIDTH // 2, 2), np.float32)
    for part, indices in enumerate(nets.PARTS[:3]):
        transform = transforms[0, part]
        local = np.linalg.solve(transform[:, :2], (base[0, list(indices), :2] - transform[:, 2]).T).T
        parts[0, part, : len(indices)] = local * nets.FEATURE_STEP * nets.CROP_SIDE
    found = nets.refined(base, transforms, parts.reshape(1, -1))
    np.testing.assert_allclose(found[:, : nets.BASE_POINTS], base, atol=1e-2)
    corner = transforms[0, 1, :, 2]  # an iris at zero lies in its crop's upper left corner
    np.testing.assert_allclose(found[0, list(nets.LEFT_IRIS), :2], np.tile(corner, (5, 1)), atol=1e-3)
    assert found[0, nets.LEFT_IRIS[0], 2] == pytest.approx(base[0, list(nets.LEFT_EYE[: nets.EYE_EDGE]), 2].mean(), abs=1e-3)


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
