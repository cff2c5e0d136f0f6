"""Training of the retouch network: painted films keep what they promise, and so do labels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torch import Generator, Tensor

from gpen_live.facedata.pack import MARGIN, PACKED, SIZE, aligned
from gpen_live.inference.face_mesh import FaceMesh
from gpen_live.nets.retouch import LAYERS
from gpen_live.training.retouch import losses
from gpen_live.training.retouch_bank import Bank, draw
from gpen_live.training.retouch_labels import HALF, label
from gpen_live.training.retouch_paint import Films, Painter, Portraits

EYES_NOSE_MOUTH = [[205.0, 110.5], [246.5, 109.0], [226.0, 135.0], [209.0, 151.0], [247.0, 150.0]]  # by eye


@pytest.fixture(scope="module")
def bank() -> Bank:
    return draw(1, seed=1)


def portraits() -> Portraits:
    """Two grey faces: an oval of skin on a darker ground."""
    rows, columns = torch.meshgrid(torch.arange(PACKED), torch.arange(PACKED), indexing="ij")
    oval = (((rows - 170) / 90) ** 2 + ((columns - 160) / 60) ** 2 < 1).float()
    picture = (60 + oval * torch.tensor([140.0, 100.0, 80.0]).view(3, 1, 1)).byte()
    matte = (oval[::2, ::2] * 255).byte()
    maps = torch.stack([oval[::4, ::4] * level for level in (0, 255, 0, 255)]).byte()

    def two(x: Tensor) -> Tensor:
        return x[None].repeat(2, *[1] * x.dim())

    known = torch.full((1, HALF // 2, HALF // 2), 255, dtype=torch.uint8)
    return Portraits(two(picture), two(matte[None]), two(torch.zeros_like(matte)[None]), two(maps), two(known))


def films(bank: Bank, count: int = 6, frames: int = 1) -> Films:
    kernels = torch.zeros(2, 3, 3)
    kernels[:, 1, 1] = 1
    painter = Painter(portraits(), bank, kernels, Generator().manual_seed(0))
    return painter.films(count, frames)


def test_films(bank: Bank) -> None:
    made = films(bank, frames=2)
    assert made.seen.shape == (6, 2, 3, SIZE, SIZE)
    assert made.layers.shape == made.weight.shape == (6, 2, len(LAYERS), SIZE // 2, SIZE // 2)
    for values, least in ((made.seen, -1), (made.layers, 0), (made.weight, 0)):
        assert bool(torch.isfinite(values).all())
        assert least <= float(values.min()) <= float(values.max()) <= 1
    skin, *others = made.layers.unbind(2)
    assert float(skin.mean()) > 0.1
    for name, layer in zip(LAYERS[1:], others, strict=True):
        assert float(layer.max()) > 0.2, name
        beside = layer[torch.nn.functional.max_pool2d(skin, 9, 1, 4) < 0.01]
        assert float(beside.max()) < 0.05, f"{name} beside the skin"


def test_losses_want_the_truth(bank: Bank) -> None:
    made = films(bank, count=3, frames=2)
    right = losses(torch.logit(made.layers.clamp(1e-4, 1 - 1e-4)), made)
    empty = losses(torch.full_like(made.layers, -6), made)
    for name in LAYERS:
        assert right[name] < empty[name], name
    assert right["steady"] < 0.01


def test_labels_of_a_photo() -> None:
    canvas = aligned(np.ascontiguousarray(astronaut()[..., ::-1]), EYES_NOSE_MOUTH)
    found = FaceMesh.load()(canvas[MARGIN:-MARGIN, MARGIN:-MARGIN])
    person = np.zeros((PACKED, PACKED), np.float32)
    cv2.ellipse(person, (155, 150), (125, 145), 0, 0, 360, (1.0,), -1)
    made = label(canvas, found.points[:, :2].astype(np.float64) * SIZE - 0.5 + MARGIN, person)
    assert made is not None
    assert made.cover > 0.8

    def at(x: float, y: float) -> float:
        value: float = made.matte[round((y * SIZE + MARGIN) / 2), round((x * SIZE + MARGIN) / 2)].item()
        return value

    for x, y in ((0.33, 0.55), (0.62, 0.55), (0.48, 0.37)):  # cheeks, forehead
        assert at(x, y) > 0.7
    for x, y in ((0.37, 0.42), (0.58, 0.43), (0.48, 0.67), (0.2, 0.3), (0.97, 0.05)):  # eyes, mouth, hair, wall
        assert at(x, y) < 0.5
