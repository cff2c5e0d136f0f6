"""Faces over time: track_id from frame to frame, landmarks that rest with a still face and keep up with a fast one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.faces.align import Points
from gpen_live.faces.assign import assign

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection

MAX_FACES = 4
SURE = 0.97
"""The score from which a detection is a new face; one that is tracked is kept at the detector's own threshold."""

_GATE = 1.2  # a face moves at most this many face sizes between two detections
_HOLD_S = 0.12  # how long a face that the detector misses stays at full weight
_FADE_S = 0.16  # how long it takes to fade in, and out after the hold
_LONGEST_STEP_S = 0.25  # a longer gap (a pause, a suspended machine) starts the filter anew
_FARTHEST, _SMALLEST = 1e6, 0.1  # pixels: landmarks beyond, or all in one place, are no face, whatever the network says
_TAKE_OVER = 1.25  # a new face takes the place of a tracked one only when it is larger by this factor


@dataclass(frozen=True)
class Face:
    """A tracked face in one frame.

    `track_id` stays with a face while it is tracked; `landmarks` are smoothed (5 x 2, frame pixels); `size` is the spread of
    the landmarks in pixels; `weight` (0..1) fades faces in and out so that nothing pops.
    """

    track_id: int
    landmarks: Points
    size: float
    weight: float


def face_size(landmarks: Points) -> float:
    """Root-mean-square distance of the landmarks from their centre, times two: about the distance between eyes and mouth."""
    apart = landmarks - landmarks.mean(axis=0)
    return 2.0 * math.sqrt(float(np.vdot(apart, apart)) / len(landmarks))


class LandmarkFilter:
    """A One-Euro filter over all five landmarks at once.

    Casiez, Roussel and Vogel, "1 Euro Filter", CHI 2012, with two changes: the cut-off is shared by all landmarks, so that the
    face keeps its shape, and speed is measured in face sizes per second, so that near and far faces behave alike. The speed of
    the centre and of each landmark's own motion both count: a turning head is as fast as a moving one.

    Args:
        min_cutoff: cut-off of a still face in Hz; lower rests more. beta: gain of the cut-off in Hz per (face size / s).
        speed_cutoff: cut-off of the speed estimate in Hz.
    """

    def __init__(self, *, min_cutoff: float = 0.8, beta: float = 14.0, speed_cutoff: float = 2.0) -> None:
        self._min_cutoff, self._beta, self._speed_cutoff = min_cutoff, beta, speed_cutoff
        self._value: Points | None = None
        self._measured: Points | None = None
        self._velocity: Points = np.zeros((5, 2))
        self._at = 0.0

    def __call__(self, landmarks: Points, at: float) -> Points:
        """The smoothed landmarks for a measurement at `at` seconds."""
        step = at - self._at
        if self._value is None or self._measured is None or not 0 < step <= _LONGEST_STEP_S:
            self._value = self._measured = np.array(landmarks, dtype=np.float64)
            self._velocity = np.zeros((5, 2))
            self._at = at
            return self._value
        velocity = (landmarks - self._measured) / step
        self._velocity = self._velocity + _gain(self._speed_cutoff, step) * (velocity - self._velocity)
        speed = math.sqrt(float(np.vdot(self._velocity, self._velocity)) / 5) / max(face_size(landmarks), 1e-6)
        gain = _gain(self._min_cutoff + self._beta * speed, step)
        self._value = self._value + gain * (landmarks - self._value)
        self._measured, self._at = np.array(landmarks, dtype=np.float64), at
        return self._value


def _gain(cutoff: float, step: float) -> float:
    """Gain of a first-order low-pass with `cutoff` Hz for a step of `step` seconds."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * step))


class _Track:
    def __init__(self, track_id: int, found: Detection, at: float) -> None:
        self.track_id = track_id
        self._filter = LandmarkFilter()
        self.landmarks = self._filter(found.landmarks, at)
        self.size = face_size(self.landmarks)
        self.weight = 0.0
        self._seen_at = self._updated_at = at

    def update(self, found: Detection | None, at: float) -> None:
        step = max(0.0, at - self._updated_at)
        self._updated_at = at
        if found is not None:
            self.landmarks = self._filter(found.landmarks, at)
            self.size = face_size(self.landmarks)
            self._seen_at = at
            self.weight = min(1.0, self.weight + step / _FADE_S)
        elif at - self._seen_at > _HOLD_S:
            self.weight -= step / _FADE_S

    @property
    def gone(self) -> bool:
        return self.weight <= 0.0 and self._updated_at > self._seen_at


class Tracker:
    """Follows up to `max_faces` faces, largest first."""

    def __init__(self, max_faces: int = MAX_FACES) -> None:
        self._max_faces = max_faces
        self._tracks: list[_Track] = []
        self._next_identity = 0

    def reset(self) -> None:
        """Forgets all faces (another source)."""
        self._tracks.clear()

    def update(self, found: Sequence[Detection], at: float) -> list[Face]:
        """The faces of a frame captured at `at` seconds in which `found` was detected, largest first.

        What can't be a face (landmarks that are not finite, far outside any frame, or all in one place) is left out.
        """
        found = [detection for detection in found if _possible(detection.landmarks)]
        matches = self._match(found)
        for track in self._tracks:
            track.update(matches.get(track.track_id), at)
        self._tracks = [track for track in self._tracks if not track.gone]
        taken = {id(detection) for detection in matches.values()}
        for detection in found:
            if id(detection) not in taken and detection.score >= SURE:
                self._admit(detection, at)
        self._tracks.sort(key=lambda track: -track.size)
        return [Face(t.track_id, t.landmarks, t.size, max(t.weight, 0.0)) for t in self._tracks]

    def _admit(self, detection: Detection, at: float) -> None:
        if len(self._tracks) >= self._max_faces:
            smallest = min(self._tracks, key=lambda track: track.size)
            if face_size(detection.landmarks) < _TAKE_OVER * smallest.size:
                return
            self._tracks.remove(smallest)
        self._tracks.append(_Track(self._next_identity, detection, at))
        self._next_identity += 1

    def _match(self, found: Sequence[Detection]) -> dict[int, Detection]:
        """Detections by the track_id of the track that they continue; each at most once, the total distance least."""
        if not self._tracks or not found:
            return {}
        cost = np.array([[_distance(track.landmarks, d.landmarks) for d in found] for track in self._tracks])
        if cost.size == 1:  # by far the most frequent
            return {self._tracks[0].track_id: found[0]} if cost[0, 0] < _GATE else {}
        pairs = assign(np.minimum(cost, 10 * _GATE))
        return {self._tracks[row].track_id: found[column] for row, column in pairs if cost[row, column] < _GATE}


def _possible(landmarks: Points) -> bool:
    within = float(np.abs(landmarks).max()) <= _FARTHEST  # never true of what is not a number
    return within and face_size(landmarks) >= _SMALLEST


def _distance(a: Points, b: Points) -> float:
    """Mean distance of corresponding landmarks, in sizes of the larger face."""
    return float(np.sqrt(((a - b) ** 2).sum(axis=1)).mean()) / max(face_size(a), face_size(b), 1e-6)
