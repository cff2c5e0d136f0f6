"""Faces and five landmarks in a frame: RetinaFace (mobile0.25) on a reduced picture, with our own decoding, in NumPy.

The network is that of Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild", CVPR 2020 (arXiv 1905.00641).
What runs it is given to `Detector`; see `gpen_live.inference.loading`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.faces.align import Points
from gpen_live.frame import Image

ARCHITECTURE = "retinaface_mobile0.25"
STEPS = (8, 16, 32)
ANCHOR_SIZES = ((16, 32), (64, 128), (256, 512))
VARIANCES = (0.1, 0.2)
MEAN_BGR = (104.0, 117.0, 123.0)
"""Steps, anchor sizes (pixels) of the three levels, coding variances and input mean, as in facexlib's configuration."""

DEFAULT_LONG_SIDE = 320
DEFAULT_THRESHOLD = 0.9
"""Good for a face that is followed already. Where one false face matters, and for new faces, ask for 0.97."""

NMS_IOU = 0.4
VOTE_IOU = 0.6
MAX_CANDIDATES = 192

Floats = npt.NDArray[np.float64]
Planes = npt.NDArray[np.float32]
Search = Callable[[Planes], Planes]
"""See `Detector`."""


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the frame (pixel centres at integer coordinates).

    `box` is (x0, y0, x1, y1) and may reach beyond the frame; `score` is 0..1; `landmarks` are 5 x 2: left eye, right eye, nose,
    left and right mouth corner, as seen in the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Points

    @property
    def area(self) -> float:
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)


class Detector:
    """Finds faces. Not for several threads at once.

    Args:
        search: gets a reduced picture (1 x 3 x h x w, float32, BGR, 0..255) and gives its best-scored anchors, decoded: N x 15,
            by falling score. Columns: score, box (x0, y0, x1, y1), landmarks (x, y) x 5, in pixels of the reduced picture.
        long_side: frames are reduced so that their longer side has this many pixels (never enlarged).
        vote: average each face over its overlapping candidates, which makes landmarks steadier than the best candidate's alone.
    """

    def __init__(self, search: Search, *, long_side: int = DEFAULT_LONG_SIDE, vote: bool = True) -> None:
        self._search = search
        self.long_side = long_side
        self.vote = vote

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = DEFAULT_THRESHOLD) -> list[Detection]:
        """The faces in a frame, largest first.

        Args:
            image: H x W x 3, uint8, BGR.
            max_faces: at most so many.
            threshold: smallest score, 0..1.

        Raises:
            ValueError: the picture has another shape or type.
        """
        check_picture(image)
        height, width = image.shape[:2]
        small_h, small_w = self.reduced(height, width)
        small = image
        if (small_w, small_h) != (width, height):
            small = np.asarray(cv2.resize(image, (small_w, small_h), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        planes = np.ascontiguousarray(small.transpose(2, 0, 1)[None], dtype=np.float32)
        return self.read(
            self._search(planes), scale=(width / small_w, height / small_h), max_faces=max_faces, threshold=threshold
        )

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the reduced picture for frames of that size."""
        ratio = min(1.0, self.long_side / max(height, width))
        return max(1, round(height * ratio)), max(1, round(width * ratio))

    def read(
        self,
        candidates: npt.NDArray[np.floating[Any]],
        *,
        scale: tuple[float, float],
        max_faces: int = 4,
        threshold: float = DEFAULT_THRESHOLD,
    ) -> list[Detection]:
        """The faces among `candidates` (of a picture reduced by `scale`, on the host), largest first."""
        # Below half the threshold nobody is heard, and there are few above it.
        found = candidates[candidates[:, 0] >= threshold / 2].astype(np.float64)
        found = found[np.isfinite(found).all(axis=1)]
        if not len(found):
            return []
        scores = found[:, 0]
        points = found[:, 1:].reshape(-1, 7, 2)
        points = (points + 0.5) * np.asarray(scale) - 0.5
        kept = suppress(points[:, :2].reshape(-1, 4), scores, threshold)
        faces = [self._face(points, scores, index, threshold) for index in kept]
        return sorted(faces, key=lambda face: -face.area)[:max_faces]

    def _face(self, points: Floats, scores: Floats, index: int, threshold: float) -> Detection:
        merged = points[index]
        if self.vote:
            # Weights fall to zero at the cut, so that a candidate that comes or goes moves nothing abruptly.
            cut = threshold / 2
            overlap = iou(points[index, :2].reshape(4), points[:, :2].reshape(-1, 4))
            weights = np.where(overlap >= VOTE_IOU, np.clip(scores - cut, 0.0, None) * (overlap - VOTE_IOU + 1e-3), 0.0)
            merged = np.tensordot(weights / weights.sum(), points, axes=1)
        x0, y0, x1, y1 = (float(value) for value in merged[:2].reshape(4))
        return Detection((x0, y0, x1, y1), float(scores[index]), np.ascontiguousarray(merged[2:]))


def check_picture(image: Image) -> None:
    """Raises ValueError unless `image` is H x W x 3, uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"a picture of H x W x 3 bytes is needed, not {image.shape} of {image.dtype}")


def make_anchors(height: int, width: int) -> Floats:
    """The anchors of an input of that size: N x 3, centre (x, y) and side, in pixels, in the network's output order.

    As in facexlib's PriorBox, without the division by the picture's size.
    """
    levels = []
    for step, sizes in zip(STEPS, ANCHOR_SIZES, strict=True):
        rows, columns = -(-height // step), -(-width // step)
        y, x, size = np.meshgrid((np.arange(rows) + 0.5) * step, (np.arange(columns) + 0.5) * step, sizes, indexing="ij")
        levels.append(np.stack([x, y, size], axis=-1).reshape(-1, 3))
    return np.concatenate(levels)


_LEAST_MARGIN = -80.0  # its score is 0 to all purposes; below, float32 has no room for the exponential


def decode(boxes: Planes, classes: Planes, landmarks: Planes, height: int, width: int) -> Planes:
    """The best-scored of the network's anchors, as the search of `Detector` gives them: at most `MAX_CANDIDATES`.

    Args:
        boxes: 1 x N x 4. classes: 1 x N x 2, logits. landmarks: 1 x N x 10. All float32.
        height, width: of what the network got.
    """
    margin = classes[0, :, 1] - classes[0, :, 0]
    order = _largest(margin, MAX_CANDIDATES)
    anchors = _anchors(height, width)[order]
    score = 1 / (1 + np.exp(-np.maximum(margin[order], np.float32(_LEAST_MARGIN))))
    return np.hstack([score[:, None], decode_boxes(boxes[0, order], anchors), decode_landmarks(landmarks[0, order], anchors)])


def _largest(values: Planes, most: int) -> npt.NDArray[np.intp]:
    """Where the largest values are, by falling value; what is not a number comes last."""
    if len(values) <= most:
        return np.argsort(-values, kind="stable")
    first = np.argpartition(-values, most)[:most]
    return first[np.argsort(-values[first], kind="stable")]


@lru_cache(maxsize=8)
def _anchors(height: int, width: int) -> Planes:
    return make_anchors(height, width).astype(np.float32)


def decode_boxes(offsets: Planes, anchors: Planes) -> Planes:
    """Boxes (x0, y0, x1, y1) in pixels from regressed offsets (N x 4) and anchors (N x 3)."""
    size = anchors[:, 2:]
    centre = anchors[:, :2] + offsets[:, :2] * (VARIANCES[0] * size)
    # The bound keeps an untrained or damaged network from infinities; 2**7 anchors is larger than any picture.
    half = size * np.exp(np.minimum(offsets[:, 2:] * VARIANCES[1], 5.0)) / 2
    return np.hstack([centre - half, centre + half])


def decode_landmarks(offsets: Planes, anchors: Planes) -> Planes:
    """Landmarks (x, y) x 5 in pixels from regressed offsets (N x 10) and anchors (N x 3)."""
    apart: Planes = offsets * (VARIANCES[0] * anchors[:, 2:])
    return np.tile(anchors[:, :2], 5) + apart


def iou(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box with N boxes, each (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box.tolist()
    left, top, right, bottom = boxes.T
    width, height = np.minimum(right, x1) - np.maximum(left, x0), np.minimum(bottom, y1) - np.maximum(top, y0)
    common = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    area = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    own = max(x1 - x0, 0.0) * max(y1 - y0, 0.0)
    return np.asarray(common / np.maximum(area + own - common, 1e-9), dtype=np.float64)


def suppress(boxes: Floats, scores: Floats, threshold: float, overlap: float = NMS_IOU) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes to keep, by falling score, all at least `threshold`.

    Of two boxes with an IoU above `overlap`, the less sure one goes.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= threshold]
    kept: list[int] = []
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        order = rest[iou(boxes[best], boxes[rest]) <= overlap]
    return kept
