"""YuNet, OpenCV's small face detector, as a second opinion for measurements; the product never uses it.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023); decoding as in OpenCV's FaceDetectorYN. OpenCV itself
can't read files whose input size is left open, so OpenVINO runs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import Detection, Floats, suppress
from gpen_live.frame import Image
from gpen_live.inference.openvino.network import library

STEPS = (8, 16, 32)
NMS_IOU = 0.3
"""Steps of the three levels in pixels, and the overlap above which the less sure face goes: OpenCV's default."""


class YuNet:
    """Finds faces on frames reduced to `long_side` pixels on their longer side (never enlarged), on one CPU thread.

    Raises:
        GpenLiveError: OpenVINO is not installed, or the file is missing.
    """

    def __init__(self, path: Path, *, long_side: int) -> None:
        if not path.is_file():
            raise GpenLiveError("training.no_yunet", path=path)
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._network: Any = library().Core().compile_model(str(path), "CPU", settings)
        self.long_side = long_side

    def detect(self, image: Image, threshold: float) -> list[Detection]:
        """The faces in an H x W x 3 BGR frame with a score (0..1) of at least `threshold`, in pixels of the frame."""
        height, width = image.shape[:2]
        ratio = min(1.0, self.long_side / max(height, width))
        small_w, small_h = max(1, round(width * ratio)), max(1, round(height * ratio))
        small = cv2.resize(image, (small_w, small_h), interpolation=cv2.INTER_AREA) if ratio < 1 else image
        padded = np.pad(small, ((0, -small_h % STEPS[-1]), (0, -small_w % STEPS[-1]), (0, 0)))
        tensor = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], dtype=np.float32)
        names = [f"{kind}_{step}" for kind in ("cls", "obj", "bbox", "kps") for step in STEPS]
        results = self._network([tensor])
        outputs = {name: np.asarray(results[name]) for name in names}
        scores, points = decode(outputs, padded.shape[1])
        points = (points + 0.5) * np.array([width / small_w, height / small_h]) - 0.5
        kept = suppress(points[:, :2].reshape(-1, 4), scores, threshold, NMS_IOU)
        return [_detection(points[index], float(scores[index])) for index in kept]


def decode(outputs: dict[str, Floats], width: int) -> tuple[Floats, Floats]:
    """Scores N (0..1) and, in pixels, two corners of the box and five landmarks each, N x 7 x 2.

    Args:
        outputs: `cls_8` ... `kps_32`, each 1 x cells x 1 (classes, objects), x 4 (boxes) or x 10 (landmarks).
        width: of the input in pixels, a multiple of 32.
    """
    scores, points = [], []
    for step in STEPS:
        shown, there, box, marks = (
            np.asarray(outputs[f"{kind}_{step}"][0], dtype=np.float64) for kind in ("cls", "obj", "bbox", "kps")
        )
        row, column = np.divmod(np.arange(len(shown)), width // step)
        cell = np.stack([column, row], axis=-1).astype(np.float64)
        centre, half = (cell + box[:, :2]) * step, np.exp(box[:, 2:]) * step / 2
        landmarks = (cell[:, None] + marks.reshape(-1, 5, 2)) * step
        scores.append(np.sqrt(np.clip(shown[:, 0], 0, 1) * np.clip(there[:, 0], 0, 1)))
        points.append(np.concatenate([np.stack([centre - half, centre + half], axis=1), landmarks], axis=1))
    return np.concatenate(scores), np.concatenate(points)


def _detection(points: Floats, score: float) -> Detection:
    x0, y0, x1, y1 = (float(value) for value in points[:2].flatten())
    return Detection((x0, y0, x1, y1), score, np.ascontiguousarray(points[2:]))
