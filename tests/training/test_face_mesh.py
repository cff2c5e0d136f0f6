"""What the mesh is measured with: distances to lines, a face made symmetric, motion that is known."""

from __future__ import annotations

import numpy as np
import pytest

from gpen_live.faces import mesh
from gpen_live.faces.mesh import Mesh
from gpen_live.training import face_mesh, face_mesh_motion
from gpen_live.training.face_mesh_motion import FPS, SIZE, Seen

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4]])


def test_distances_are_to_the_line_not_to_its_points() -> None:
    points = np.array([[2, 1], [2, -1], [6, 4], [-1, 2]])
    assert face_mesh.distances(points, SQUARE, closed=True).tolist() == [1, 1, 2, 1]
    assert face_mesh.distances(points, SQUARE, closed=False)[3] == pytest.approx(np.hypot(1, 2))


def test_a_face_is_made_symmetric() -> None:
    uneven = mesh.CANONICAL + np.array([0.02, 0, 0], np.float32)
    uneven[mesh.LEFT_PUPIL, 1] += 0.004
    points, mirror = face_mesh.symmetric(uneven)
    assert (mirror == mesh.MIRROR).all()
    assert points[mesh.LEFT_PUPIL, 1] == points[mesh.RIGHT_PUPIL, 1] == pytest.approx(mesh.CANONICAL[468, 1] + 0.002, abs=1e-5)
    assert points[:, 0].mean() == pytest.approx(0.5, abs=1e-5)


def test_triangles_turn_towards_the_camera() -> None:
    corners = mesh.CANONICAL[face_mesh.triangulated(mesh.CANONICAL)].astype(np.float64)
    assert (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] < 0).all()


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_a_lag_is_counted_in_frames(late: float) -> None:
    """A frame that moves to the right below a crop that stays, and points that come late."""
    truth = mesh.CANONICAL[:, :2].astype(np.float64) * SIZE - 0.5
    film = []
    for index in range(40):
        photo = np.array([[1, 0, 3 * np.sin(index / 4)], [0, 1, 0]])
        found = mesh.CANONICAL.copy()
        found[:, 0] += 3 * np.sin((index - late) / 4) / SIZE
        film.append(Seen(index / FPS, Mesh(found, 1.0), np.eye(2, 3), photo))
    strays, lag, _ = face_mesh_motion._errors(film, truth, smooth=False)
    assert lag == pytest.approx(late, abs=0.1)
    assert (strays < 0.01) == (late == 0)
