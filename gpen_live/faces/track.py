"""Faces over time: which detection continues which track, which tracks begin and which end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.faces.align import Points
from gpen_live.faces.assign import assign
from gpen_live.faces.smooth import face_size
from gpen_live.faces.state import MAX_FACES, FaceState, FaceStates

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection

SURE = 0.97
"""The score from which a detection is a new face; one that is tracked is kept at the detector's own threshold."""

_GATE = 1.2  # a face moves at most this many face sizes between two detections
_FARTHEST, _SMALLEST = 1e6, 0.1  # pixels: landmarks beyond, or all in one place, are no face, whatever the network says
_TAKE_OVER = 1.25  # a new face takes the place of a tracked one only when it is larger by this factor


class Tracker:
    """Follows up to `max_faces` faces in `states`, largest first."""

    def __init__(self, states: FaceStates, max_faces: int = MAX_FACES) -> None:
        self._states, self._max_faces = states, max_faces

    @property
    def _tracks(self) -> list[FaceState]:
        return self._states.faces

    def update(self, found: Sequence[Detection], at: float) -> None:
        """Brings the states to the frame at `at` seconds of media time, in which `found` was detected.

        What can't be a face (landmarks that are not finite, far outside any frame, or all in one place) is left out.
        """
        found = [detection for detection in found if _possible(detection.landmarks)]
        matches = self._match(found)
        for track in list(self._tracks):
            match = matches.get(track.track_id)
            track.update(None if match is None else match.landmarks, at)
            if track.gone:
                self._states.end(track)
        taken = {id(detection) for detection in matches.values()}
        for detection in found:
            if id(detection) not in taken and detection.score >= SURE:
                self._admit(detection, at)
        self._tracks.sort(key=lambda track: -track.size)

    def _admit(self, detection: Detection, at: float) -> None:
        if len(self._tracks) >= self._max_faces:
            smallest = min(self._tracks, key=lambda track: track.size)
            if face_size(detection.landmarks) < _TAKE_OVER * smallest.size:
                return
            self._states.end(smallest)
        self._states.add(detection.landmarks, at)

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
