"""What a look is to reach, each goal beside what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gpen_live.look import Beauty
from gpen_live.quality.beauty import occluders, regions, tone
from gpen_live.quality.beauty.measure import HEALED_ROW, MADE_UP_ROW, SKIN_ROW, SMOOTH_ROW, BeautyMeasurement, Results
from gpen_live.quality.skin import TONES

Values = npt.NDArray[np.float64]

_TEXTURE: Final = {"natural": (0.85, 0.40), SMOOTH_ROW: (0.60, 0.70)}
"""Row -> share of the fine band that stays, and share of the middle band that goes."""
_IDENTITY: Final = {"natural": 0.95, "glam": 0.90}
_GONE, _KEPT = 0.85, 0.90
_LEVELS = 1.0
_STILL, _MOVING = 1.05, 1.1
_LIGHTNESS, _HUE, _SHARE = 0.5, 1.5, 0.9
_SPILT, _BACK = 0.02, 2
_BEYOND, _ANYWHERE = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal.

    Args:
        measure: what is measured, of which row.
        text: what is wanted.
        value: what was measured; NaN where it was not.
        met: whether it is reached.
        digits: of the value, after the point.
    """

    measure: str
    text: str
    value: float
    met: bool
    digits: int = 2


def goals(measurement: BeautyMeasurement) -> list[Goal]:
    """All goals for which something was measured."""
    results = measurement.results
    found = [
        *_texture(results),
        *_blemishes(results),
        *_outside(results),
        *_flicker(results, measurement.looks),
        *_identity(results, measurement.looks),
        *_fairness(measurement),
        *_occluders(results),
        *_lines(results, measurement.looks),
    ]
    return [goal for goal in found if not math.isnan(goal.value)]


def mean(values: Values) -> float:
    """Of what was measured; NaN where nothing was."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def most(values: Values) -> float:
    """Of what was measured; NaN where nothing was."""
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else math.nan


def gone(results: Results, row: str, *kinds: str) -> float:
    """The share of the painted spots of these kinds that can't be seen any more."""
    spots = [left for _, left in results.spots.get(row, []) if left.kind in kinds]
    return float(np.mean([left.gone for left in spots])) if spots else math.nan


def kept(results: Results, row: str) -> float:
    """The share of the painted moles that stay."""
    spots = [left for _, left in results.spots.get(row, []) if left.kind == "mole"]
    return float(np.mean([left.kept for left in spots])) if spots else math.nan


def labels(measurement: BeautyMeasurement) -> dict[str, list[str]]:
    """The ways of grouping the faces: by the lightness of the skin, and by what people said of themselves, where asked."""
    ways = {"skin": [subject.tone for subject in measurement.subjects]}
    told = [subject.face.ethnicity or "" for subject in measurement.subjects]
    return ways | ({"ethnicity": told} if any(told) else {})


def _in_order(found: list[tone.Served]) -> list[tone.Served]:
    """Skins from light to dark, whatever else by name; those who said nothing are no group."""
    tones = [name for name, _ in TONES]
    place = {name: number for number, name in enumerate(tones)}
    return sorted((one for one in found if one.group), key=lambda one: (place.get(one.group, len(tones)), one.group))


def toned(
    measurement: BeautyMeasurement, by: str, lightness: str, hue: str, row: str, gain: Values | None = None
) -> list[tone.Served]:
    """How each group of a way of grouping fares, by two measures of a row; `gain` of each face, where there is one."""
    results = measurement.results
    gains = np.full(results.faces, np.nan) if gain is None else gain
    found = tone.by_group(labels(measurement)[by], results.of(lightness, row), results.of(hue, row), gains)
    return _in_order(found)


def served(measurement: BeautyMeasurement, row: str) -> dict[str, list[tone.Served]]:
    """How each group fares with a row of skin controls: gain is the share of the middle band that has gone."""
    gain = 1 - measurement.results.of("middle", row)
    return {by: toned(measurement, by, "lightness", "hue", row, gain) for by in labels(measurement)}


def healed(measurement: BeautyMeasurement, row: str) -> dict[str, list[tone.Served]]:
    """How each group fares with blemishes: gain is the share of their visibility that has gone."""
    faded = measurement.results.of("faded", row)
    nothing = np.where(np.isnan(faded), np.nan, 0.0)
    return {
        by: [one for one in tone.by_group(each, nothing, nothing, faded) if one.group] for by, each in labels(measurement).items()
    }


def _texture(results: Results) -> Iterator[Goal]:
    for row, (stays, goes) in _TEXTURE.items():
        fine, middle = mean(results.of("fine", row)), 1 - mean(results.of("middle", row))
        yield Goal(f"fine texture kept, {row}", f"at least {100 * stays:.0f} %", fine, fine >= stays)
        yield Goal(f"middle band gone, {row}", f"at least {100 * goes:.0f} %", middle, middle >= goes)


def _blemishes(results: Results) -> Iterator[Goal]:
    away, stay = gone(results, HEALED_ROW, "papule", "scratch"), kept(results, HEALED_ROW)
    yield Goal(f"blemishes gone, {HEALED_ROW}", f"at least {100 * _GONE:.0f} %", away, away >= _GONE)
    yield Goal(f"moles kept, {HEALED_ROW}", f"at least {100 * _KEPT:.0f} %", stay, stay >= _KEPT)


def _outside(results: Results) -> Iterator[Goal]:
    for region in regions.REGIONS:
        value = mean(results.of(f"{region} most", SKIN_ROW))
        text = f"at most {_LEVELS:g} level on 99 % of the pixels"
        yield Goal(f"{region}, {SKIN_ROW}", text, value, value <= _LEVELS)


def _flicker(results: Results, looks: Mapping[str, Beauty]) -> Iterator[Goal]:
    for row in looks:
        for kind, limit in (("still", _STILL), ("moving", _MOVING)):
            value = mean(results.of(kind, row))
            yield Goal(f"flicker {kind}, {row}", f"at most {limit:g} times that without", value, value <= limit)
    value = most(results.of("twinkle", SKIN_ROW))
    yield Goal(
        f"twinkling of a still picture, {SKIN_ROW}", "at most 1 level, but for a pixel in a thousand", value, value <= _LEVELS
    )


def _identity(results: Results, looks: Mapping[str, Beauty]) -> Iterator[Goal]:
    for row in looks:
        if row in _IDENTITY:
            value = mean(results.of("identity", row))
            yield Goal(f"identity, {row}", f"at least {_IDENTITY[row]:g}", value, value >= _IDENTITY[row], 3)


def _fairness(measurement: BeautyMeasurement) -> Iterator[Goal]:
    for row in (*measurement.looks, SKIN_ROW):
        groups = [one for each in served(measurement, row).values() for one in each if one.counts]
        if not groups or all(math.isnan(one.lightness) for one in groups):
            continue
        lightness = max(abs(one.lightness) for one in groups)
        hue = max(abs(one.hue) for one in groups)
        share = min(one.share for one in groups)
        yield Goal(f"lightness of the worst group, {row}", f"within {_LIGHTNESS:g}", lightness, lightness <= _LIGHTNESS)
        yield Goal(f"hue of the worst group, {row}", f"within {_HUE:g} degrees", hue, hue <= _HUE)
        yield Goal(f"smoothing of the worst group, {row}", f"at least {100 * _SHARE:.0f} % of the mean", share, share >= _SHARE)
    groups = [one for each in healed(measurement, HEALED_ROW).values() for one in each if one.counts]
    if groups:
        share = min(one.share for one in groups)
        yield Goal(
            f"healing of the worst group, {HEALED_ROW}", f"at least {100 * _SHARE:.0f} % of the mean", share, share >= _SHARE
        )


def _occluders(results: Results) -> Iterator[Goal]:
    for row in (SMOOTH_ROW, MADE_UP_ROW):
        for thing in occluders.THINGS:
            spilt, back = mean(results.of(f"{thing} spilt", row)), most(results.of(f"{thing} back", row))
            yield Goal(f"on the {thing}, {row}", f"under {100 * _SPILT:.0f} % of its strength", spilt, spilt < _SPILT, 3)
            yield Goal(f"back after the {thing}, {row}", f"within {_BACK} frames", back, back <= _BACK, 0)


def _lines(results: Results, looks: Mapping[str, Beauty]) -> Iterator[Goal]:
    for row in looks:
        anywhere, beyond = most(results.of("slim anywhere", row)), most(results.of("slim beyond", row))
        yield Goal(f"lines bent anywhere, slim of {row}", f"at most {_ANYWHERE:g} pixels", anywhere, anywhere <= _ANYWHERE)
        text = f"at most {_BEYOND:g} pixels beyond a quarter of the face's width"
        yield Goal(f"lines bent further away, slim of {row}", text, beyond, beyond <= _BEYOND)
