"""The detectors' measurements as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpen_live.faces.detect import Floats
from gpen_live.training.detector_bench import WEBCAM_HEIGHTS, Pictures
from gpen_live.training.detector_sweep import Booleans, Sweep


@dataclass(frozen=True)
class SceneResult:
    """One detector on the scenes: all its detections, and those at the score (and averaging) that the live path asks for."""

    name: str
    customary: tuple[float, ...]
    swept: Sweep
    used: Sweep


@dataclass(frozen=True)
class StillResult:
    """On still films: share of frames with the face `found`; landmarks' wander and error in distances of the eyes."""

    found: float
    wander: float
    error: float


@dataclass(frozen=True)
class ClipResult:
    """One detector on one clip: faces in each frame for each customary score, how many there are (if known), and the shake."""

    clip: str
    name: str
    known: int | None
    customary: tuple[float, ...]
    counts: list[list[int]]
    shake: float


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float, decimals: int = 1) -> str:
    """A share, 0..1, in percent; a dash where there is none."""
    return "–" if np.isnan(share) else f"{100 * share:.{decimals}f} %"


def scene_table(results: Sequence[SceneResult], pictures: Pictures) -> str:
    """Recall and precision in webcam range and of all faces: at customary scores, at the best F1's, and on average."""
    rows = []
    everything = np.ones(len(pictures.heights), dtype=np.bool_)
    for place, wanted, heights in (("webcam", pictures.webcam, WEBCAM_HEIGHTS), ("all", everything, (0.0, np.inf))):
        for result in results:
            rates = [result.swept.rate(threshold, wanted, heights) for threshold in result.customary]
            best = result.swept.best(wanted, heights)
            cells = [f"{percent(rate.recall)}, {percent(rate.precision)} ({rate.threshold:g})" for rate in rates]
            cells += [f"{percent(best.recall)}, {percent(best.precision)} ({best.threshold:.2f})"]
            rows.append([place, result.name, *cells, percent(result.swept.average_precision(wanted, heights))])
    counts = f"{len(pictures.frames)} scenes, {len(everything)} faces, {int(pictures.webcam.sum())} of them in webcam range"
    head = ["faces", "detector", "recall, precision (score)", "the same, stricter", "at the best F1", "average precision"]
    return f"{counts}\n\n{table(head, rows)}"


def shared_offsets(results: Sequence[SceneResult], wanted: Booleans) -> list[Floats]:
    """For each detector, K x 5 x 2: by how much it misses the landmarks of the K wanted faces that every detector found."""
    found = [result.used.hits_on(wanted, 0.0) for result in results]
    shared = sorted(set.intersection(*(set(hits) for hits in found)))
    return [np.array([hits[face] for face in shared], dtype=np.float64).reshape(-1, 5, 2) for hits in found]


def landmark_table(results: Sequence[SceneResult], pictures: Pictures) -> str:
    """Landmark errors of the faces that all detectors found."""
    rows = []
    for place, wanted in (("webcam", pictures.webcam), ("all", np.ones(len(pictures.heights), dtype=np.bool_))):
        for result, offsets in zip(results, shared_offsets(results, wanted), strict=True):
            errors = np.linalg.norm(offsets, axis=2).mean(axis=1)
            # What a detector's idea of a landmark differs from the annotation's on every face alike is no inaccuracy.
            apart = np.linalg.norm(offsets - offsets.mean(axis=0), axis=2).mean(axis=1) if len(offsets) else errors
            figures = [_mean(errors), _high(errors), _mean(apart), _high(apart)]
            rows.append([place, result.name, str(len(offsets)), *(percent(figure) for figure in figures)])
    head = ["faces", "detector", "found by all", "error, mean", "95th percentile", "mean about its own mean", "95th percentile"]
    return table(head, rows)


def condition_table(results: Sequence[SceneResult], pictures: Pictures) -> str:
    """Recall and landmark error by condition, each detector at its best F1 in webcam range; false faces where there are none."""
    scores = [result.swept.best(pictures.webcam, WEBCAM_HEIGHTS).threshold for result in results]
    rows = []
    for name, wanted in pictures.conditions().items():
        recalls = [result.swept.rate(score, wanted).recall for result, score in zip(results, scores, strict=True)]
        errors = [_mean(np.linalg.norm(offsets, axis=2).mean(axis=1)) for offsets in shared_offsets(results, wanted)]
        rows.append([name, str(int(wanted.sum())), *(percent(value) for value in (*recalls, *errors))])
    empty = pictures.empty
    false = [str(result.swept.false_on(empty, score)) for result, score in zip(results, scores, strict=True)]
    rows.append(["false faces in scenes without any", f"{int(empty.sum())} scenes", *false, *(["–"] * len(results))])
    names = [result.name for result in results]
    return table(["condition", "faces", *(f"recall: {n}" for n in names), *(f"landmark error: {n}" for n in names)], rows)


def clip_table(results: Sequence[ClipResult]) -> str:
    """Faces counted on real clips, at each customary score, and how much landmarks shake; a row for each clip."""
    names = list(dict.fromkeys(result.name for result in results))
    rows: dict[str, list[str]] = {}
    for result in results:
        known = "–" if result.known is None else str(result.known)
        row = rows.setdefault(result.clip, [result.clip, f"{known} ({len(result.counts[0])} frames)"])
        row += [" / ".join(_counted(counts, result.known) for counts in result.counts), percent(result.shake)]
    head = ["clip", "faces", *(cell for name in names for cell in (f"{name}: found", "shake"))]
    return table(head, list(rows.values()))


def _counted(counts: list[int], known: int | None) -> str:
    """How often there were how many faces, or how often the known number and how many too many."""
    numbers = np.array(counts)
    if known is None:
        return ", ".join(f"{number}: {percent(float((numbers == number).mean()))}" for number in np.unique(numbers))
    surplus = int(np.maximum(numbers - known, 0).sum())
    return f"right {percent(float((numbers == known).mean()))}" + (f", {surplus} false" if surplus else "")


def still_table(results: dict[str, StillResult], times: dict[str, float]) -> str:
    """Landmarks on still faces, and time; both as shares of upstream's, too."""
    rows = []
    for name, result in results.items():
        ratio = result.wander / results["upstream"].wander
        wander = percent(result.wander, 2) + ("" if np.isnan(ratio) else f", {ratio:.2f}")
        spent = f"{times[name]:.1f} ms, {times[name] / times['upstream']:.2f}"
        rows.append([name, percent(result.found), wander, percent(result.error), spent])
    head = [
        "detector",
        "face found",
        "landmarks wander, ratio to upstream's",
        "constant error",
        "time a frame, ratio to upstream's",
    ]
    return table(head, rows)


def study_table(
    results: Sequence[SceneResult], pictures: Pictures, still: dict[str, StillResult], times: dict[str, float]
) -> str:
    """Our detector at several input sizes, in webcam range; and how many of all faces it finds."""
    rows = []
    everything = np.ones(len(pictures.heights), dtype=np.bool_)
    for result, offsets in zip(results, shared_offsets(results, pictures.webcam), strict=True):
        rate = result.swept.rate(result.customary[0], pictures.webcam, WEBCAM_HEIGHTS)
        precision = result.swept.average_precision(pictures.webcam, WEBCAM_HEIGHTS)
        error = _mean(np.linalg.norm(offsets, axis=2).mean(axis=1))
        wander = percent(still[result.name].wander, 2)
        far = percent(result.swept.rate(result.customary[0], everything).recall)
        cells = [percent(rate.recall), percent(rate.precision), percent(precision), percent(error), far, wander]
        rows.append([result.name, *cells, f"{times[result.name]:.1f} ms"])
    counts = f"{len(pictures.frames)} scenes of {pictures.frames[0].shape[1]}x{pictures.frames[0].shape[0]}"
    head = ["longer side", "recall", "precision", "average precision", "landmark error"]
    head += ["recall of all faces", "landmarks wander", "time a frame"]
    return f"{counts}, {int(pictures.webcam.sum())} faces in webcam range\n\n{table(head, rows)}"


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _high(values: Floats) -> float:
    return float(np.percentile(values, 95)) if len(values) else float("nan")
