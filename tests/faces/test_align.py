from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.faces.align import GPEN_TEMPLATE, Matrix, Points, invert, similarity, to_template

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
shifts = st.floats(-2000, 2000)


def transform(angle: float, scale: float, dx: float, dy: float) -> Matrix:
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[a, -b, dx], [b, a, dy]])


def apply(matrix: Matrix, points: Points) -> Points:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


@given(angles, scales, shifts, shifts)
def test_a_similarity_is_found_again(angle: float, scale: float, dx: float, dy: float) -> None:
    truth = transform(angle, scale, dx, dy)
    source = GPEN_TEMPLATE * 256
    assert np.allclose(similarity(source, apply(truth, source)), truth, atol=1e-6 * (1 + abs(dx) + abs(dy)))


@given(angles, scales, shifts, shifts)
def test_the_inverse_undoes(angle: float, scale: float, dx: float, dy: float) -> None:
    matrix = transform(angle, scale, dx, dy)
    points = GPEN_TEMPLATE * 512
    assert np.allclose(apply(invert(matrix), apply(matrix, points)), points, atol=1e-5)


def test_mirrored_points_are_not_mirrored_back() -> None:
    mirrored = GPEN_TEMPLATE * [-1, 1]
    assert np.linalg.det(similarity(mirrored, GPEN_TEMPLATE)[:, :2]) > 0


def test_least_squares_beats_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    best = similarity(source, target)
    error = ((apply(best, source) - target) ** 2).sum()
    for _ in range(50):
        near = best.copy()
        d = rng.normal(scale=1e-3, size=4)
        near += [[d[0], -d[1], d[2]], [d[1], d[0], d[3]]]
        assert ((apply(near, source) - target) ** 2).sum() >= error


def test_the_template_lands_on_itself() -> None:
    assert np.allclose(to_template(GPEN_TEMPLATE * 512, 512), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


@pytest.mark.parametrize("bad", [np.full((5, 2), np.nan), np.ones((5, 2))])
def test_hopeless_landmarks_are_refused(bad: Points) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        to_template(bad, 256)
