"""How well detections fit known faces: recall, precision, landmark error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpen_live.faces.detect import Detection, Floats, iou
from gpen_live.training.scene_plan import Scenes

FOUND_IOU = 0.5
EXCUSED_IOU = 0.3


@dataclass(frozen=True)
class Truth:
    """Known faces of a picture: boxes N x 4, landmarks N x 5 x 2, and boxes M x 4 that count neither way."""

    boxes: Floats
    landmarks: Floats
    doubtful: Floats


def truths_of(scenes: Scenes) -> list[Truth]:
    """The faces of each scene, on the CPU."""
    boxes, landmarks = scenes.boxes.cpu().double().numpy(), scenes.landmarks.cpu().double().numpy()
    labelled, doubtful = scenes.labelled.cpu().numpy(), scenes.doubtful.cpu().numpy()
    return [
        Truth(b[is_face], p[is_face], b[unsure])
        for b, p, is_face, unsure in zip(boxes, landmarks, labelled, doubtful, strict=True)
    ]


@dataclass(frozen=True)
class Score:
    """Counts, and landmark errors of the faces found, as shares of the distance between the eyes."""

    faces: int
    found: int
    wrong: int
    errors: tuple[float, ...]

    @property
    def recall(self) -> float:
        return self.found / max(1, self.faces)

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.wrong)

    @property
    def mean_error(self) -> float:
        return float(np.mean(self.errors)) if self.errors else float("nan")

    @property
    def bad_error(self) -> float:
        """The 95th percentile of the landmark error."""
        return float(np.percentile(self.errors, 95)) if self.errors else float("nan")


def score(found: Sequence[Sequence[Detection]], truths: Sequence[Truth]) -> Score:
    """Matches each picture's detections, surest first, with its faces at an IoU of FOUND_IOU."""
    faces = hits = wrong = 0
    errors: list[float] = []
    for detections, truth in zip(found, truths, strict=True):
        faces += len(truth.boxes)
        free = np.ones(len(truth.boxes), dtype=bool)
        for detection in sorted(detections, key=lambda one: -one.score):
            box = np.asarray(detection.box)
            overlap = np.where(free, iou(box, truth.boxes), -1.0) if len(truth.boxes) else np.zeros(0)
            if overlap.size and overlap.max() >= FOUND_IOU:
                index = int(overlap.argmax())
                free[index] = False
                hits += 1
                errors.append(landmark_error(detection.landmarks, truth.landmarks[index]))
            elif not (len(truth.doubtful) and iou(box, truth.doubtful).max() >= EXCUSED_IOU):
                wrong += 1
    return Score(faces, hits, wrong, tuple(errors))


def eye_distance(true: Floats) -> float:
    """The distance between the eyes in pixels, at least a fifth of the landmarks' extent (for faces in profile)."""
    return max(float(np.linalg.norm(true[1] - true[0])), 0.2 * float(np.ptp(true, axis=0).max()), 1e-6)


def landmark_error(found: Floats, true: Floats) -> float:
    """Mean distance of the five landmarks over the true distance between the eyes."""
    return float(np.linalg.norm(found - true, axis=1).mean()) / eye_distance(true)
