"""The face detector: decoding, suppression, odd pictures, files, and the shipped weights on pictures that everyone has."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from skimage import data

from gpen_live.errors import WeightsError
from gpen_live.faces import detect
from gpen_live.faces.detect import Detection, Detector, Floats, Planes
from gpen_live.frame import Image
from gpen_live.inference import torch_detector
from gpen_live.inference.device import CPU
from gpen_live.inference.loading import load_detector
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.training.facexlib_network import as_network, build_network

WEIGHTS = Path(__file__).parents[2] / "weights" / "detector.safetensors"

ASTRONAUT_POINTS = np.array([[202.0, 101.0], [246.0, 102.5], [223.0, 126.0], [203.0, 140.0], [245.0, 141.0]])
"""Eyes, nose and mouth corners in `skimage.data.astronaut()`, set by hand, good to about two pixels."""


@pytest.fixture(scope="module")
def detector() -> Detector:
    """As it runs on a processor."""
    return load_detector(CPU)


@pytest.fixture(scope="module")
def in_pytorch() -> TorchDetector:
    return TorchDetector.load(WEIGHTS, CPU)


@pytest.fixture(scope="module")
def astronaut() -> Image:
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def in_frame(picture: Image, scale: float, degrees: float, size: tuple[int, int] = (1280, 720)) -> tuple[Image, Floats]:
    """The picture turned and scaled about the astronaut's face in the middle of a grey frame, and the transform."""
    matrix = np.asarray(cv2.getRotationMatrix2D((224.0, 125.0), degrees, scale), dtype=np.float64)
    matrix[:, 2] += np.array(size) / 2 - [224.0, 125.0]
    small = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale) if scale < 0.7 else picture
    frame = cv2.warpAffine(small, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(90, 90, 90))
    return np.asarray(frame, dtype=np.uint8), matrix


@pytest.mark.parametrize("size", [(180, 320), (187, 333), (31, 65), (1, 1)])
def test_anchors_are_those_of_facexlib(size: tuple[int, int]) -> None:
    from facexlib.detection.retinaface import generate_config
    from facexlib.detection.retinaface_utils import PriorBox

    theirs = PriorBox(generate_config("mobile0.25"), image_size=size).forward().numpy()
    ours = detect.make_anchors(*size)
    height, width = size
    np.testing.assert_allclose(ours[:, 0] / width, theirs[:, 0], atol=1e-5)
    np.testing.assert_allclose(ours[:, 1] / height, theirs[:, 1], atol=1e-5)
    np.testing.assert_allclose(ours[:, 2] / width, theirs[:, 2], atol=1e-4)


def test_decoding_is_that_of_facexlib() -> None:
    from facexlib.detection.retinaface_utils import decode, decode_landm

    height, width = 96, 160
    ours = torch.from_numpy(detect.make_anchors(height, width)).float()
    theirs = torch.stack([ours[:, 0] / width, ours[:, 1] / height, ours[:, 2] / width, ours[:, 2] / height], dim=1)
    random = torch.Generator().manual_seed(3)
    boxes, points = torch.randn(len(ours), 4, generator=random), torch.randn(len(ours), 10, generator=random)
    frame = torch.tensor([width, height], dtype=torch.float32)
    expected_boxes = decode(boxes, theirs, [0.1, 0.2]) * frame.repeat(2)
    expected_points = decode_landm(points, theirs, [0.1, 0.2]) * frame.repeat(5)
    torch.testing.assert_close(torch_detector.decode_boxes(boxes, ours), expected_boxes, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(torch_detector.decode_landmarks(points, ours), expected_points, atol=1e-3, rtol=1e-4)
    numbers = ours.numpy()
    np.testing.assert_allclose(detect.decode_boxes(boxes.numpy(), numbers), expected_boxes, atol=1e-3, rtol=1e-4)
    np.testing.assert_allclose(detect.decode_landmarks(points.numpy(), numbers), expected_points, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(192, 320), (32, 64), (320, 320)])
@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_decoding_in_numpy_is_that_on_a_device(height: int, width: int, spread: float) -> None:
    count = len(detect.make_anchors(height, width))
    random = np.random.default_rng(height)
    boxes, classes, points = (random.normal(0, spread, (1, count, n)).astype(np.float32) for n in (4, 2, 10))
    found = detect.decode(boxes, classes, points, height, width)
    on_device = [torch.from_numpy(each) for each in (boxes, classes, points)]
    there = torch_detector.decode(on_device[0], on_device[1], on_device[2], height, width).numpy()
    assert found.dtype == np.float32
    assert found.shape == there.shape == (min(count, detect.MAX_CANDIDATES), 15)
    np.testing.assert_allclose(found, there, rtol=1e-5, atol=1e-4)


def test_what_is_no_number_comes_last_and_is_nobody(recwarn: pytest.WarningsRecorder) -> None:
    count = len(detect.make_anchors(96, 160))
    heads = [np.zeros((1, count, n), np.float32) for n in (4, 2, 10)]
    heads[1][0, :, 0], heads[1][0, : count // 2, 1] = 200.0, np.nan
    heads[1][0, -1] = 0.0, 3.0
    heads[0][0, -1], heads[0][0, -2] = 1e9, np.inf
    found = detect.decode(heads[0], heads[1], heads[2], 96, 160)
    assert found[0, 0] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert np.isfinite(found[0]).all()
    assert (found[1:, 0] < 1e-30).all()
    assert len(Detector(lambda _: found).detect(np.zeros((96, 160, 3), np.uint8))) == 1
    assert not recwarn.list


def test_folding_the_batch_norms_changes_nothing(in_pytorch: TorchDetector) -> None:
    plain = build_network(torch.device("cpu"))
    plain.load_state_dict(load_file(WEIGHTS))
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        boxes, scores, points = plain(picture - torch.tensor(detect.MEAN_BGR).view(1, 3, 1, 1))
    order = scores[0, :, 1].argsort(descending=True)[:20]
    anchors = torch.from_numpy(detect.make_anchors(64, 96)).float()
    found = in_pytorch.candidates(picture)[:20].detach()
    torch.testing.assert_close(found[:, 0], scores[0, order, 1], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found[:, 1:5], torch_detector.decode_boxes(boxes[0, order], anchors[order]), atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(
        found[:, 5:], torch_detector.decode_landmarks(points[0, order], anchors[order]), atol=1e-2, rtol=1e-3
    )


@given(st.integers(0, 10_000), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_suppression_keeps_what_torchvision_keeps(seed: int, count: int) -> None:
    from torchvision.ops import nms

    random = np.random.default_rng(seed)
    low = random.uniform(0, 60, (count, 2))
    boxes = np.hstack([low, low + random.uniform(5, 40, (count, 2))])
    scores = random.permutation(count + 1)[:count] / (count + 1)
    kept = detect.suppress(boxes, scores, 0.3)
    sure = np.flatnonzero(scores >= 0.3)
    theirs = nms(torch.from_numpy(boxes[sure]), torch.from_numpy(scores[sure]), detect.NMS_IOU)
    assert kept == [int(sure[i]) for i in theirs]


def test_iou_of_boxes_apart_touching_and_equal() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [10, 0, 20, 10], [30, 30, 40, 40], [5, 0, 15, 10], [3, 3, 3, 3]])
    np.testing.assert_allclose(detect.iou(boxes[0], boxes), [1, 0, 0, 1 / 3, 0], atol=1e-9)


@pytest.mark.parametrize("scale", [1.6, 2.0, 2.6])
@pytest.mark.parametrize("degrees", [0, 20, -25])
def test_finds_the_astronaut(detector: Detector, astronaut: Image, scale: float, degrees: float) -> None:
    frame, matrix = in_frame(astronaut, scale, degrees)
    faces = detector.detect(frame)
    assert len(faces) == 1
    expected = ASTRONAUT_POINTS @ matrix[:, :2].T + matrix[:, 2]
    eyes = float(np.linalg.norm(expected[1] - expected[0]))
    assert np.linalg.norm(faces[0].landmarks - expected, axis=1).max() < 0.2 * eyes
    x0, y0, x1, y1 = faces[0].box
    assert x0 < expected[:, 0].min()
    assert x1 > expected[:, 0].max()
    assert y0 < expected[:, 1].min()
    assert y1 > expected[:, 1].max()


def test_landmarks_come_in_their_order(detector: Detector, astronaut: Image) -> None:
    frame, _ = in_frame(astronaut, 1.5, 0)
    for picture in (frame, np.ascontiguousarray(frame[:, ::-1])):
        left_eye, right_eye, nose, left_mouth, right_mouth = detector.detect(picture)[0].landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_two_faces_largest_first_and_no_more_than_asked(detector: Detector, astronaut: Image) -> None:
    large, _ = in_frame(astronaut, 2.0, 0, (640, 720))
    small, _ = in_frame(astronaut, 1.2, 0, (640, 720))
    frame = np.hstack([small, large])
    faces = detector.detect(frame)
    assert len(faces) == 2
    assert faces[0].area > faces[1].area
    assert faces[0].landmarks[:, 0].min() > 640 > faces[1].landmarks[:, 0].max()
    only = detector.detect(frame, max_faces=1)
    assert [face.box for face in only] == [faces[0].box]


@pytest.mark.parametrize("name", ["coffee", "brick", "grass", "gravel", "rocket"])
def test_finds_nobody_where_nobody_is(detector: Detector, name: str) -> None:
    picture = np.asarray(getattr(data, name)())
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    assert detector.detect(np.ascontiguousarray(picture[..., ::-1])) == []


def test_finds_a_face_in_grey(detector: Detector, astronaut: Image) -> None:
    frame, _ = in_frame(astronaut, 1.5, 0)
    grey = np.repeat(frame.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert len(detector.detect(grey)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (2, 3), (33, 47), (2160, 3840)])
@pytest.mark.parametrize("level", [0, 255])
def test_plain_pictures_of_any_size_hold_no_face(detector: Detector, shape: tuple[int, int], level: int) -> None:
    assert detector.detect(np.full((*shape, 3), level, np.uint8)) == []


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_refuses_what_is_no_picture(detector: Detector, picture: Image) -> None:
    with pytest.raises(ValueError, match="H x W x 3"):
        detector.detect(picture)


def test_on_a_processor_it_finds_what_pytorch_finds(detector: Detector, in_pytorch: TorchDetector, astronaut: Image) -> None:
    for scale, degrees in ((1.5, 10), (2.2, -20)):
        frame, _ = in_frame(astronaut, scale, degrees)
        (ours,), (theirs,) = detector.detect(frame), in_pytorch.detect(frame)
        np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.02)
        np.testing.assert_allclose(ours.box, theirs.box, atol=0.05)
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)


def test_a_reduced_tensor_gives_the_same_faces(in_pytorch: TorchDetector, astronaut: Image) -> None:
    frame, _ = in_frame(astronaut, 1.5, 10)
    small = torch.from_numpy(cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)).permute(2, 0, 1)[None].float()
    whole, reduced = in_pytorch.detect(frame)[0], in_pytorch.detect_tensor(small, scale=(4.0, 4.0))[0]
    np.testing.assert_allclose(reduced.landmarks, whole.landmarks, atol=1e-3)
    np.testing.assert_allclose(reduced.box, whole.box, atol=1e-3)


def test_voting_steadies_the_landmarks() -> None:
    """Of candidates with errors of their own, the average wanders less than the best one; one far away has no say."""
    random = np.random.default_rng(5)
    true = np.array([20.0, 30, 60, 80, 30, 45, 50, 45, 40, 55, 32, 68, 48, 68])

    def noisy(_: Planes) -> Planes:
        rows = np.hstack([random.uniform(0.9, 1.0, (9, 1)), true + random.normal(0, 1, (9, 14))])
        other = np.hstack([[0.95], true + 200])
        return np.vstack([rows, other]).astype(np.float32)

    def errors(vote: bool) -> Floats:
        detector = Detector(noisy, vote=vote)
        found = [detector.detect(np.zeros((8, 8, 3), np.uint8)) for _ in range(60)]
        assert all(len(faces) == 2 for faces in found)
        first = [min(faces, key=lambda face: face.box[0]).landmarks for faces in found]
        return np.asarray(np.asarray(first) - true[4:].reshape(5, 2), dtype=np.float64)

    alone, together = errors(False), errors(True)
    assert np.std(together) < 0.6 * np.std(alone)
    assert abs(together.mean()) < 0.1


def test_a_broken_network_gives_no_faces_rather_than_nonsense(astronaut: Image) -> None:
    network = build_network(torch.device("cpu"))
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, float("nan"))
    assert TorchDetector(as_network(network), CPU).detect(astronaut) == []


def test_area_is_that_of_the_box() -> None:
    assert Detection((1.0, 2.0, 4.0, 6.0), 0.9, np.zeros((5, 2))).area == 12.0


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("missing", "weights.missing"),
        ("truncated", "weights.damaged"),
        ("other network", "weights.unfit"),
        ("no weights", "weights.not_weights"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, kind: str, key: str) -> None:
    path = tmp_path / "face.safetensors"
    if kind == "truncated":
        path.write_bytes(WEIGHTS.read_bytes()[:5000])
    elif kind == "other network":
        save_file({"body.weight": torch.zeros(3)}, path)
    elif kind == "no weights":
        path.write_text("hello")
    with pytest.raises(WeightsError, check=lambda error: error.message.id == key and path.name in error.what):
        TorchDetector.load(path, CPU)
