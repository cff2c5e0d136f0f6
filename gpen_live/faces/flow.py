"""Faces between two searches: their detections are moved along by optical flow, so that nothing that lies on them lags.

Pyramidal Lucas-Kanade (Bouguet, "Pyramidal implementation of the affine Lucas Kanade feature tracker", Intel 2001) on points
spread over the face, on a small grey picture; a similarity transform fitted to where they went, twice, the second time without
those that went elsewhere (a mouth that speaks, a hand), takes the detection there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.faces.align import Matrix, Points, similarity
from gpen_live.faces.smooth import face_size
from gpen_live.frame import Image

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection

_LONG_SIDE: Final = 320  # pixels of the grey picture: as finely as the detector looks
_GRID: Final = 7  # points a side, over a face
_WIDER: Final = 0.35  # by how many face sizes they reach beyond the landmarks, on each side
_WINDOW: Final = (15, 15)
_LEVELS: Final = 3
_STOP: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 0.02)
_FEWEST: Final = 0.5  # share of a face's points that must be found again, and agree
_APART: Final = 0.08  # how far, in face sizes, points that agree may be from where they should have gone, at the median
_GROWTH: Final = (0.8, 1.25)  # of a face, from one frame to the next

Grey = npt.NDArray[np.uint8]


class FlowTracker:
    """Takes the faces of one frame to the next ones. Used by one thread."""

    def __init__(self) -> None:
        self._grey: Grey | None = None
        self._faces: list[Detection] = []

    def forget(self) -> None:
        """There is nothing to follow any more."""
        self._grey, self._faces = None, []

    def anchor(self, image: Image, faces: Sequence[Detection]) -> None:
        """`faces` were found in the frame `image` (H x W x 3, uint8): from here on they are followed."""
        self._faces = list(faces)
        self._grey = _small_grey(image)

    def follow(self, image: Image) -> list[Detection] | None:
        """The same faces in the next frame; None where one was lost, or there is none to start from: it must be searched."""
        before = self._grey
        if before is None:
            return None
        if not self._faces:
            return []
        after = _small_grey(image)
        scale = np.array([image.shape[1] / after.shape[1], image.shape[0] / after.shape[0]])
        if before.shape != after.shape:
            self.forget()
            return None
        moved = [_moved(face, before, after, scale) for face in self._faces]
        found = [face for face in moved if face is not None]
        if len(found) < len(moved):
            self.forget()
            return None
        self._grey, self._faces = after, found
        return list(found)


def _small_grey(image: Image) -> Grey:
    """A quick reduction: halving averages four pixels each, which costs less than averaging areas at once."""
    height, width = image.shape[:2]
    ratio = min(1.0, _LONG_SIDE / max(height, width))
    wanted = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small: Image = image
    while min(small.shape[1] // wanted[0], small.shape[0] // wanted[1]) >= 2:
        small = np.asarray(
            cv2.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv2.INTER_LINEAR), np.uint8
        )
    if (small.shape[1], small.shape[0]) != wanted:
        small = np.asarray(cv2.resize(small, wanted, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _moved(face: Detection, before: Grey, after: Grey, scale: Points) -> Detection | None:
    """The face where it went from one grey picture to the next, `scale` frame pixels a pixel; None where that can't be told."""
    landmarks = (face.landmarks + 0.5) / scale - 0.5
    size = face_size(landmarks)
    points = _spread(landmarks, size)
    there, found, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
        before, after, points[:, None].astype(np.float32), None, winSize=_WINDOW, maxLevel=_LEVELS, criteria=_STOP
    )
    kept = found[:, 0] == 1
    if kept.sum() < _FEWEST * len(points):
        return None
    motion = _agreed(points[kept], there[kept, 0].astype(np.float64), size, int(np.ceil(_FEWEST * len(points))))
    if motion is None:
        return None
    moved = landmarks @ motion[:, :2].T + motion[:, 2]
    (x0, y0), (x1, y1) = np.array(face.box).reshape(2, 2)
    corners = (np.array([[x0, y0], [x1, y1]]) + 0.5) / scale - 0.5
    corners = (corners @ motion[:, :2].T + motion[:, 2] + 0.5) * scale - 0.5
    height, width = after.shape
    if not (moved >= 0).all() or not (moved <= [width, height]).all():  # leaving: what is hidden can't be followed
        return None
    box = (float(corners[0, 0]), float(corners[0, 1]), float(corners[1, 0]), float(corners[1, 1]))
    return dataclasses.replace(face, box=box, landmarks=(moved + 0.5) * scale - 0.5)


def _spread(landmarks: Points, size: float) -> Points:
    """Points over the face, all around its landmarks."""
    low, high = landmarks.min(axis=0) - _WIDER * size, landmarks.max(axis=0) + _WIDER * size
    x, y = np.meshgrid(np.linspace(low[0], high[0], _GRID), np.linspace(low[1], high[1], _GRID))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _agreed(points: Points, there: Points, size: float, fewest: int) -> Matrix | None:
    """The motion that most points agree on; None where they don't."""
    try:
        motion = similarity(points, there)
        for _ in range(2):
            apart = np.linalg.norm(points @ motion[:, :2].T + motion[:, 2] - there, axis=1)
            limit = max(0.25, 2.0 * float(np.median(apart)))
            kept = apart <= limit
            motion = similarity(points[kept], there[kept])
    except ValueError:
        return None
    apart = np.linalg.norm(points @ motion[:, :2].T + motion[:, 2] - there, axis=1)
    growth = float(np.hypot(motion[0, 0], motion[1, 0]))
    if kept.sum() < min(fewest, len(points)) or float(np.median(apart)) > _APART * size or not _GROWTH[0] < growth < _GROWTH[1]:
        return None
    return motion
