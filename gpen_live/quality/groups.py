"""Who is served worse: the same measures by the lightness of the skin and by the collection that a photo comes from.

Age and sex are not labelled in the photos, so the collections, which differ in both, stand for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpen_live.quality.measure import Condition, mean
from gpen_live.quality.skin import UNKNOWN

SMALLEST = 5
"""A group of fewer faces is shown, but not called the worst: chance alone would make it so."""
_ERRORS = 2.0  # standard errors beyond which a difference is no chance
_STILL = 0.01  # levels of flicker: the input stands still
_KEYS = ("psnr", "identity", "ciede2000", "flicker_still")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """One group's means for one network.

    Args:
        group: its name.
        faces: how many.
        psnr_gain: dB over the input, and its standard error over the faces (NaN for a single face).
        identity_gain: similarity over the input's.
        ciede2000: colour error on the skin, of the output and of the input.
        flicker_ratio: the output's flicker of a still scene over the input's; NaN where the input has none.
    """

    group: str
    faces: int
    psnr_gain: float
    psnr_gain_error: float
    identity_gain: float
    ciede2000: float
    ciede2000_in: float
    flicker_ratio: float


@dataclass(frozen=True, slots=True)
class Worst:
    """The group that a network serves worst, against all others together.

    Args:
        gap: how much less PSNR gain it has than the others, in dB.
        beyond_chance: the gap is more than two standard errors.
    """

    group: str
    faces: int
    psnr_gain: float
    gap: float
    beyond_chance: bool


def by_group(conditions: Sequence[Condition], network: str, labels: Sequence[str]) -> list[Group]:
    """Means for each label, over the conditions together; in the order in which `labels` first names them.

    Args:
        labels: one for each face.
    """
    faces = _per_face(conditions, network)
    rows = []
    for label, of in _members(labels, faces["gain"]).items():
        values = {name: each[of] for name, each in faces.items()}
        shaken = mean(values["flicker_in"])
        rows.append(
            Group(
                group=label,
                faces=int(of.sum()),
                psnr_gain=mean(values["gain"]),
                psnr_gain_error=_error(values["gain"]),
                identity_gain=mean(values["identity"]),
                ciede2000=mean(values["colour"]),
                ciede2000_in=mean(values["colour_in"]),
                flicker_ratio=mean(values["flicker"]) / shaken if shaken > _STILL else math.nan,
            )
        )
    return rows


def worst_group(conditions: Sequence[Condition], network: str, labels: Sequence[str]) -> Worst | None:
    """The group of at least SMALLEST faces with the least PSNR gain; None where there are no two groups to compare."""
    gain = _per_face(conditions, network)["gain"]
    groups = {label: gain[of] for label, of in _members(labels, gain).items() if of.sum() >= SMALLEST and label != UNKNOWN}
    if len(groups) < 2:
        return None
    name = min(groups, key=lambda label: mean(groups[label]))
    worst, others = groups[name], np.concatenate([values for label, values in groups.items() if label != name])
    gap = mean(others) - mean(worst)
    return Worst(name, len(worst), mean(worst), gap, gap > _ERRORS * math.hypot(_error(worst), _error(others)))


def _members(labels: Sequence[str], gain: Array) -> dict[str, npt.NDArray[np.bool_]]:
    """For each label that any measured face has, which faces have it."""
    members = {label: np.array([each == label for each in labels]) & ~np.isnan(gain) for label in dict.fromkeys(labels)}
    return {label: of for label, of in members.items() if of.any()}


def _per_face(conditions: Sequence[Condition], network: str) -> dict[str, Array]:
    """One value for each face and measure: the mean over the conditions in which the face was measured."""
    out, before = ({key: _stacked(conditions, name, key) for key in _KEYS} for name in (network, "input"))
    tables = {
        "gain": out["psnr"] - before["psnr"],
        "identity": out["identity"] - before["identity"],
        "colour": out["ciede2000"],
        "colour_in": before["ciede2000"],
        "flicker": out["flicker_still"],
        "flicker_in": before["flicker_still"],
    }
    return {name: np.array([mean(column) for column in table.T]) for name, table in tables.items()}


def _stacked(conditions: Sequence[Condition], name: str, key: str) -> Array:
    return np.stack([condition.values[name][key] for condition in conditions])


def _error(values: Array) -> float:
    """Standard error of the mean; NaN for a single value."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
