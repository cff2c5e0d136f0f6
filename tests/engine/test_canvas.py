"""Crop and blend: both canvases, against each other and against what must hold for any picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.engine.paths import host_canvas
from gpen_live.engine.paths.geometry import covered
from gpen_live.engine.paths.host_canvas import HostCanvas
from gpen_live.engine.paths.mask import face_mask, mask_support
from gpen_live.engine.paths.torch_canvas import DeviceCanvas, reflected
from gpen_live.faces.align import GPEN_TEMPLATE, Matrix, invert, to_template
from gpen_live.frame import Array, Image, Size

CPU = torch.device("cpu")
SIZE = 64


class OnTensors:
    """The processor's canvas, called with tensors like the device's."""

    def __init__(self, image: Image) -> None:
        self.host = HostCanvas(image)

    def crop(self, matrix: Matrix, size: int) -> torch.Tensor:
        return torch.from_numpy(self.host.crop(matrix, size))

    def whole(self) -> torch.Tensor:
        return torch.from_numpy(self.host.whole())

    def blend(self, matrix: Matrix, change: torch.Tensor) -> None:
        self.host.blend(matrix, change.numpy())

    def blend_whole(self, change: torch.Tensor) -> None:
        self.host.blend_whole(change.numpy())

    def picture(self) -> Image:
        return self.host.picture()


def open_both(image: Image) -> list[OnTensors | DeviceCanvas]:
    return [OnTensors(image), DeviceCanvas(image, CPU)]


def landmarks_at(x: float, y: float, side: float, roll: float = 0.0) -> Array:
    points = (GPEN_TEMPLATE - 0.5) * side
    c, s = np.cos(roll), np.sin(roll)
    return np.asarray(points @ np.array([[c, s], [-s, c]]) + [x, y])


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Smooth, so that the two ways to interpolate may differ by rounding alone."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    phases = rng.uniform(0, 6, 3)
    planes = [127 + 100 * np.sin(x / 17 + p) * np.cos(y / 23 - p) for p in phases]
    return np.asarray(np.stack(planes, axis=2), dtype=np.uint8)


def matrix_for(x: float, y: float, side: float, roll: float = 0.0) -> Matrix:
    return to_template(landmarks_at(x, y, side, roll), SIZE)


def change(seed: int = 0, strength: float = 0.5) -> torch.Tensor:
    return (torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) - 0.5) * 2 * strength


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-50, 250),
    st.floats(-50, 200),
    st.floats(12, 300),
    st.floats(-1, 1),
    st.integers(1, 180),
    st.integers(1, 160),
)
def test_nothing_outside_the_mask_changes(x: float, y: float, side: float, roll: float, width: int, height: int) -> None:
    image = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    matrix = matrix_for(x, y, side, roll)
    back = invert(matrix)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) @ matrix[:, :2].T + matrix[:, 2]
    # A pixel may change when any crop pixel that bilinear sampling (after shrinking) mixes into it has a mask above zero.
    reach = 1 + max(1.0, 1 / np.sqrt(abs(np.linalg.det(back[:, :2]))))
    margin = reach / SIZE
    inside = mask_reaches(grid / SIZE, margin)
    before = image.copy()
    for canvas in open_both(image):
        canvas.blend(matrix, change(1, 2.0))
        moved = (canvas.picture() != image).any(axis=2)
        assert not (moved & ~inside).any()
    assert np.array_equal(image, before), "the frame that was given must never be written to"


def mask_reaches(points: Array, margin: float) -> Array:
    """Where the mask can be above zero within `margin`: the bounds of its support, a little wider."""
    rows, columns = np.nonzero(face_mask(256) > 0)
    x0, x1 = columns.min() / 256 - margin, (columns.max() + 1) / 256 + margin
    y0, y1 = rows.min() / 256 - margin, (rows.max() + 1) / 256 + margin
    x, y = points[..., 0], points[..., 1]
    return np.asarray((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))


@pytest.mark.parametrize("level", [0, 1, 77, 128, 254, 255])
@pytest.mark.parametrize("side", [30.0, 64.0, 200.0])
def test_a_constant_picture_stays_constant(level: int, side: float) -> None:
    image = np.full((150, 200, 3), level, np.uint8)
    matrix = matrix_for(100, 75, side, 0.3)
    for canvas in open_both(image):
        crop = canvas.crop(matrix, SIZE)
        assert torch.allclose(crop, torch.full_like(crop, level / 127.5 - 1), atol=1e-5)
        canvas.blend(matrix, crop - crop)
        assert np.array_equal(canvas.picture(), image)


def test_a_network_that_changes_nothing_leaves_every_bit() -> None:
    image = np.random.default_rng(0).integers(0, 256, (180, 240, 3), dtype=np.uint8)
    for canvas in open_both(image):
        canvas.blend(matrix_for(120, 90, 170), torch.zeros(1, 3, SIZE, SIZE))
        assert np.array_equal(canvas.picture(), image)


@pytest.mark.parametrize("side", [25.0, 64.0, 90.0, 240.0])
@pytest.mark.parametrize("roll", [0.0, 0.5])
def test_the_canvases_agree(side: float, roll: float) -> None:
    image = picture(220, 300)
    matrix = matrix_for(150, 110, side, roll)
    cpu, device = open_both(image)
    a, b = cpu.crop(matrix, SIZE), device.crop(matrix, SIZE)
    assert (a - b).abs().max() * 127.5 < 3
    assert (a - b).abs().mean() * 127.5 < 0.6
    y, x = torch.meshgrid(torch.linspace(0, 3, SIZE), torch.linspace(0, 3, SIZE), indexing="ij")
    smooth = torch.stack([torch.sin(x + y), torch.cos(x), torch.sin(y)])[None] * 0.4
    cpu.blend(matrix, smooth)
    device.blend(matrix, smooth)
    difference = np.abs(cpu.picture().astype(int) - device.picture().astype(int))
    assert difference.max() <= 3
    assert difference.mean() < 0.25


def test_what_the_network_adds_arrives_at_full_strength_on_the_face() -> None:
    image = np.full((300, 300, 3), 100, np.uint8)
    matrix = matrix_for(150, 150, 200)
    nose = np.round(landmarks_at(150, 150, 200)[2]).astype(int)
    for canvas in open_both(image):
        canvas.blend(matrix, torch.full((1, 3, SIZE, SIZE), 20 / 127.5))
        assert canvas.picture()[nose[1], nose[0]].tolist() == [120, 120, 120]


def test_the_border_is_soft() -> None:
    """Between neighbouring pixels, a constant change never steps by more than a few percent: no visible border."""
    image = np.full((400, 400, 3), 100, np.uint8)
    for canvas in open_both(image):
        canvas.blend(matrix_for(200, 200, 300), torch.full((1, 3, SIZE, SIZE), 100 / 127.5))
        out = canvas.picture().astype(int)
        assert max(np.abs(np.diff(out, axis=0)).max(), np.abs(np.diff(out, axis=1)).max()) <= 6


def test_whole_frame() -> None:
    image = picture(33, 47)
    for canvas in open_both(image):
        whole = canvas.whole()
        assert whole.shape == (1, 3, 33, 47)
        canvas.blend_whole(torch.zeros_like(whole))
        assert np.array_equal(canvas.picture(), image)
        canvas.blend_whole(torch.full_like(whole, 2.0))
        assert (canvas.picture() == 255).all()


@pytest.mark.parametrize("size", [1, 7, 64, 256, 512])
def test_the_mask_ends_before_the_crop_does(size: int) -> None:
    mask = face_mask(size)
    assert mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    if size >= 64:
        assert mask.max() == 1
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
        for x, y in GPEN_TEMPLATE * size:
            assert mask[int(y), int(x)] == 1


def test_the_masks_support_holds_all_of_it() -> None:
    x0, y0, x1, y1 = mask_support(64)
    rest = face_mask(64).copy()
    assert rest[y0:y1, x0:x1].any(axis=1).all()
    rest[y0:y1, x0:x1] = 0
    assert not rest.any()


@pytest.mark.parametrize("side", [20.0, 64.0, 90.0, 240.0])
@pytest.mark.parametrize("most", [60.0, 300.0])
def test_bytes_on_the_way_back_are_within_a_level_of_floats(side: float, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a change that bytes can't hold goes as floats."""
    image, matrix = np.random.default_rng(1).integers(0, 256, (220, 300, 3), dtype=np.uint8), matrix_for(150, 110, side, 0.3)
    added = np.random.default_rng(2).uniform(-most, most, (SIZE, SIZE, 3)).astype(np.float32) * face_mask(SIZE)[:, :, None]
    found = []
    for most_of_bytes in (host_canvas._MOST, -1.0):
        monkeypatch.setattr(host_canvas, "_MOST", most_of_bytes)
        canvas = HostCanvas(image)
        canvas.add(matrix, added, 0.8)
        found.append(canvas.picture().astype(int))
    assert np.abs(found[0] - found[1]).max() <= 1
    assert np.abs(found[0] - image).max() > 0.3 * most


def test_a_crop_outside_the_frame_covers_nothing() -> None:
    assert covered(matrix_for(-900, -900, 100), (0, 0, SIZE, SIZE), Size(100, 100)) is None


@given(width=st.integers(1, 9), height=st.integers(1, 9), seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_mirrored_positions_are_grid_sample_s_reflection(width: int, height: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(1, 2, height, width, generator=generator)
    grid = torch.rand(1, 5, 7, 2, generator=generator) * 12 - 6
    expected = torch.nn.functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    mirrored = reflected(grid, Size(width, height))
    for padding in ("zeros", "border"):
        found = torch.nn.functional.grid_sample(pixels, mirrored, padding_mode=padding, align_corners=False)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
