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


@pytest.mark.parametrize("axis", [0, 1])
def test_faces_count_from_the_front_alone(axis: int) -> None:
    around = [mesh.frontality(turned(angle, axis)) for angle in (0, 20, 45, 55, 80)]
    assert around == sorted(around, reverse=True)
    assert around[1] == 1
    assert 0 < around[3] < 1
    assert around[4] == 0
