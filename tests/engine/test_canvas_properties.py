"""The blend under any similarity transform: far outside the frame, a thousandth of a pixel, larger than the frame."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.engine.paths.torch_canvas import DeviceCanvas
from gpen_live.faces.align import Matrix
from gpen_live.frame import Image
from tests.engine.test_canvas import OnTensors

SIZE = 32
CPU = torch.device("cpu")
FRAME = np.random.default_rng(5).integers(0, 256, (45, 61, 3), dtype=np.uint8)


def similarity(scale: float, angle: float, x: float, y: float) -> Matrix:
    """From the frame to the crop: the crop's centre lies at (x, y) of the frame, which is enlarged by `scale`."""
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[c, -s, SIZE / 2 - (c * x - s * y)], [s, c, SIZE / 2 - (s * x + c * y)]])


PLACES = st.one_of(st.floats(-40, 100), st.floats(-1e5, 1e5), st.floats(-1e12, 1e12))
SCALES = st.one_of(st.floats(-1.5, 1.5), st.floats(-6, 6), st.floats(-12, 12)).map(lambda power: 10.0**power)
TRANSFORMS = st.builds(similarity, SCALES, st.floats(-math.pi, math.pi), PLACES, PLACES)


def open_both() -> list[OnTensors | DeviceCanvas]:
    return [OnTensors(FRAME), DeviceCanvas(FRAME, CPU)]


def crops_are_in_range(crop: torch.Tensor) -> bool:
    return crop.shape == (1, 3, SIZE, SIZE) and bool(torch.isfinite(crop).all()) and float(crop.abs().max()) <= 1 + 1e-5


@settings(max_examples=120, deadline=None, derandomize=True)
@given(TRANSFORMS)
def test_a_change_of_zero_leaves_every_bit_under_any_transform(matrix: Matrix) -> None:
    for canvas in open_both():
        assert crops_are_in_range(canvas.crop(matrix, SIZE))
        canvas.blend(matrix, torch.zeros(1, 3, SIZE, SIZE))
        assert np.array_equal(canvas.picture(), FRAME)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(TRANSFORMS, st.floats(-2, 2))
def test_nothing_outside_the_crop_changes_under_any_transform(matrix: Matrix, amount: float) -> None:
    """Outside means: farther from the crop than sampling reaches, which is a pixel of the crop or a pixel of the frame."""
    height, width = FRAME.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    grid = np.stack([x, y], axis=-1) @ matrix[:, :2].T + matrix[:, 2]
    reach = 1.0 + 2.0 * math.hypot(matrix[0, 0], matrix[1, 0])
    outside = ((grid < -reach) | (grid > SIZE - 1 + reach)).any(axis=2)
    before: Image = FRAME.copy()
    for canvas in open_both():
        canvas.blend(matrix, torch.full((1, 3, SIZE, SIZE), amount))
        picture = canvas.picture()
        assert picture.shape == FRAME.shape
        assert picture.dtype == np.uint8
        assert np.array_equal(picture[outside], before[outside])
    assert np.array_equal(before, FRAME), "the frame that was given must never be written to"
