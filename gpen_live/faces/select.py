"""Which faces are enhanced where there is no time for all: the largest, without flicker between two of about one size."""

from __future__ import annotations

from gpen_live.faces.state import FaceState, FaceStates

_LARGER = 1.25  # a face takes another one's place only when it is larger by this factor
_FADE_S = 0.16  # how long a face takes from raw to enhanced, and back


class FaceSelection:
    """Chooses up to so many faces of `states` and fades between the choices."""

    def __init__(self, states: FaceStates) -> None:
        self._states = states
        self._at = 0.0

    def update(self, most: int | None, at: float) -> None:
        """Brings the shares to the frame at `at` seconds of media time: those beyond `most` faces (None: none) fall."""
        step = max(0.0, at - self._at) / _FADE_S
        self._at = at
        faces = self._states.faces
        self._choose(faces, len(faces) if most is None else most)
        for face in faces:
            wanted = float(face.chosen)
            share = wanted if face.share is None else face.share  # a new face fades in by itself
            face.share = min(wanted, share + step) if wanted > share else max(wanted, share - step)

    @staticmethod
    def _choose(faces: list[FaceState], most: int) -> None:
        """Of the faces, largest first."""
        chosen = [face for face in faces if face.chosen][:most]
        others = [face for face in faces if face not in chosen]
        while others and len(chosen) < most:
            chosen.append(others.pop(0))
        while others and chosen:
            smallest = min(chosen, key=lambda face: face.size)
            if others[0].size <= _LARGER * smallest.size:
                break
            chosen.remove(smallest)
            chosen.append(others.pop(0))
        for face in faces:
            face.chosen = face in chosen
