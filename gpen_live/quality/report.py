"""What was measured, as a JSON report whose keys scripts build on, and as compact tables in Markdown, made from the report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpen_live import __version__
from gpen_live.quality.contenders import FIRST_FRAME, RUN
from gpen_live.quality.groups import SMALLEST, by_group, worst_group
from gpen_live.quality.measure import Condition, Measurement, mean
from gpen_live.quality.metrics import METRICS, MOTION
from gpen_live.quality.skin import TONES, UNKNOWN

Json = dict[str, Any]
"""What `json.dumps` takes; numbers that are not known are None."""

_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Setting:
    """How the run was made.

    Args:
        photos, split: what was measured on.
        device: in words.
        weights: file that replaced the model's own.
        precisions: network's name -> the arithmetic it ran in.
        left_out: metric's key -> why its column is missing.
    """

    photos: str
    split: str
    device: str
    weights: str | None
    precisions: Mapping[str, str]
    left_out: Mapping[str, str]


def build_report(setting: Setting, measurements: Sequence[Measurement], seconds: float) -> Json:
    """Everything measured so far; `complete` tells whether that is all. Means over the faces, see `metrics` for units."""
    return {
        "version": __version__,
        "complete": bool(measurements) and all(measurement.complete for measurement in measurements),
        "seconds": round(seconds, 1),
        "photos": setting.photos,
        "split": setting.split,
        "device": setting.device,
        "weights": setting.weights,
        "metrics": {m.key: m.means for m in METRICS if m.key not in setting.left_out},
        "left_out": dict(setting.left_out),
        "sizes": [_size(measurement, setting) for measurement in measurements],
    }


def _size(measurement: Measurement, setting: Setting) -> Json:
    subjects = measurement.subjects
    tones = [subject.tone for subject in subjects]
    sources = [subject.face.source for subject in subjects]
    return {
        "size": measurement.size,
        "faces": len(subjects),
        "slow_faces": sum(subject.slow for subject in subjects),
        "skin_faces": sum(bool(subject.mask.any()) for subject in subjects),
        "truth_niqe": _known(mean(np.array(measurement.truth_niqe))),
        "precision": {c.name: setting.precisions[_plain(c.name)] for c in measurement.contenders if c.kind == "network"},
        "conditions": [_condition(measurement, condition, setting.left_out) for condition in measurement.conditions],
        "groups": _groups(measurement, {"skin": _ordered(tones), "source": sources}, {"skin": tones, "source": sources}),
    }


def _condition(measurement: Measurement, condition: Condition, left_out: Mapping[str, str]) -> Json:
    keys = [metric.key for metric in METRICS if metric.key not in left_out]
    return {
        "degradation": condition.degradation.name,
        "title": condition.degradation.title,
        "level": condition.level,
        "faces": sum(condition.done),
        "strengths": condition.strengths,
        "rows": [
            {"name": c.name, "kind": c.kind, **{key: _known(mean(condition.values[c.name][key])) for key in keys}}
            for c in measurement.contenders
        ],
    }


def _groups(measurement: Measurement, orders: Mapping[str, Sequence[str]], labels: Mapping[str, Sequence[str]]) -> list[Json]:
    """For each degradation, its levels above 0 together, and each network: the groups, and the worst of them."""
    parts: dict[str, list[Condition]] = {}
    for condition in measurement.conditions:
        if condition.level > 0 and any(condition.done):
            parts.setdefault(condition.degradation.name, []).append(condition)
    tables = []
    for name, conditions in parts.items():
        for contender in measurement.contenders:
            if contender.kind != "network":
                continue
            for by, each in labels.items():
                order = list(dict.fromkeys(orders[by]))
                groups = sorted(by_group(conditions, contender.name, each), key=lambda group: order.index(group.group))
                worst = worst_group(conditions, contender.name, each)
                tables.append(
                    {
                        "degradation": name,
                        "levels": [condition.level for condition in conditions],
                        "name": contender.name,
                        "by": by,
                        "groups": [_rounded(dataclasses.asdict(group)) for group in groups],
                        "worst": None if worst is None else _rounded(dataclasses.asdict(worst)),
                    }
                )
    return tables


def _ordered(tones: Sequence[str]) -> list[str]:
    """From light to dark."""
    return [name for name in (*(name for name, _ in TONES), UNKNOWN) if name in tones]


def _plain(name: str) -> str:
    return name.removesuffix(FIRST_FRAME)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, _DIGITS)


def _rounded(values: Mapping[str, Any]) -> Json:
    return {name: _known(value) if isinstance(value, float) else value for name, value in values.items()}


# --- Markdown -------------------------------------------------------------------------------------


def to_markdown(report: Json) -> str:
    """The report as tables."""
    lines = [_heading(report), ""]
    for part in report["sizes"]:
        if len(report["sizes"]) > 1:
            lines += [f"## Crops of {part['size']} pixels", ""]
        lines += [_faces(part), ""]
        for name in dict.fromkeys(condition["degradation"] for condition in part["conditions"]):
            lines += [*_table(report, [c for c in part["conditions"] if c["degradation"] == name]), ""]
        lines += _group_tables(part)
    return "\n".join(lines).rstrip() + "\n"


def _heading(report: Json) -> str:
    text = f"{report['device']}, {report['seconds'] / 60:.0f} minutes."
    if report["weights"]:
        text = f"Weights {report['weights']}. {text}"
    if not report["complete"]:
        text = f"**Incomplete: the run was interrupted.** {text}"
    titles = {metric.key: metric.title for metric in METRICS}
    if report["left_out"]:
        text += " Left out: " + ", ".join(f"{titles[key]} ({why})" for key, why in report["left_out"].items()) + "."
    return text


def _faces(part: Json) -> str:
    slow = [metric.title for metric in METRICS if metric.slow]
    precision = ", ".join(f"{name} in {how}" for name, how in part["precision"].items() if FIRST_FRAME not in name)
    text = (
        f"{part['faces']} faces of {part['size']} pixels ({', '.join(slow[:-1])} and {slow[-1]}: {part['slow_faces']} of them; "
        f"skin colour: the {part['skin_faces']} with skin to be found); {precision or 'no network'}."
    )
    if part["truth_niqe"] is not None:
        text += f" NIQE of the truth {part['truth_niqe']:.2f}."
    if any(name.endswith(FIRST_FRAME) for name in part["precision"]):
        text += f" Networks with a memory: after {RUN} frames, and on their first."
    return text + f" The moving scene goes {MOTION[0]} pixel up and {MOTION[1]} to the left each frame."


def _table(report: Json, conditions: Sequence[Json]) -> list[str]:
    """One degradation: levels below each other, contenders within them."""
    clean = all(condition["level"] == 0 for condition in conditions)
    remembers = any(FIRST_FRAME in row["name"] for row in conditions[0]["rows"])
    shown = [
        metric
        for metric in METRICS
        if metric.key in report["metrics"]
        and (metric.key != "psnr_moving" or remembers)
        and (metric.key != "changed_by" or any(condition["level"] == 0 for condition in conditions))
    ]
    heads = ["" if clean else "level", "", *(metric.title for metric in shown)]
    if clean:
        heads = heads[1:]
    lines = [f"### {conditions[0]['title']}", "", _row(heads), _row(["---"] * len(heads))]
    for condition in conditions:
        level = f"{condition['level']:g}"
        for number, row in enumerate(condition["rows"]):
            cells = [row["name"], *(_number(row[metric.key], metric.digits) for metric in shown)]
            lines.append(_row(cells if clean else [level if number == 0 else "", *cells]))
    return lines


def _group_tables(part: Json) -> list[str]:
    """Groups on the reference ladder (else on what there is), and the worst group of every degradation."""
    tables = [table for table in part["groups"] if not table["name"].endswith(FIRST_FRAME)]
    names = list(dict.fromkeys(table["degradation"] for table in tables))
    if not names:
        return []
    chosen = "mixed" if "mixed" in names else names[0]
    lines = ["### By group", ""]
    lines += [
        "Skin by the typology angle (ITA) of the truth's skin, which carries the photo's light too; age and sex are not "
        "labelled, so by the photos' source. Gains are over the input, ± one standard error; flicker is a share of the input's.",
        "",
    ]
    for name in dict.fromkeys(table["name"] for table in tables):
        mine = [table for table in tables if table["name"] == name]
        shown = [table for table in mine if table["degradation"] == chosen]
        levels = ", ".join(f"{level:g}" for level in shown[0]["levels"])
        heads = [f"{name}, {chosen} {levels}", "faces", "PSNR gain", "identity gain", "skin ΔE in", "out", "flicker"]
        lines += [_row(heads), _row(["---"] * len(heads))]
        for table in shown:
            for group in table["groups"]:
                error = _number(group["psnr_gain_error"], 2)
                gain = _number(group["psnr_gain"], 2, sign=True) + (f" ± {error}" if error else "")
                cells = [f"{table['by']}: {group['group']}", str(group["faces"]), gain]
                cells.append(_number(group["identity_gain"], 3, sign=True))
                cells += [_number(group[key], 2) for key in ("ciede2000_in", "ciede2000", "flicker_ratio")]
                lines.append(_row(cells))
        lines += ["", *_worst_lines(name, mine), ""]
    return lines


def _worst_lines(name: str, tables: Sequence[Json]) -> list[str]:
    """Least PSNR gain for each degradation; bold where that is no chance, or a loss."""
    found = []
    for table in tables:
        worst = table["worst"]
        if worst is None:
            continue
        who = f"{table['degradation']}: {table['by']} {worst['group']}"
        text = f"{who} {worst['psnr_gain']:+.2f} dB, {worst['gap']:.2f} behind the others"
        found.append(f"**{text}**" if worst["beyond_chance"] or worst["psnr_gain"] < 0 else text)
    if not found:
        return [f"Worst group of {name}: no two groups of at least {SMALLEST} faces to compare."]
    return [
        f"Worst group of {name} (of those with at least {SMALLEST} faces; bold: beyond chance, or a loss): {'; '.join(found)}."
    ]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, digits: int, *, sign: bool = False) -> str:
    return "" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"
