"""The retouch network's runners: in OpenVINO and in PyTorch alike, and what the shipped weights find on a face."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from skimage.data import astronaut

from gpen_live.faces.align import to_template
from gpen_live.frame import Image
from gpen_live.inference import device as devices
from gpen_live.inference.retouch import SHAPE, Retouch
from gpen_live.inference.torch_retouch import TorchRetouch
from gpen_live.nets.retouch import LAYERS, SIZE

EYES_NOSE_MOUTH = [[205.0, 110.5], [246.5, 109.0], [226.0, 135.0], [209.0, 151.0], [247.0, 150.0]]  # by eye


def face(size: int) -> Image:
    """The astronaut's, aligned."""
    matrix = to_template(EYES_NOSE_MOUTH, size)
    picture = np.ascontiguousarray(astronaut()[..., ::-1])
    return np.asarray(cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)


@pytest.fixture(scope="module")
def find() -> Retouch:
    return Retouch.load()


def layer(found: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = found[LAYERS.index(name)]
    return values


def at(found: npt.NDArray[np.float32], x: float, y: float) -> float:
    value: float = found[round(y * SHAPE[1]), round(x * SHAPE[2])].item()
    return value


@pytest.mark.parametrize("size", [200, 256, 512])
def test_skin_of_a_face(size: int, find: Retouch) -> None:
    found = find(face(size))
    assert found.shape == SHAPE
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    skin = layer(found, "skin")
    for x, y in ((0.33, 0.55), (0.62, 0.55), (0.48, 0.37)):  # cheeks, forehead
        assert at(skin, x, y) > 0.5
    for x, y in ((0.37, 0.42), (0.58, 0.43), (0.48, 0.67), (0.2, 0.3), (0.97, 0.05)):  # eyes, mouth, hair, wall
        assert at(skin, x, y) < 0.4


def test_pytorch_finds_the_same(find: Retouch) -> None:
    find_in_pytorch = TorchRetouch.load(devices.CPU)
    crops = [face(SIZE), np.ascontiguousarray(face(SIZE)[:, ::-1])]
    pictures = torch.from_numpy(np.stack(crops)[..., ::-1].copy()).permute(0, 3, 1, 2).float()
    first, once = [find(crop) for crop in crops], find_in_pytorch(pictures)
    assert np.abs(once.numpy() - first).max() < 1e-3
    second = [find(crop, layers) for crop, layers in zip(crops, first, strict=True)]
    assert np.abs(find_in_pytorch(pictures, once).numpy() - second).max() < 2e-3


def test_a_still_face_holds_still(find: Retouch) -> None:
    random = np.random.default_rng(0)
    found: list[npt.NDArray[np.float32]] = []
    for _ in range(12):
        noisy = face(SIZE) + random.normal(0, 4, (SIZE, SIZE, 3))
        found.append(find(noisy.clip(0, 255).astype(np.uint8), found[-1] if found else None))
    change = np.abs(np.diff(found[4:], axis=0))
    assert change[:, 0].mean() < 0.004
    assert change.max(axis=(2, 3)).mean() < 0.2


def test_larger_crops_are_averaged(find: Retouch) -> None:
    large: Image = np.repeat(np.repeat(face(SIZE), 2, axis=0), 2, axis=1)
    assert np.array_equal(find(large), find(cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA)))
