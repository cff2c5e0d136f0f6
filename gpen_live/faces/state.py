"""All that lives for a face over time, in one place, and the one rule of when it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gpen_live.faces.align import Points
from gpen_live.faces.smooth import LONGEST_S, LandmarkFilter, face_size

MAX_FACES = 4

_HOLD_S = 0.12  # how long a face that the detector misses stays at full weight
_FADE_S = 0.16  # how long it takes to fade in, and out after the hold


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


@dataclass
class LastResult:
    """What came out when the network ran last on a face, or on the whole frame: the start for the next frame.

    A face is aligned alike in every frame, so both already lie where the face is now. What they are is the frame path's own
    affair: arrays on the host, tensors on a device, or a row of a buffer there.

    Args:
        picture: the network's, for one with a memory. change: what was added to the frame, and moved in it.
        at: media time in seconds of the frame that they are of.
    """

    picture: Any = None
    change: Any = None
    at: float = -math.inf

    def fresh(self, at: float) -> bool:
        """Whether it is of any help for a frame at `at` seconds."""
        return 0 <= at - self.at <= LONGEST_S

    def keep(self, at: float, *, picture: Any = None, change: Any = None) -> None:
        """The network has run on the frame at `at` seconds."""
        self.picture, self.change, self.at = picture, change, at

    def forget(self) -> None:
        self.keep(-math.inf)


class FaceState:
    """One face, from the frame in which its track begins to the one in which it ends.

    `chosen` and `share` (0..1) are of the selection: whether it is among the faces that are enhanced, and how far it has faded
    there. `last` belongs to the frame path, `kept` to the stages after the network, each under its own name: what they know of
    the face, in fractions of its crop, so that it outlives a change of the network.
    """

    def __init__(self, track_id: int, landmarks: Points, at: float) -> None:
        self.track_id = track_id
        self._filter = LandmarkFilter()
        self.landmarks = self._filter(landmarks, at)
        self.size = face_size(self.landmarks)
        self.weight = 0.0
        self.chosen = False
        self.share: float | None = None
        self.last = LastResult()
        self.kept: dict[str, Any] = {}
        self._seen_at = self._updated_at = at

    def update(self, landmarks: Points | None, at: float) -> None:
        """The face in the frame at `at` seconds: where it was detected, or None where it was not."""
        step = max(0.0, at - self._updated_at)
        self._updated_at = at
        if landmarks is not None:
            self.landmarks = self._filter(landmarks, at)
            self.size = face_size(self.landmarks)
            self._seen_at = at
            self.weight = min(1.0, self.weight + step / _FADE_S)
        elif at - self._seen_at > _HOLD_S:
            self.weight -= step / _FADE_S

    @property
    def gone(self) -> bool:
        """It was not seen any more, and has faded out."""
        return self.weight <= 0.0 and self._updated_at > self._seen_at

    def face(self) -> Face:
        """The face as this frame shows it."""
        share = 1.0 if self.share is None else self.share
        return Face(self.track_id, self.landmarks, self.size, max(self.weight, 0.0) * share)


@dataclass
class FaceStates:
    """The faces in view, largest first, and the last result of the whole frame.

    A face's state ends with its track (`end`: it faded out, or a larger one took its place) or with the scene (`clear`). What
    was made of it last ends earlier: with another network, and LONGEST_S after the frame that it is of. The track outlives such
    a gap, else faces would never fade in where a slow network takes longer for a frame.
    """

    faces: list[FaceState] = field(default_factory=list)
    whole: LastResult = field(default_factory=LastResult)
    _next_id: int = 0

    def add(self, landmarks: Points, at: float) -> None:
        """A new face."""
        self.faces.append(FaceState(self._next_id, landmarks, at))
        self._next_id += 1

    def end(self, state: FaceState) -> None:
        """Its track has ended."""
        state.last.forget()
        state.kept.clear()
        self.faces.remove(state)

    def clear(self) -> None:
        """Another scene."""
        self.forget_results()
        self.forget_kept()
        self.faces.clear()

    def forget_results(self) -> None:
        """Another network: each face goes on, without what was made of it last."""
        for last in (self.whole, *(state.last for state in self.faces)):
            last.forget()

    def forget_kept(self) -> None:
        """Other stages: each face goes on, without what those before have kept of it."""
        for state in self.faces:
            state.kept.clear()
