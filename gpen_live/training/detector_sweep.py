"""Detections on pictures with known faces, kept one by one: recall and precision at any score, for any kind of face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpen_live.faces.detect import Detection, Floats, iou
from gpen_live.training.detector_score import EXCUSED_IOU, FOUND_IOU, Truth, eye_distance

Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

WRONG = -1
"""The face of a detection where there is none."""


@dataclass(frozen=True)
class Rate:
    """At a score of `threshold` or more: recall and precision, 0..1, and how many detections were `wrong`."""

    threshold: float
    recall: float
    precision: float
    wrong: int

    @property
    def f1(self) -> float:
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


@dataclass(frozen=True)
class Sweep:
    """All detections of one detector on some pictures with `total` faces, numbered from the first picture to the last.

    For each of M detections: `scores` (0..1), `faces` (number of the face that it found, or WRONG), `heights` of its box in
    shares of the picture's height, `pictures` it is on, and `offsets` (M x 5 x 2): by how much its landmarks miss, along and
    across the line of the eyes, in distances of the eyes (NaN where it found nothing).
    """

    total: int
    scores: Floats
    faces: Integers
    heights: Floats
    pictures: Integers
    offsets: Floats

    def rate(self, threshold: float, wanted: Booleans | None = None, heights: tuple[float, float] = (0.0, np.inf)) -> Rate:
        """How well the `wanted` faces (all by default) are found at a score of `threshold` or more.

        Other faces count neither way, found or not; nor do wrong detections whose height lies outside `heights`, as in COCO's
        areas.
        """
        wanted = np.ones(self.total, dtype=np.bool_) if wanted is None else wanted
        hits, wrong = self._counted(wanted, heights)
        sure = self.scores >= threshold
        found, false = int((hits & sure).sum()), int((wrong & sure).sum())
        return Rate(threshold, found / max(1, int(wanted.sum())), found / max(1, found + false), false)

    def best(self, wanted: Booleans, heights: tuple[float, float] = (0.0, np.inf)) -> Rate:
        """The rate at the score with the largest F1."""
        hits, _ = self._counted(wanted, heights)
        candidates = [self.rate(float(score), wanted, heights) for score in np.unique(self.scores[hits])]
        return max(candidates, key=lambda rate: rate.f1, default=Rate(1.0, 0.0, 0.0, 0))

    def average_precision(self, wanted: Booleans, heights: tuple[float, float] = (0.0, np.inf)) -> float:
        """Area under the curve of precision over recall, precision made to fall (as VOC since 2010), 0..1."""
        hits, wrong = self._counted(wanted, heights)
        order = np.argsort(-self.scores, kind="stable")
        found, false = np.cumsum(hits[order]), np.cumsum(wrong[order])
        precision = found / np.maximum(1, found + false)
        falling = np.maximum.accumulate(precision[::-1])[::-1]
        return float(falling[hits[order]].sum() / max(1, int(wanted.sum())))

    def hits_on(self, wanted: Booleans, threshold: float) -> dict[int, Floats]:
        """Landmark offsets (5 x 2) of the wanted faces found, by the face's number."""
        rows = np.flatnonzero((self.faces >= 0) & (self.scores >= threshold))
        return {int(self.faces[row]): self.offsets[row] for row in rows if wanted[self.faces[row]]}

    def false_on(self, pictures: Booleans, threshold: float) -> int:
        """How many wrong detections there are on some pictures."""
        return int(((self.faces == WRONG) & (self.scores >= threshold) & pictures[self.pictures]).sum())

    def _counted(self, wanted: Booleans, heights: tuple[float, float]) -> tuple[Booleans, Booleans]:
        found = self.faces >= 0
        hits = found.copy()
        hits[found] = wanted[self.faces[found]]
        return hits, ~found & (self.heights >= heights[0]) & (self.heights < heights[1])


def sweep(found: Sequence[Sequence[Detection]], truths: Sequence[Truth], height: int) -> Sweep:
    """Matches each picture's detections, surest first, with its faces at an IoU of FOUND_IOU; pictures are `height` pixels high.

    What overlaps a doubtful face and no other is left out.
    """
    rows: list[tuple[float, int, float, int]] = []
    offsets: list[Floats] = []
    first = 0
    for picture, (detections, truth) in enumerate(zip(found, truths, strict=True)):
        free = np.ones(len(truth.boxes), dtype=bool)
        for detection in sorted(detections, key=lambda one: -one.score):
            box = np.asarray(detection.box)
            overlap = np.where(free, iou(box, truth.boxes), -1.0) if len(truth.boxes) else np.zeros(0)
            share = float(box[3] - box[1]) / height
            if overlap.size and overlap.max() >= FOUND_IOU:
                index = int(overlap.argmax())
                free[index] = False
                rows.append((detection.score, first + index, share, picture))
                offsets.append(eye_offsets(detection.landmarks, truth.landmarks[index]))
            elif not (len(truth.doubtful) and iou(box, truth.doubtful).max() >= EXCUSED_IOU):
                rows.append((detection.score, WRONG, share, picture))
                offsets.append(np.full((5, 2), np.nan))
        first += len(truth.boxes)
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Sweep(
        first,
        columns[:, 0],
        columns[:, 1].astype(np.int64),
        columns[:, 2],
        columns[:, 3].astype(np.int64),
        np.array(offsets, dtype=np.float64).reshape(-1, 5, 2),
    )


def eye_offsets(found: Floats, true: Floats) -> Floats:
    """Where landmarks (5 x 2) miss the true ones, along and across the true line of the eyes, in distances of the eyes."""
    along = true[1] - true[0]
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    axes = np.stack([along, np.array([-along[1], along[0]])], axis=1)
    return np.asarray((found - true) @ axes / eye_distance(true), dtype=np.float64)
