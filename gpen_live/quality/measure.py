"""The measurement: every contender on every face, degradation and level, a batch of faces at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gpen_live.quality import metrics
from gpen_live.quality.clips import Degradation, Picture, as_bytes
from gpen_live.quality.contenders import LAST, RUN, Batch, Contender
from gpen_live.quality.identity import Embedding, Identity
from gpen_live.quality.metrics import METRICS, MOTION
from gpen_live.quality.photos import MARGIN, Face
from gpen_live.quality.skin import Mask, skin, tone, typology_angle

if TYPE_CHECKING:
    import torch

    from gpen_live.facedata.features import Features

Values = dict[str, npt.NDArray[np.float64]]
"""Metric's key -> a value for each face, NaN where it was not measured."""
_TUNED_ON = 4  # faces that competitors are set by
_BATCH_PIXELS = 8 * 256 * 256


@dataclass(frozen=True, slots=True)
class Condition:
    """One degradation at one level, and what was measured there.

    Args:
        values: contender's name -> its values.
        done: for each face, whether it has been measured.
        strengths: competitor's name -> what it was set to.
    """

    degradation: Degradation
    level: float
    values: dict[str, Values] = field(default_factory=dict)
    done: list[bool] = field(default_factory=list)
    strengths: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """A face, prepared: what does not depend on the degradation."""

    face: Face
    canvas: Picture
    mask: Mask
    angle: float
    slow: bool

    @property
    def tone(self) -> str:
        """The bin of its skin's lightness."""
        return tone(self.angle)

    def scene(self, back: int, *, moving: bool) -> Picture:
        """The crop as it is `back` frames before the last one, which shows it in its place."""
        up, left = (back * step if moving else 0 for step in MOTION)
        height, width = self.canvas.shape[:2]
        window = self.canvas[MARGIN - up : height - MARGIN - up, MARGIN - left : width - MARGIN - left]
        return np.ascontiguousarray(window)


class Measurement:
    """Measures faces of one size; what is there so far can be read at any time.

    Args:
        faces: the truth.
        contenders: who is measured, the input first.
        plan: degradations and levels.
        slow_faces: how many faces get the slow metrics, evenly spread.
        features, identity: the networks of their columns; None leaves the column out.
        device: where `features` runs.
    """

    def __init__(
        self,
        faces: Sequence[Face],
        contenders: Sequence[Contender],
        plan: Sequence[tuple[Degradation, float]],
        *,
        slow_faces: int,
        features: Features | None = None,
        identity: Identity | None = None,
        device: torch.device | None = None,
    ) -> None:
        slow = set(np.linspace(0, len(faces) - 1, min(slow_faces, len(faces))).round().astype(int).tolist())
        self.size = faces[0].crop.shape[0]
        self.contenders = list(contenders)
        self.subjects = [_prepared(face, index in slow) for index, face in enumerate(faces)]
        self.plan = list(plan)
        self.conditions: list[Condition] = []
        self.complete = False
        self.truth_niqe: list[float] = []
        self._features, self._identity, self._device = features, identity, device
        self._frames = RUN if any(contender.remembers for contender in contenders) else LAST
        self._embeddings: dict[bytes, Embedding] = {}

    @property
    def steps(self) -> int:
        """Faces times conditions."""
        return len(self.plan) * len(self.subjects)

    def estimate(self) -> float:
        """Seconds that the run will take, from one face that is measured once with and once without the slow metrics."""
        degradation, level = max(self.plan, key=lambda item: (item[0].name == "mixed", item[1]))
        seconds = []
        for slow in (True, True, False):  # the first one is slowed by imports and goes unused
            subject = self.subjects[0]
            subject = Subject(subject.face, subject.canvas, subject.mask, subject.angle, slow)
            start = time.monotonic()
            self._batch([subject], degradation, level, lambda: False)
            seconds.append(time.monotonic() - start)
        start = time.monotonic()
        self._tuned(degradation, level)
        tuning = time.monotonic() - start
        slow_count = sum(subject.slow for subject in self.subjects)
        return len(self.plan) * (tuning + slow_count * seconds[1] + (len(self.subjects) - slow_count) * seconds[2])

    def run(self, progress: Callable[[int, str], None], stop: Callable[[], bool]) -> None:
        """Measures everything, or until `stop` says so: then the batch under way is given up, the rest stays.

        Args:
            progress: called with the faces just finished and what is measured next.
        """
        self.truth_niqe = [metrics.niqe(as_bytes(s.scene(0, moving=False))) for s in self.subjects if s.slow]
        size = max(1, _BATCH_PIXELS // self.size**2)
        for degradation, level in self.plan:
            count = len(self.subjects)
            empty = {name.name: {metric.key: np.full(count, np.nan) for metric in METRICS} for name in self.contenders}
            condition = Condition(degradation, level, empty, [False] * count)
            self.conditions.append(condition)
            progress(0, f"{degradation.name} {level:g}")
            condition.strengths.update(self._tuned(degradation, level))
            for start in range(0, count, size):
                batch = self._batch(self.subjects[start : start + size], degradation, level, stop)
                if batch is None:
                    return
                for name, rows in batch.items():
                    for offset, row in enumerate(rows):
                        for key, value in row.items():
                            condition.values[name][key][start + offset] = value
                condition.done[start : start + size] = [True] * len(self.subjects[start : start + size])
                progress(len(self.subjects[start : start + size]), f"{degradation.name} {level:g}")
        self.complete = True

    def _tuned(self, degradation: Degradation, level: float) -> dict[str, float]:
        """Sets every competitor to its best strength on a few of the faces."""
        count = len(self.subjects)
        places = np.linspace(0, count - 1, min(_TUNED_ON, count)).round().astype(int).tolist()
        few = [self.subjects[place] for place in places]
        seen = film(few, degradation, level, 1, moving=False)[-1]
        truth = np.stack([degradation.truth(s.scene(0, moving=False), level, s.face.seed) for s in few])
        return {one.name: one.tune(seen, truth) for one in self.contenders if one.tune is not None}

    def _batch(
        self, subjects: Sequence[Subject], degradation: Degradation, level: float, stop: Callable[[], bool]
    ) -> dict[str, list[dict[str, float]]] | None:
        """The values of each contender for each subject; None when stopped on the way."""
        still, moving = (film(subjects, degradation, level, self._frames, moving=flag) for flag in (False, True))
        truths = [degradation.truth(subject.scene(0, moving=False), level, subject.face.seed) for subject in subjects]
        targets = [self._features_of(truth) if s.slow else None for s, truth in zip(subjects, truths, strict=True)]
        measured = {}
        for contender in self.contenders:
            if stop():
                return None
            before, after = contender.run(still)
            moved_before, moved_after = contender.run(moving)
            rows = []
            for index, (subject, truth, target) in enumerate(zip(subjects, truths, targets, strict=True)):
                out = after[index]
                row = self._judged(out, truth, subject, target)
                row["flicker_still"] = metrics.change(before[index], out)
                row["flicker_moving"] = metrics.change_in_motion(moved_before[index], moved_after[index])
                row["psnr_moving"] = metrics.psnr(moved_after[index], truth)
                row["changed_by"] = metrics.change(out, still[-1][index])
                rows.append(row)
            measured[contender.name] = rows
        return None if stop() else measured

    def _judged(self, out: Picture, truth: Picture, subject: Subject, target: list[torch.Tensor] | None) -> dict[str, float]:
        """One picture against its truth."""
        picture, true_picture = as_bytes(out), as_bytes(truth)
        row = {
            "psnr": metrics.psnr(out, truth),
            "ciede2000": metrics.colour_error(picture, true_picture, subject.mask),
        }
        if self._identity is not None:
            row["identity"] = float(self._identity.embed(picture) @ self._embedding(true_picture))
        if subject.slow:
            row["ssim"] = metrics.ssim(picture, true_picture)
            row["niqe"] = metrics.niqe(picture)
            if target is not None:
                from gpen_live.facedata.features import feature_distance

                mine = self._features_of(out)
                assert mine is not None
                row["feature"] = float(feature_distance(mine, target)[0])
        return row

    def _embedding(self, truth: npt.NDArray[np.uint8]) -> Embedding:
        """That of the truth, which every contender is compared with."""
        assert self._identity is not None
        key = truth.tobytes()
        if key not in self._embeddings:
            if len(self._embeddings) > 64:
                self._embeddings.clear()
            self._embeddings[key] = self._identity.embed(truth)
        return self._embeddings[key]

    def _features_of(self, picture: Picture) -> list[torch.Tensor] | None:
        if self._features is None:
            return None
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(picture).permute(2, 0, 1)[None].to(self._device).contiguous(memory_format=torch.channels_last)
            taken: list[torch.Tensor] = self._features(x * 2 - 1)
        return taken


def film(subjects: Sequence[Subject], degradation: Degradation, level: float, frames: int, *, moving: bool) -> list[Batch]:
    """What the camera delivers of each subject: a Batch for each of at least `frames` frames."""
    count = max(frames, degradation.shortest)
    clips = [
        degradation.film([s.scene(back, moving=moving) for back in range(count - 1, -1, -1)], level, s.face.seed)
        for s in subjects
    ]
    return [np.stack(pictures) for pictures in zip(*clips, strict=True)]


def _prepared(face: Face, slow: bool) -> Subject:
    mask = skin(face.crop)
    return Subject(face, face.canvas.astype(np.float32) / 255, mask, typology_angle(face.crop, mask), slow)


def mean(values: npt.NDArray[np.float64]) -> float:
    """Of the faces that were measured; NaN where none was."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
