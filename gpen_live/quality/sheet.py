"""A contact sheet for the eye: what came in, what each network made of it, and the truth, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError
from gpen_live.quality.clips import Degradation, as_bytes
from gpen_live.quality.contenders import LAST, RUN
from gpen_live.quality.measure import Measurement, Subject, film

Bytes = npt.NDArray[np.uint8]

_FACES = 3
_GAP, _LABEL = 4, 22  # pixels
_PAPER = 255


def contact_sheet(measurement: Measurement) -> Bytes:
    """A row for each degradation at its middle level: input, networks, truth of up to three faces from light to dark skin.

    Returns:
        H x W x 3, RGB.
    """
    subjects = _spread(measurement.subjects)
    contenders = [contender for contender in measurement.contenders if contender.kind != "competitor"]
    frames = RUN if any(contender.remembers for contender in contenders) else LAST
    rows = []
    for degradation, level in _middle(measurement.plan):
        clip = film(subjects, degradation, level, frames, moving=False)
        outs = [contender.run(clip)[-1] for contender in contenders]
        truths = [degradation.truth(s.scene(0, moving=False), level, s.face.seed) for s in subjects]
        cells = []
        for number, truth in enumerate(truths):
            pictures = [(c.name, out[number]) for c, out in zip(contenders, outs, strict=True)]
            cells += [_labelled(as_bytes(picture), name) for name, picture in [*pictures, ("truth", truth)]]
        caption = _strip(f"{degradation.name} {level:g}", cells[0].shape[1] * len(cells))
        rows.append(np.concatenate([caption, np.concatenate(cells, axis=1)]))
    return np.concatenate(rows)


def write_sheet(path: Path, sheets: Sequence[Bytes]) -> None:
    """Writes sheets below each other as a picture.

    Raises:
        GpenLiveError: the file can't be written.
    """
    width = max(sheet.shape[1] for sheet in sheets)
    padded = [
        cv2.copyMakeBorder(sheet, 0, 0, 0, width - sheet.shape[1], cv2.BORDER_CONSTANT, value=(_PAPER,) * 3) for sheet in sheets
    ]
    coded = cv2.imencode(".png", np.concatenate(padded)[..., ::-1])[1]
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise GpenLiveError("file.unwritable", path=path, reason=error.strerror) from error


def _spread(subjects: Sequence[Subject]) -> list[Subject]:
    """The face with the lightest skin, one between, and the one with the darkest; any where no skin is known."""
    known = sorted((s for s in subjects if s.mask.any()), key=lambda s: -s.angle) or list(subjects)
    places = np.linspace(0.05, 0.95, min(_FACES, len(known))) * (len(known) - 1)  # extremes are often odd photos
    return [known[place] for place in dict.fromkeys(places.round().astype(int).tolist())]


def _middle(plan: Sequence[tuple[Degradation, float]]) -> list[tuple[Degradation, float]]:
    """Each degradation once, at the measured level nearest to the middle of its faults."""
    chosen: dict[str, tuple[Degradation, float]] = {}
    for degradation, level in plan:
        kept = chosen.get(degradation.name)
        if kept is None or abs(level - 0.6) < abs(kept[1] - 0.6):  # of two as near, the harder one
            chosen[degradation.name] = (degradation, level)
    return list(chosen.values())


def _labelled(picture: Bytes, text: str) -> Bytes:
    framed = cv2.copyMakeBorder(picture, 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT, value=(_PAPER,) * 3)
    cv2.putText(framed, text, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(framed, text, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(framed, np.uint8)


def _strip(text: str, width: int) -> Bytes:
    strip = np.full((_LABEL, width, 3), _PAPER, np.uint8)
    cv2.putText(strip, text, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
