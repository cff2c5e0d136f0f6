"""Sheets for the eye, at 100 %: faces from light skin to dark, and moments of clips, without a look and with each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError
from gpen_live.look import Beauty
from gpen_live.quality.beauty.runner import Runner
from gpen_live.quality.photos import Face
from gpen_live.quality.skin import skin, typology_angle
from gpen_live.sources import open_source

Bytes = npt.NDArray[np.uint8]

FACES: Final = 20
MOMENTS: Final = 4
"""Frames of a clip that are shown."""
ENDINGS: Final = (".jpg", ".jpeg", ".png")
_LABEL, _GAP = 20, 4  # pixels
_LEAD = 20  # frames of a clip that run before each moment
_SEEN = 8  # levels by which a pixel must change to be shown
_HIGHEST = 60000  # pixels: a JPEG ends at 65535


def spread(faces: Sequence[Face], most: int = FACES) -> list[Face]:
    """At most `most` of the faces, evenly spread from the lightest skin to the darkest."""
    known = [(typology_angle(face.crop, skin(face.crop)), index) for index, face in enumerate(faces)]
    order = [index for angle, index in sorted(known, key=lambda one: (np.isnan(one[0]), -one[0]))]
    places = np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)
    return [faces[order[place]] for place in dict.fromkeys(places.tolist())]


def faces_sheet(faces: Sequence[Face], looks: Mapping[str, Beauty], runner: Runner) -> Iterator[Bytes]:
    """A row for each face: as it is, and with each look; the crop and a little around it."""
    for face in faces:
        cut = slice(face.margin * 3 // 4, face.canvas.shape[0] - face.margin * 3 // 4)
        cells = [_labelled(face.canvas[cut, cut], face.name)]
        for name, look in looks.items():
            drawn = runner.photo(face.canvas, look)
            shown, label = (face.canvas, f"{name}: no face") if drawn is None else (drawn, name)
            cells.append(_labelled(shown[cut, cut], label))
        yield np.concatenate(cells, axis=1)


def clip_sheet(path: Path, looks: Mapping[str, Beauty], runner: Runner) -> Iterator[Bytes]:
    """A row for each of MOMENTS of a clip: as it is, and with each look, where it changes; the network at work, as for viewers.

    Raises:
        GpenLiveError: the clip can't be read (SourceError).
    """
    frames, fps = _read(path)
    ends = np.linspace(0, len(frames), MOMENTS + 1).round().astype(int)[1:]
    for end in ends.tolist():
        part = frames[max(0, end - _LEAD) : end]
        drawn = {name: runner.film(part, look, strength=1.0, fps=fps)[-1] for name, look in looks.items()}
        box = _changed(part[-1], list(drawn.values()))
        shown = {f"{path.name}, frame {end}": part[-1], **drawn}
        yield np.concatenate([_labelled(picture[box], name) for name, picture in shown.items()], axis=1)


def _changed(before: Bytes, after: Sequence[Bytes]) -> tuple[slice, slice]:
    """The part of a frame that looks have changed, and half as much around it; all of it where they changed nothing."""
    found = np.max([np.abs(one.astype(np.int16) - before).max(axis=2) for one in after], axis=0) > _SEEN
    slices = []
    for length, line in zip(found.shape, (found.any(axis=1), found.any(axis=0)), strict=True):
        places = np.flatnonzero(line)
        if not len(places):
            return slice(None), slice(None)
        more = (int(places[-1]) - int(places[0])) // 4 + 8
        slices.append(slice(max(0, int(places[0]) - more), min(length, int(places[-1]) + more)))
    return slices[0], slices[1]


def write_sheet(path: Path, rows: Sequence[Bytes]) -> None:
    """Writes rows below each other as a picture; those that no longer fit are left out.

    Raises:
        GpenLiveError: the file can't be written.
    """
    width = max(row.shape[1] for row in rows)
    padded = [cv2.copyMakeBorder(r, 0, 0, 0, width - r.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3) for r in rows]
    whole = np.concatenate(padded)[:_HIGHEST, :, ::-1]
    coded = cv2.imencode(path.suffix.lower(), whole, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise GpenLiveError("file.unwritable", path=path, reason=error.strerror) from error


def _read(path: Path) -> tuple[list[Bytes], float]:
    """The frames of a clip, RGB, and how many there are in a second."""
    with closing(open_source(str(path), size=None, fps=None, realtime=False)) as source:
        frames: list[Bytes] = []
        while (frame := source.read()) is not None:
            frames.append(np.ascontiguousarray(frame[..., ::-1]))
        return frames, source.fps


def _labelled(picture: Bytes, text: str) -> Bytes:
    framed = cv2.copyMakeBorder(picture, _LABEL, 0, 0, _GAP, cv2.BORDER_CONSTANT, value=(255,) * 3)
    cv2.putText(framed, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.asarray(framed, np.uint8)
