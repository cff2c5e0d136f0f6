"""Pictures of the viewer's own face, one for each preset: drawn from one frame, in the background, when nobody is in a hurry."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from gpen_live.faces.align import GPEN_TEMPLATE, Points, to_template
from gpen_live.frame import Array, Image
from gpen_live.look import Beauty, Look
from gpen_live.system.priority import give_way
from gpen_live.ui import background
from gpen_live.ui.looks import Looks
from gpen_live.ui.preview import Picture

SIDE = 160
"""Of a picture, in pixels."""

PATIENCE_S = 2.0

_CROP = 256
_PART = (0.2, 0.27, 0.6)  # of the crop: left, top and side of what a picture shows, from the hair to the chin
_LEAST_SPREAD = 24.0  # pixels between the eyes: a smaller face shows nothing of a look
_STEPS, _STEP_S = 4, 0.1  # a look has faded in after so many frames
_STOP_WITHIN_S = 2.0
_PAUSE_S = 0.05  # between two pictures: they are in no hurry


Draw = Callable[[Image, Mapping[str, Beauty]], Iterator[tuple[str, Image]]]
"""Draws each of the looks on one aligned crop (256 x 256 x 3, uint8, BGR), one after the other; for a thread of its own."""


class Portraits(QObject):
    """Keeps the pictures up to date; they are made anew when there are other presets, or when `renew` asks for it.

    `made` carries a preset's name and its picture, a QImage of SIDE x SIDE, or None where there is none any more. Pictures of
    one face come all at once.

    Args:
        looks: the presets.
        draw: draws them.
        patience_s: how long a face is in view before it is taken, in seconds: at the start everybody else is busy.
    """

    made = Signal(str, object)

    def __init__(
        self, looks: Looks, draw: Draw | None = None, patience_s: float = PATIENCE_S, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._looks, self._draw, self.patience_s = looks, draw or draw_looks, patience_s
        self._wanted, self._since = True, math.inf
        self._crop: Image | None = None
        self._pictures: dict[Beauty, QImage] = {}
        self._job: background.Job | None = None
        self._again = False
        looks.listed.connect(self._update)

    def renew(self) -> None:
        """Takes the next frame with a face for new pictures of all presets."""
        self._wanted, self._since = True, math.inf

    def forget(self) -> None:
        """Somebody else may be in view now: no pictures until there are new ones."""
        self._crop, self._pictures = None, {}
        for name, _ in self._looks.presets:
            self.made.emit(name, None)
        self.renew()

    def offer(self, picture: Picture) -> None:
        """Takes a frame, if one is wanted and there is a face in it. For the window's thread: costs nothing else."""
        if not self._wanted or self._job is not None:
            return
        face = max(picture.landmarks, key=_spread, default=None)
        if face is None or _spread(face) < _LEAST_SPREAD:
            self._since = math.inf
            return
        now = time.monotonic()
        self._since = min(self._since, now)
        if now - self._since >= self.patience_s:
            self._wanted = False
            self._crop, self._pictures = aligned(picture.raw, face), {}
            self._update()

    def stop(self) -> None:
        """Ends what is being drawn: a network at work while the process ends would take it down."""
        self._wanted = self._again = False
        if self._job is not None:
            self._job.cancel()
            self._job.wait(_STOP_WITHIN_S)

    def _update(self) -> None:
        """Shows the pictures that are there, and draws those that are missing."""
        missing = {}
        for name, beauty in self._looks.presets:
            if beauty in self._pictures:
                self.made.emit(name, self._pictures[beauty])
            else:
                missing[name] = beauty
        crop = self._crop
        if self._job is not None:
            self._again = True
        elif crop is not None and missing:
            self._job = background.run(
                self,
                lambda job: self._work(job, crop, missing),
                done=self._done,
                failed=self._done,
                progress=lambda news: self._keep(crop, *news),
            )

    def _work(self, job: background.Job, crop: Image, looks: Mapping[str, Beauty]) -> None:
        give_way()
        for name, drawn in self._draw(crop, looks):
            if job.cancelled():
                return
            job.report((looks[name], drawn))
            time.sleep(_PAUSE_S)

    def _keep(self, crop: Image, beauty: Beauty, drawn: Image) -> None:
        if crop is self._crop:  # else it shows somebody who was forgotten meanwhile
            self._pictures[beauty] = cut(drawn)

    def _done(self, result: object) -> None:
        """Where it failed the neutral drawings stay: pictures are no reason for a message."""
        self._job = None
        if self._again:
            self._again = False
            self._update()
            return
        for name, beauty in self._looks.presets:
            if beauty in self._pictures:
                self.made.emit(name, self._pictures[beauty])


def _spread(face: Points) -> float:
    """Pixels between the eyes."""
    return float(np.linalg.norm(face[1] - face[0]))


def aligned(image: Image, landmarks: Points) -> Image:
    """The face's crop, 256 x 256 x 3, on GPEN's template."""
    from gpen_live.engine.paths.host_canvas import HostCanvas

    return HostCanvas(image).seen(to_template(landmarks, _CROP, GPEN_TEMPLATE), _CROP)


def cut(crop: Image) -> QImage:
    """The part of a crop that a picture shows, SIDE x SIDE."""
    left, top, side = (round(_CROP * share) for share in _PART)
    part = cv2.resize(crop[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return QImage(part.data, SIDE, SIDE, part.strides[0], QImage.Format.Format_BGR888).copy()


def draw_looks(crop: Image, looks: Mapping[str, Beauty]) -> Iterator[tuple[str, Image]]:
    """Each look on the crop, by a stage of its own on the processor: so frames wait for none of it."""
    from gpen_live.beauty.stage import open_stage
    from gpen_live.engine.result import WHOLE, Change, FaceCrop
    from gpen_live.faces.state import LastResult
    from gpen_live.inference.device import CPU

    stage = open_stage(CPU)
    if stage is None:
        return
    kept: dict[str, Any] = {}
    at = 0.0
    for name, beauty in looks.items():
        change = Change(np.zeros(crop.shape, np.float32))
        for _ in range(_STEPS):  # from one look to the next everything fades, as it does live
            face = FaceCrop(WHOLE, 1.0, Look(strength=0, beauty=beauty), LastResult(), at, kept, refresh=not kept)
            at += _STEP_S
            if stage.active(face):
                change = stage(crop, Change(np.zeros(crop.shape, np.float32)), face)
        yield name, changed(crop, change.added, change.displacement)


def changed(crop: Image, added: Array, displacement: Array | None) -> Image:
    """The crop with a stage's change; see `gpen_live.engine.result.Change`."""
    if displacement is not None:
        y, x = np.mgrid[: crop.shape[0], : crop.shape[1]].astype(np.float32)
        x, y = x + displacement[:, :, 0], y + displacement[:, :, 1]
        crop = np.asarray(cv2.remap(crop, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    return np.asarray(cv2.add(crop, added, dtype=cv2.CV_8U), np.uint8)
