"""The GPU path's kernels against the canvas, OpenCV's area reduction and the conversion."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gpen_live.engine.paths.mask import face_mask
from gpen_live.engine.paths.torch_canvas import DeviceCanvas
from gpen_live.faces.align import GPEN_TEMPLATE, Matrix, to_template
from gpen_live.frame import Array, Image, PixelFormat
from gpen_live.media.pixel_formats import convert

CPU = torch.device("cpu")
SIZE = 48


def kernels() -> Any:
    from gpen_live.engine.paths.cuda import kernels as found

    return found


def picture(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def matrix_for(x: float, y: float, side: float, roll: float = 0.0) -> Matrix:
    points = (GPEN_TEMPLATE - 0.5) * side
    c, s = np.cos(roll), np.sin(roll)
    return to_template(points @ np.array([[c, s], [-s, c]]) + [x, y], SIZE)


def on(device: torch.device, image: Array) -> torch.Tensor:
    return torch.from_numpy(image.copy()).to(device)


def numbers(device: torch.device, image: Image, matrices: list[Matrix], weights: list[float]) -> torch.Tensor:
    from gpen_live.engine.paths.cuda.faces import face_numbers

    height, width = image.shape[:2]
    return on(device, np.stack([face_numbers(m, SIZE, height, width, w, 1.0) for m, w in zip(matrices, weights, strict=True)]))


@pytest.mark.parametrize(
    ("height", "width", "small_h", "small_w"),
    [(60, 80, 30, 40), (54, 96, 9, 16), (50, 70, 23, 32), (37, 53, 37, 53), (91, 33, 32, 12), (20, 64, 7, 22), (1, 40, 1, 13)],
)
def test_reducing_is_opencvs(device: torch.device, height: int, width: int, small_h: int, small_w: int) -> None:
    image = picture(height, width)
    out = torch.full((1, 3, small_h, small_w), -1.0, device=device)
    kernels().reduce(on(device, image), out)
    expected = cv2.resize(image, (small_w, small_h), interpolation=cv2.INTER_AREA).astype(np.float32)
    difference = np.abs(out[0].permute(1, 2, 0).cpu().numpy() - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < (0.15 if height == 2 * small_h else 0.05)  # by halves OpenCV rounds up, otherwise to even


@pytest.mark.parametrize(("height", "width"), [(80, 120), (77, 101)])
@pytest.mark.parametrize("side", [20.0, 48.0, 150.0])
@pytest.mark.parametrize("roll", [0.0, 0.6])
def test_crops_are_the_canvas_s(device: torch.device, height: int, width: int, side: float, roll: float) -> None:
    image = picture(height, width)
    matrices = [matrix_for(width / 2, height / 2, side, roll), matrix_for(5, height - 3, side), matrix_for(-side, 0, side)]
    out = torch.full((3, 3, SIZE, SIZE), 9.0, device=device)
    kernels().crop(on(device, image), numbers(device, image, matrices, [1, 1, 1]), out)
    canvas = DeviceCanvas(image, CPU)
    for got, matrix in zip(out.cpu(), matrices, strict=True):
        assert (got - canvas.crop(matrix, SIZE)[0]).abs().max() < 0.01 / 2


def blended(
    device: torch.device, image: Image, matrices: list[Matrix], pictures: torch.Tensor, weights: list[float], layout: PixelFormat
) -> Any:
    """What the kernels make of a frame: BGR, pixels in `layout`, and whether a value was not finite."""
    frame, pictures = on(device, image), pictures.to(device)
    faces = numbers(device, image, matrices, weights)
    crops = torch.empty(len(matrices), 3, SIZE, SIZE, device=device)
    kernels().crop(frame, faces, crops)
    changes, broken = torch.full_like(crops, 1e9), torch.zeros(1, dtype=torch.uint8, device=device)
    kernels().change(crops, pictures, on(device, face_mask(SIZE)), faces, changes, broken)
    height, width = image.shape[:2]
    bgr = torch.full_like(frame, 7)
    planes = torch.full(((height + 1) // 2 * 3, (width + 1) // 2 * 2), 7, dtype=torch.uint8, device=device)
    kernels().finish(frame, changes, faces, bgr, planes, layout)
    return bgr.cpu().numpy(), planes.cpu().numpy(), bool(broken)


def canvas_blended(image: Image, matrices: list[Matrix], pictures: torch.Tensor, weights: list[float]) -> Image:
    canvas = DeviceCanvas(image, CPU)
    crops = torch.cat([canvas.crop(matrix, SIZE) for matrix in matrices])
    change = pictures.float().clamp(-1, 1) - crops
    for i in reversed(range(len(matrices))):
        canvas.blend(matrices[i], change[i : i + 1] * weights[i])
    return canvas.picture()


def close(got: Array, expected: Array) -> None:
    difference = np.abs(got.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("layout", list(PixelFormat))
@pytest.mark.parametrize(("height", "width"), [(90, 130), (77, 101)])
def test_blending_is_the_canvas_s_and_conversion_opencvs(
    device: torch.device, count: int, layout: PixelFormat, height: int, width: int
) -> None:
    image = picture(height, width)
    places = [(60.0, 50.0, 110.0, 0.2), (75.0, 40.0, 40.0, 0.0), (98.0, 70.0, 30.0, -0.4), (4.0, 6.0, 20.0, 0.0)][:count]
    matrices = [matrix_for(*place) for place in places]
    pictures = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2.4 - 1.2
    weights = [1.0, 0.7, 0.4, 0.9][:count]
    bgr, planes, broken = blended(device, image, matrices, pictures, weights, layout)
    assert not broken
    close(bgr, canvas_blended(image, matrices, pictures, weights))
    assert (bgr != image).any()
    if layout is PixelFormat.BGR:
        assert (planes == 7).all()
    else:
        assert np.array_equal(planes, convert(bgr, layout))


def test_other_layouts_and_types_of_pictures(device: torch.device) -> None:
    image, matrices = picture(80, 90), [matrix_for(40, 40, 70), matrix_for(50, 50, 30)]
    pictures = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected = blended(device, image, matrices, pictures.half().float(), [1, 1], PixelFormat.BGR)[0]
    odd = pictures.half().contiguous(memory_format=torch.channels_last)
    assert np.array_equal(blended(device, image, matrices, odd, [1, 1], PixelFormat.BGR)[0], expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_told(device: torch.device, value: float) -> None:
    image, matrices = picture(60, 60), [matrix_for(30, 30, 50)]
    pictures = torch.zeros(1, 3, SIZE, SIZE)
    pictures[0, 2, 17, 5] = value
    assert blended(device, image, matrices, pictures, [1], PixelFormat.BGR)[2]


def test_a_network_that_changes_nothing_leaves_every_bit(device: torch.device) -> None:
    image, matrix = picture(61, 83), matrix_for(40, 30, 50, 0.3)
    crop = DeviceCanvas(image, CPU).crop(matrix, SIZE)
    ours = torch.empty_like(crop, device=device)
    kernels().crop(on(device, image), numbers(device, image, [matrix], [1]), ours)
    assert np.array_equal(blended(device, image, [matrix], ours, [1], PixelFormat.NV12)[0], image)


@pytest.mark.parametrize("layout", list(PixelFormat))
def test_the_whole_frame(device: torch.device, layout: PixelFormat) -> None:
    image = picture(35, 47)
    frame = on(device, image)
    seen = torch.empty(1, 3, 35, 47, device=device)
    kernels().whole(frame, seen)
    canvas = DeviceCanvas(image, CPU)
    assert torch.allclose(seen.cpu(), canvas.whole(), rtol=0, atol=1e-6)  # a card multiplies and subtracts in one
    made = (torch.rand(1, 3, 35, 47, generator=torch.Generator().manual_seed(1)) * 2.4 - 1.2).permute(0, 1, 3, 2)
    made = made.contiguous().permute(0, 1, 3, 2)  # other strides
    canvas.blend_whole((made.clamp(-1, 1) - seen.cpu()) * 0.6)
    made = made.to(device)
    faces = torch.zeros(1, kernels().FACE, device=device)
    faces[0, 14] = 0.6 * 127.5
    bgr, planes = torch.empty_like(frame), torch.empty(54, 48, dtype=torch.uint8, device=device)
    broken = torch.zeros(1, dtype=torch.uint8, device=device)
    kernels().finish_whole(frame, made, faces, bgr, planes, broken, layout)
    close(bgr.cpu().numpy(), canvas.picture())
    if layout is not PixelFormat.BGR:
        assert np.array_equal(planes.cpu().numpy(), convert(bgr.cpu().numpy(), layout))
    assert not broken
    made[0, 0, 3, 3] = float("nan")
    kernels().finish_whole(frame, made, faces, bgr, planes, broken, layout)
    assert broken
