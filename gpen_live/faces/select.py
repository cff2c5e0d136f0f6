"""Which faces are enhanced where there is no time for all: the largest, without flicker between two of about one size."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gpen_live.faces.track import Face

_LARGER = 1.25  # a face takes another one's place only when it is larger by this factor
_FADE_S = 0.16  # how long a face takes from raw to enhanced, and back
_LONGEST_STEP_S = 0.25


class FaceSelection:
    """Chooses up to so many faces and fades between the choices."""

    def __init__(self) -> None:
        self._chosen: set[int] = set()
        self._shares: dict[int, float] = {}
        self._at = 0.0

    def __call__(self, faces: Sequence[Face], most: int | None, at: float) -> list[Face]:
        """`faces` (largest first) of a frame captured at `at` seconds, those beyond `most` (None: none) at a falling weight."""
        step = min(max(0.0, at - self._at), _LONGEST_STEP_S) / _FADE_S
        self._at = at
        self._choose(faces, len(faces) if most is None else most)
        shares = {}
        for face in faces:
            wanted = float(face.track_id in self._chosen)
            share = self._shares.get(face.track_id, wanted)  # a new face fades in by itself
            shares[face.track_id] = min(wanted, share + step) if wanted > share else max(wanted, share - step)
        self._shares = shares
        return [dataclasses.replace(face, weight=face.weight * shares[face.track_id]) for face in faces]

    def _choose(self, faces: Sequence[Face], most: int) -> None:
        chosen = [face for face in faces if face.track_id in self._chosen][:most]
        others = [face for face in faces if face not in chosen]
        while others and len(chosen) < most:
            chosen.append(others.pop(0))
        while others and chosen:
            smallest = min(chosen, key=lambda face: face.size)
            if others[0].size <= _LARGER * smallest.size:
                break
            chosen.remove(smallest)
            chosen.append(others.pop(0))
        self._chosen = {face.track_id for face in chosen}
