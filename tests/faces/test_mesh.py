"""The mesh's tables, its canonical face, its surface, and its filter over time."""

from __future__ import annotations

import numpy as np
import pytest

from gpen_live.faces import mesh
from gpen_live.nets.face_mesh import BASE_POINTS, POINTS

CLOSED = ("FACE_OVAL", "LIPS_OUTER", "LIPS_INNER", "LEFT_EYE", "RIGHT_EYE", "LEFT_IRIS", "RIGHT_IRIS", "LEFT_BROW", "RIGHT_BROW")


def turned(degrees: float, axis: int) -> mesh.Floats:
    """The canonical face turned about its own middle: axis 0 nods, 1 looks aside."""
    angle = np.radians(degrees)
    first, second = ((1, 2), (0, 2))[axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    middle = mesh.CANONICAL.mean(axis=0)
    return np.asarray((mesh.CANONICAL - middle) @ matrix.T + middle, np.float32)


def test_the_canonical_face_is_symmetric_with_its_mouth_closed() -> None:
    points = mesh.CANONICAL
    assert points.shape == (POINTS, 3)
    assert (mesh.MIRROR[mesh.MIRROR] == np.arange(POINTS)).all()
    np.testing.assert_allclose(points[mesh.MIRROR], points * [-1, 1, 1] + [1, 0, 0], atol=1e-6)
    gap = np.linalg.norm(points[13, :2] - points[14, :2])
    assert 0 <= gap < 0.01 * np.linalg.norm(points[mesh.LEFT_PUPIL, :2] - points[mesh.RIGHT_PUPIL, :2]) + 0.003
    for left, right in (("LEFT_EYE", "RIGHT_EYE"), ("LEFT_BROW", "RIGHT_BROW"), ("LEFT_UNDER_EYE", "RIGHT_UNDER_EYE")):
        assert mesh.MIRROR[list(getattr(mesh, left))].tolist() == list(getattr(mesh, right))


@pytest.mark.parametrize("name", CLOSED)
def test_lines_go_round_without_crossing(name: str) -> None:
    line = mesh.CANONICAL[list(getattr(mesh, name)), :2].astype(np.float64)
    ways = np.roll(line, -1, axis=0) - line
    turns = np.cross(ways, np.roll(ways, -1, axis=0))
    angles = np.arctan2(turns, (ways * np.roll(ways, -1, axis=0)).sum(axis=1))
    assert abs(angles.sum()) == pytest.approx(2 * np.pi, abs=1e-6)


def test_the_jaw_goes_from_ear_to_ear() -> None:
    jaw = mesh.CANONICAL[list(mesh.JAW)]
    assert (np.diff(jaw[:, 0]) > -0.01).all()
    assert mesh.JAW[10] == mesh.CHIN == mesh.JAW[jaw[:, 1].argmax()]


def test_the_surface_covers_every_point_once_and_looks_at_the_camera() -> None:
    assert set(mesh.TRIANGLES.ravel()) == set(range(BASE_POINTS))
    a, b, c = (mesh.CANONICAL[mesh.TRIANGLES[:, i]].astype(np.float64) for i in range(3))
    assert np.cross(b - a, c - a)[:, 2].mean() < 0
    normals = mesh.normals(mesh.CANONICAL)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    assert (normals[:, 2] < 0).all()
    assert normals[234, 0] < -0.5
    assert normals[454, 0] > 0.5


def test_faces_count_until_their_far_side_is_hidden() -> None:
    around = [mesh.frontality(turned(angle, 1)) for angle in (0, 20, 40, 60, 80)]
    assert around == sorted(around, reverse=True)
    assert around[1] == 1
    assert around[4] == 0
    for angle in (30, -70):
        assert mesh.frontality(turned(-angle, 1)) == pytest.approx(mesh.frontality(turned(angle, 1)), abs=1e-6)
    assert mesh.frontality(turned(35, 0)) == 1


def measurements(motion: mesh.Floats, noise: float) -> list[mesh.Floats]:
    """The canonical face at the places of `motion` (T x 2), each point with its own noise."""
    random = np.random.default_rng(0)
    places = np.concatenate([motion, np.zeros((len(motion), 1))], axis=1)
    return [np.asarray(mesh.CANONICAL + place + random.normal(0, noise, mesh.CANONICAL.shape), np.float32) for place in places]


def filtered(measured: list[mesh.Floats], fps: float = 30.0) -> mesh.Floats:
    smooth = mesh.MeshFilter()
    return np.stack([smooth(points, index / fps) for index, points in enumerate(measured)])


def test_a_still_face_is_still() -> None:
    """With twice the noise of the network's points on a webcam's picture: 0.17 px in a crop of 256."""
    found = filtered(measurements(np.zeros((60, 2), np.float32), 0.17 / 256))
    assert found[15:, :, :2].std(axis=0).mean() * 256 < 0.1


def test_a_fast_face_lags_less_than_a_frame() -> None:
    """Ten pixels of a crop of 256 to and fro in a second: as far as alignment leaves any motion in the crop."""
    at = np.arange(60) / 30
    motion = np.stack([10 / 256 * np.sin(2 * np.pi * at), np.zeros(60)], axis=1).astype(np.float32)
    found = filtered(measurements(motion, 0.08 / 256))[:, :, 0].mean(axis=1) - mesh.CANONICAL[:, 0].mean()
    speed = np.gradient(motion[:, 0])
    lag = ((motion[:, 0] - found) * speed)[10:].sum() / (speed**2)[10:].sum()
    assert 0 <= lag < 0.5


def test_a_blink_on_a_still_face_is_quick_and_leaves_the_rest_alone() -> None:
    measured = measurements(np.zeros((30, 2), np.float32), 0)
    upper = [158, 159, 160]
    for index in range(15, 30):
        measured[index][upper, 1] += 6 / 256
    found = filtered(measured)
    moved = (found[:, upper, 1].mean(axis=1) - mesh.CANONICAL[upper, 1].mean()) * 256
    assert moved[15] > 2
    assert moved[16] > 4.5
    assert np.abs(found[:, mesh.CHIN] - mesh.CANONICAL[mesh.CHIN]).max() == 0


def test_a_gap_starts_afresh() -> None:
    smooth = mesh.MeshFilter()
    smooth(mesh.CANONICAL, 0.0)
    for at in (1.0, 0.5):  # a pause, and a film that starts again
        there = mesh.CANONICAL + np.float32(at)
        np.testing.assert_array_equal(smooth(there, at), there)
