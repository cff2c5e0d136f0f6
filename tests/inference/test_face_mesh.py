"""The mesh's runners: in OpenVINO and in PyTorch alike, whatever the crop's size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from gpen_live.faces import mesh
from gpen_live.frame import Image
from gpen_live.inference import device as devices
from gpen_live.inference.face_mesh import FaceMesh
from gpen_live.inference.torch_face_mesh import TorchFaceMesh
from gpen_live.nets import face_mesh as nets


@pytest.fixture(scope="module")
def find() -> FaceMesh:
    return FaceMesh.load()


@pytest.fixture(scope="module")
def find_in_pytorch() -> TorchFaceMesh:
    return TorchFaceMesh.load(devices.CPU)


def drawing(size: int) -> Image:
    """The canonical face, drawn: skin, eyes, brows, lips, a nose's shade."""
    scale = 1024
    image = np.full((scale, scale, 3), (120, 110, 100), np.uint8)

    def fill(line: mesh.Indices, colour: tuple[int, int, int]) -> None:
        cv2.fillPoly(image, [np.round(mesh.CANONICAL[list(line), :2] * scale).astype(np.int32)], colour, cv2.LINE_AA)

    fill(mesh.FACE_OVAL, (140, 165, 215))
    for eye, iris, brow in (
        (mesh.LEFT_EYE, mesh.LEFT_IRIS, mesh.LEFT_BROW),
        (mesh.RIGHT_EYE, mesh.RIGHT_IRIS, mesh.RIGHT_BROW),
    ):
        fill(eye, (235, 235, 235))
        fill(iris, (50, 40, 40))
        fill(brow, (40, 50, 70))
    fill(mesh.LIPS_OUTER, (110, 100, 190))
    fill(mesh.LIPS_INNER, (40, 40, 90))
    fill((*mesh.NOSE_BASE, 4), (110, 130, 185))
    blurred = cv2.GaussianBlur(image, (0, 0), 6)
    return np.asarray(cv2.resize(blurred, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("size", [200, 256, 512])
def test_a_drawn_face_is_found_where_it_is(size: int, find: FaceMesh) -> None:
    found = find(drawing(size))
    assert found.points.shape == (nets.POINTS, 3)
    assert found.score > 0.9
    apart = np.linalg.norm(found.points - mesh.CANONICAL, axis=1)[:, None]
    assert apart[[mesh.LEFT_PUPIL, mesh.RIGHT_PUPIL]].max() < 0.02
    assert apart.mean() < 0.03


def test_nothing_is_no_face(find: FaceMesh) -> None:
    assert find(np.full((256, 256, 3), 90, np.uint8)).score < 0.5


def test_pytorch_finds_the_same_points(find: FaceMesh, find_in_pytorch: TorchFaceMesh) -> None:
    random = np.random.default_rng(0).integers(0, 256, (1, 3, nets.SIDE, nets.SIDE), np.uint8)
    face = drawing(nets.SIDE)[..., ::-1].transpose(2, 0, 1)[None]
    tilted = np.rot90(face, axes=(2, 3))  # some of its crops lie outside
    pictures = np.ascontiguousarray(np.concatenate([random, face, tilted]))
    points, logits = find_in_pytorch.found(torch.from_numpy(pictures) / 255)
    for one in range(len(pictures)):
        wanted, logit = find.found(pictures[one : one + 1])
        np.testing.assert_allclose(points[one], wanted, atol=0.02)
        assert float(logits[one]) == pytest.approx(logit, abs=0.01)


@pytest.mark.parametrize("size", [256, 512])
def test_pytorch_takes_crops_alike(size: int, find: FaceMesh, find_in_pytorch: TorchFaceMesh) -> None:
    crop = drawing(size)
    points, scores = find_in_pytorch(torch.from_numpy(crop[..., ::-1].copy()).permute(2, 0, 1)[None])
    wanted = find(crop)
    assert np.abs(points[0].numpy() - wanted.points).max() * 256 < 0.3
    assert float(scores[0]) == pytest.approx(wanted.score, abs=0.01)


@pytest.mark.parametrize("size", [192, 256, 384, 512, 1024, 2048])
def test_the_window_is_cut_into_whole_boxes(size: int) -> None:
    left, top, side, box = mesh.window(size)
    assert left >= 0
    assert top + side <= size
    assert side % box == 0
    assert nets.SIDE <= side // box < 2 * nets.SIDE or size < 220
    assert (left / size, top / size, side / size) == pytest.approx(mesh.WINDOW, abs=2 / size * box)
