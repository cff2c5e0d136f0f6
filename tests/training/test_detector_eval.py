"""The detectors' evaluation: recall and precision at any score, conditions, YuNet's decoding, tables, and agreed landmarks."""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import Detection, Detector, Floats
from gpen_live.frame import Image
from gpen_live.inference import device as devices
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.training import detector_eval
from gpen_live.training.detector_bench import Pictures, scene_pictures
from gpen_live.training.detector_pack import consensus, shrink
from gpen_live.training.detector_report import ClipResult, clip_table, table
from gpen_live.training.detector_score import Truth
from gpen_live.training.detector_sweep import eye_offsets, sweep
from gpen_live.training.facexlib_network import build_network
from gpen_live.training.scene_banks import Bank, FaceBank
from gpen_live.training.scene_photos import LANDMARK_COLUMNS, Photo
from gpen_live.training.scenes import SceneMaker
from gpen_live.training.yunet import YuNet, decode
from tests.messages.says import says

CPU = torch.device("cpu")
POINTS = np.array([[3.0, 3.0], [7.0, 3.0], [5.0, 5.0], [3.5, 8.0], [6.5, 8.0]])


def face(x: float, score: float, side: float = 10.0, miss: float = 0.0) -> Detection:
    return Detection((x, 0.0, x + side, side), score, POINTS + np.array([x + miss, 0.0]))


def truth(*places: float, doubtful: float | None = None) -> Truth:
    boxes = np.array([[x, 0.0, x + 10, 10.0] for x in places]).reshape(-1, 4)
    unsure = np.zeros((0, 4)) if doubtful is None else np.array([[doubtful, 0.0, doubtful + 10, 10.0]])
    return Truth(boxes, np.array([POINTS + np.array([x, 0.0]) for x in places]).reshape(-1, 5, 2), unsure)


def three_pictures() -> tuple[list[list[Detection]], list[Truth]]:
    """Two faces found at 0.9 and 0.5, one missed; wrong at 0.7 (as high as a face) and at 0.8 (twice as high); one excused."""
    found = [[face(0, 0.9), face(50, 0.7)], [face(0, 0.5, miss=0.4), face(60, 0.95)], [face(20, 0.8, side=20.0)]]
    return found, [truth(0, 30), truth(0, doubtful=60), truth()]


def test_rates_follow_the_score() -> None:
    result = sweep(*three_pictures(), 100)
    strict, loose = result.rate(0.75), result.rate(0.5)
    assert [strict.recall, strict.precision, strict.wrong] == pytest.approx([1 / 3, 0.5, 1])
    assert [loose.recall, loose.precision, loose.wrong] == pytest.approx([2 / 3, 0.5, 2])
    assert loose.f1 == pytest.approx(4 / 7)
    assert result.false_on(np.array([False, False, True]), 0.5) == 1


def test_faces_out_of_range_count_neither_way() -> None:
    result = sweep(*three_pictures(), 100)
    wanted = np.array([True, False, True])
    rate = result.rate(0.5, wanted, (0.05, 0.15))
    assert [rate.recall, rate.precision, rate.wrong] == pytest.approx([1.0, 2 / 3, 1])
    only = result.rate(0.5, np.array([True, False, False]), (0.05, 0.15))
    assert (only.recall, only.precision, only.wrong) == (1.0, 0.5, 1)


def test_best_score_and_average_precision() -> None:
    result = sweep(*three_pictures(), 100)
    every = np.ones(3, dtype=bool)
    # Right, wrong, wrong, right: precision 1 at the first hit, 2/4 at the second; three faces.
    assert result.average_precision(every) == pytest.approx((1 + 0.5) / 3)
    assert result.best(every).threshold == 0.5
    assert result.best(np.array([True, False, False])).threshold == 0.9
    nothing = sweep([[]], [truth(0)], 100)
    assert nothing.best(np.ones(1, dtype=bool)).recall == 0.0
    assert nothing.average_precision(np.ones(1, dtype=bool)) == 0.0


def test_landmark_offsets_turn_with_the_face() -> None:
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    miss = np.array([0.8, 0.4])
    here, turned = eye_offsets(POINTS + miss, POINTS), eye_offsets((POINTS + miss) @ turn.T, POINTS @ turn.T)
    np.testing.assert_allclose(here, np.tile([0.2, 0.1], (5, 1)))
    np.testing.assert_allclose(turned, here)
    hits = sweep(*three_pictures(), 100).hits_on(np.ones(3, dtype=bool), 0.0)
    assert sorted(hits) == [0, 2]
    np.testing.assert_allclose(hits[2], np.tile([0.1, 0.0], (5, 1)), atol=1e-12)


def test_yunet_decodes_as_opencv() -> None:
    outputs: dict[str, Floats] = {}
    for step in (8, 16, 32):
        cells = (64 // step) * (96 // step)
        for kind, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{kind}_{step}"] = np.zeros((1, cells, columns))
    cell = 2 * 6 + 3  # row 2, column 3 of the middle level
    outputs["cls_16"][0, cell], outputs["obj_16"][0, cell] = 0.81, 1.2
    outputs["bbox_16"][0, cell] = [0.5, 0.25, np.log(2), np.log(3)]
    outputs["kps_16"][0, cell] = np.arange(10) / 10
    scores, points = decode(outputs, 96)
    best = int(scores.argmax())
    assert scores[best] == pytest.approx(0.9)
    np.testing.assert_allclose(points[best, :2], [[56 - 16, 36 - 24], [56 + 16, 36 + 24]])
    np.testing.assert_allclose(points[best, 2], [48.0, 32 + 1.6])
    assert len(scores) == 8 * 12 + 4 * 6 + 2 * 3


def test_yunet_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(GpenLiveError, check=says("training.no_yunet", path=tmp_path / "yunet.onnx")):
        YuNet(tmp_path / "yunet.onnx", long_side=320)


@dataclass
class Looks:
    """Stands for a detector: landmarks where two dots are, missed by half a pixel to the right and down in the picture."""

    seen: list[int] = field(default_factory=list)
    long_side: int = 0
    blind: bool = False

    def detect(self, image: Image) -> list[Detection]:
        self.seen.append(self.long_side)
        left, right = (np.argwhere(image[..., channel] > 128).mean(axis=0)[::-1] for channel in (0, 2))
        if left[0] > right[0]:
            left, right = right, left
        points = np.stack([left, right, (left + right) / 2, left + np.array([0, 20]), right + np.array([0, 20])]) + 0.5
        return [] if self.blind else [Detection((0.0, 0.0, 9.0, 9.0), 0.9, points)]


def dotted() -> Photo:
    image = np.zeros((80, 100, 3), np.uint8)
    image[29:32, 29:32, 0] = image[29:32, 59:62, 2] = 255
    points = np.array([[30.0, 30.0], [60.0, 30.0], [45.0, 30.0], [30.0, 50.0], [60.0, 50.0]])
    return Photo("dotted", image, np.array([20.0, 10.0, 70.0, 70.0]), points)


def test_landmarks_are_agreed_on_by_several_looks() -> None:
    looks, photo = Looks(), dotted()
    agreed = consensus(looks, photo)  # type: ignore[arg-type]
    assert agreed is not None
    assert len(set(looks.seen)) == 3
    # What is missed to the right in half of the looks is missed to the left in the mirrored ones.
    np.testing.assert_allclose(agreed, photo.landmarks + np.array([0.0, 0.5]), atol=1e-9)
    assert consensus(Looks(blind=True), photo) is None  # type: ignore[arg-type]


def test_shrinking_moves_landmarks_with_the_picture() -> None:
    photo = dotted()
    large = Photo("large", cv2.resize(photo.image, (800, 640)).astype(np.uint8), photo.box * 8, (photo.landmarks + 0.5) * 8 - 0.5)
    small = shrink(large, large.landmarks)
    assert small.image.shape == (256, 320, 3)
    np.testing.assert_allclose(small.landmarks, (photo.landmarks + 0.5) * 3.2 - 0.5)
    same = shrink(photo, photo.landmarks + 1)
    np.testing.assert_allclose(same.landmarks, photo.landmarks + 1)
    assert same.image is photo.image


def drawn_pictures(count: int) -> Pictures:
    image = np.full((240, 200, 3), 200, np.uint8)
    points = np.array([[85.0, 95.0], [135.0, 95.0], [110.0, 125.0], [90.0, 150.0], [130.0, 150.0]])
    photo = Photo("drawn", image, np.array([60.0, 50.0, 160.0, 180.0]), points)
    walls: list[Image] = [np.full((96, 128, 3), 90, np.uint8)]
    return scene_pictures(SceneMaker(FaceBank([photo], CPU), Bank(walls, 512, CPU), 3), count, 72, 128)


def test_conditions_sort_the_faces() -> None:
    pictures = drawn_pictures(64)
    assert len(pictures.frames) == len(pictures.truths) == len(pictures.empty) == 64
    assert len(pictures.heights) == sum(len(truth.boxes) for truth in pictures.truths)
    kinds = pictures.conditions()
    heights = [mask for name, mask in kinds.items() if name.startswith("height")]
    assert np.sum(heights, axis=0).max() == 1
    assert all(pictures.visible >= 0.5 - 1e-6)
    assert np.abs(pictures.roll).max() <= 60
    assert not (pictures.webcam & (pictures.heights < 0.2)).any()
    together = kinds["two to four faces"]
    assert (pictures.together[together] >= 2).all()
    assert pictures.empty.any()


def test_tables_for_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    known = ClipResult("two", "ours", 2, (0.6, 0.9), [[2, 3, 2, 1], [2, 2, 2, 1]], 0.01)
    unknown = ClipResult("some", "ours", None, (0.6,), [[0, 1, 1, 1]], float("nan"))
    text = clip_table([known, unknown])
    assert "| two | 2 (4 frames) | right 50.0 %, 1 false / right 75.0 % | 1.0 % |" in text
    assert "| some | – (4 frames) | 0: 25.0 %, 1: 75.0 % | – |" in text


def test_the_whole_evaluation_runs(tmp_path: Path) -> None:
    """Untrained weights on a drawn photo: the tables are there, whatever they say."""
    photos, scenes = tmp_path / "photos", tmp_path / "scenes"
    (photos / "photos").mkdir(parents=True)
    scenes.mkdir()
    columns = ["file", "split", "box_x0", "box_y0", "box_x1", "box_y1"]
    columns += [f"{point}_{axis}" for point in LANDMARK_COLUMNS for axis in "xy"]
    with (photos / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, ["1.png", "val", 20, 10, 70, 70, *dotted().landmarks.flatten()]])
    cv2.imwrite(str(photos / "photos" / "1.png"), dotted().image)
    cv2.imwrite(str(scenes / "kodak_01.png"), np.full((60, 90, 3), 120, np.uint8))
    weights = tmp_path / "weights.safetensors"
    save_file(build_network(CPU).state_dict(), str(weights))
    assert isinstance(TorchDetector.load(weights, devices.CPU), Detector)
    options = argparse.Namespace(ours=weights, upstream=weights, yunet=None, photos=photos, scenes=scenes, clips=None)
    vars(options).update(count=4, films=0, study=1, long_side=96, every=1)
    threads = torch.get_num_threads(), cv2.getNumThreads()
    try:
        text = detector_eval.evaluate(options)
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    assert text.count("\n| --- |") == 5
    assert "| webcam | ours |" in text
    assert "1 scenes of 640x360" in text
    assert "nan" not in text
