"""What was measured of looks, as a JSON report and as tables in Markdown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpen_live import __version__
from gpen_live.presets import differences
from gpen_live.quality.beauty import occluders, regions
from gpen_live.quality.beauty.goals import goals, gone, healed, kept, labels, mean, most, served, toned
from gpen_live.quality.beauty.measure import HEALED_ROW, RIVAL_ROW, SKIN_ROW, BeautyMeasurement, Results
from gpen_live.quality.beauty.tone import Served

Json = dict[str, Any]
"""What `json.dumps` takes; numbers that are not known are None, those that have no end the text "never"."""

_DIGITS = 5


def build_report(measurement: BeautyMeasurement, *, photos: Sequence[str], split: str, device: str, seconds: float) -> Json:
    """Everything measured so far; `complete` tells whether that is all.

    `values` holds, by measure and row, each face's value in the order of `faces`.
    """
    results = measurement.results
    measures: Json = {}
    for (measure, row), values in results.values.items():
        measures.setdefault(measure, {})[row] = [_known(value) for value in values.tolist()]
    return {
        "version": __version__,
        "complete": measurement.complete,
        "seconds": round(seconds, 1),
        "photos": list(photos),
        "split": split,
        "device": device,
        "looks": {name: {"amount": look.amount, **differences(look)} for name, look in measurement.looks.items()},
        "faces": [
            {"name": s.face.name, "source": s.face.source, "skin": s.tone, "ethnicity": s.face.ethnicity, "filmed": s.filmed}
            for s in measurement.subjects
        ],
        "measured": results.done,
        "unseen": list(results.unseen),
        "goals": [{**dataclasses.asdict(goal), "value": _known(goal.value)} for goal in goals(measurement)],
        "values": measures,
        "spots": {
            row: [{"face": face, "kind": left.kind, "was": _known(left.was), "now": _known(left.now)} for face, left in spots]
            for row, spots in results.spots.items()
        },
    }


def to_markdown(measurement: BeautyMeasurement, *, device: str, seconds: float) -> str:
    """The tables of what was measured so far."""
    results = measurement.results
    lines = [_heading(measurement, device, seconds), "", *_goals(measurement), ""]
    for table in (_texture, _blemishes, _outside, _films):
        lines += table(results)
    lines += _identity_and_lines(measurement)
    lines += _groups(measurement)
    return "\n".join(lines).rstrip() + "\n"


def _heading(measurement: BeautyMeasurement, device: str, seconds: float) -> str:
    results, subjects = measurement.results, measurement.subjects
    marked = sum(subject.face.points is not None for subject in subjects[: results.done])
    text = f"{device}, {seconds / 60:.0f} minutes. {results.done} faces, {marked} of them with points set by hand"
    text += f", {sum(subject.filmed for subject in subjects[: results.done])} filmed."
    if results.unseen:
        text += f" Not found by the detector: {', '.join(results.unseen)}."
    return text if measurement.complete else f"**Incomplete: the run was interrupted.** {text}"


def _goals(measurement: BeautyMeasurement) -> list[str]:
    lines = ["### Goals", "", *_head("measure", "goal", "measured", "")]
    for goal in goals(measurement):
        value = "never" if math.isinf(goal.value) else f"{goal.value:.{goal.digits}f}"
        lines.append(_row(goal.measure, goal.text, value, "met" if goal.met else "**missed**"))
    return lines


def _texture(results: Results) -> list[str]:
    """Ours and the rival beside each other."""
    rows = [row for row in results.rows("fine") if not row.startswith(RIVAL_ROW)]
    if not rows:
        return []
    lines = [
        "### Texture on skin",
        "",
        "Shares of the bands' energy that are left; the rival is set to the same middle band.",
        "",
    ]
    lines += _head("skin controls of", "fine (2-4 px)", "least of all faces", "middle (6-24 px)", "GPUPixel: fine", "middle")
    for row in rows:
        fine, middle = results.of("fine", row), results.of("middle", row)
        theirs = [mean(results.of(band, RIVAL_ROW + row)) for band in ("fine", "middle")]
        least = -most(-fine)
        lines.append(_row(row, *(_share(value) for value in (mean(fine), least, mean(middle), *theirs))))
    return [*lines, ""]


def _blemishes(results: Results) -> list[str]:
    if not results.spots:
        return []
    lines = ["### Painted blemishes", "", *_head("blemish of", "papules gone", "scratches gone", "moles kept", "spots")]
    for row, spots in results.spots.items():
        shares = gone(results, row, "papule"), gone(results, row, "scratch"), kept(results, row)
        lines.append(_row(row, *(_share(value) for value in shares), str(len(spots))))
    return [*lines, ""]


def _outside(results: Results) -> list[str]:
    rows = results.rows("eyes mean")
    if not rows:
        return []
    lines = ["### Outside the skin", "", "Levels of change by skin controls: mean, and what 99 of 100 pixels keep within.", ""]
    lines += _head("skin controls of", *regions.REGIONS)
    for row in rows:
        cells = [
            f"{_number(mean(results.of(f'{region} mean', row)), 2)} / {_number(mean(results.of(f'{region} most', row)), 1)}"
            for region in regions.REGIONS
        ]
        lines.append(_row(row, *cells))
    return [*lines, ""]


def _films(results: Results) -> list[str]:
    things = list(occluders.THINGS)
    rows = results.rows(f"{things[0]} spilt")
    lines: list[str] = []
    if rows:
        lines += [
            "### What passes before a face",
            "",
            "Strength on it as a share of that on bare skin; frames until back (worst).",
            "",
        ]
        lines += _head("look", *things)
        for row in rows:
            cells = []
            for thing in things:
                spilt, back = mean(results.of(f"{thing} spilt", row)), most(results.of(f"{thing} back", row))
                cells.append(f"{_number(100 * spilt, 1)} % / {'never' if math.isinf(back) else _number(back, 0)}")
            lines.append(_row(row, *cells))
        lines.append("")
    return lines


def _identity_and_lines(measurement: BeautyMeasurement) -> list[str]:
    results = measurement.results
    if not results.done:
        return []
    lines = ["### Flicker, identity, lines", ""]
    lines += _head(
        "look", "flicker still", "moving", "twinkle", "identity", "least", "slim bends by", "beyond", "all shapes by", "beyond"
    )
    for row in measurement.looks:
        identity = results.of("identity", row)
        restless = [mean(results.of("still", row)), mean(results.of("moving", row)), most(results.of("twinkle", row))]
        values = [*restless, mean(identity), -most(-identity)]
        bends = [most(results.of(f"{what} {where}", row)) for what in ("slim", "shape") for where in ("anywhere", "beyond")]
        lines.append(_row(row, *(_number(v, 3) for v in values), *(_number(v, 2) for v in bends)))
    return [*lines, ""]


def _groups(measurement: BeautyMeasurement) -> list[str]:
    lines: list[str] = []
    for row in (*measurement.looks, SKIN_ROW):
        for by, groups in served(measurement, row).items():
            if not groups:
                continue
            lines += [f"### By {by}, skin controls of {row}", ""]
            lines += _head(by, "faces", "lightness", "of one face", "hue", "of one face", "middle band gone", "of the mean")
            lines += [_group(one) for one in groups] + [""]
    for by in labels(measurement):
        lines += _lamps(measurement, by)
    for by, groups in healed(measurement, HEALED_ROW).items():
        if groups:
            lines += [f"### By {by}, {HEALED_ROW}", "", *_head(by, "faces", "visibility gone", "of the mean")]
            lines += [_row(one.group, str(one.faces), _share(one.gain), _share(one.share)) for one in groups] + [""]
    return lines


def _lamps(measurement: BeautyMeasurement, by: str) -> list[str]:
    """What whole looks, lamp included, do to a skin's lightness and hue: mean of each group, and the face that changes most."""
    results, rows = measurement.results, list(measurement.looks)
    tables = {row: toned(measurement, by, "whole lightness", "whole hue", row) for row in rows}
    names = dict.fromkeys(one.group for groups in tables.values() for one in groups)
    if not results.done or not names:
        return []
    lines = [f"### By {by}, whole looks: lightness (of one face), hue", "", *_head(by, *rows)]
    for name in names:
        found = [next((one for one in tables[row] if one.group == name), None) for row in rows]
        cells = [
            "" if one is None else f"{_signed(one.lightness)} ({_signed(one.most_lightness)}), {_signed(one.hue)}"
            for one in found
        ]
        lines.append(_row(name, *cells))
    return [*lines, ""]


def _group(one: Served) -> str:
    changes = [_signed(value) for value in (one.lightness, one.most_lightness, one.hue, one.most_hue)]
    return _row(one.group, str(one.faces), *changes, _share(one.gain), _share(one.share))


def _head(*cells: str) -> list[str]:
    return [_row(*cells), _row(*(["---"] * len(cells)))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f} %"


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _signed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:+.2f}"


def _known(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return "never" if math.isinf(value) else round(float(np.float64(value)), _DIGITS)
