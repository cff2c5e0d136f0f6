"""The bench's figures as one picture that a person can read at a glance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gpen_live.bench import article
from gpen_live.bench.results import Bench
from gpen_live.bench.tables import stages_of
from gpen_live.charts import FAINT, INK, NORMAL, SMALL, as_png, bare, new_figure
from gpen_live.errors import GpenLiveError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _ROW_HEIGHT = 16.0, 0.62  # inches
_OURS, _OTHER, _THEIRS = "#1769aa", "#8fb8de", "#b0413e"
_STAGES: Final = {
    "detect": "#5b8c5a",
    "warp": "#cfd27e",
    "network": "#1769aa",
    "beauty": "#c8577a",
    "blend": "#e0a458",
    "convert": "#8d6a9f",
}
_OTHER_STAGES: Final = ("#b07aa1", "#76b7b2", "#9c755f", "#bab0ac")
_BANDS: Final = {"fluent": "#e5f4e6", "acceptable": "#fbf6dc", "stuttering": "#fdebd8", "unusable": "#fbdfdd"}
_ROOM = 2.6  # factor kept free beside the outermost mark of a logarithmic axis, for its number

Row = tuple[str, float, float, str]
"""A network, two figures to link, and what is written after them."""


def draw(bench: Bench) -> bytes:
    """The chart as a PNG.

    Raises:
        GpenLiveError: nothing was measured that could be drawn, or the library that draws is missing.
    """
    return as_png(make_figure(bench))


def make_figure(bench: Bench) -> Figure:
    """The chart: a panel for each part that was measured, two beside each other.

    Raises:
        GpenLiveError: as `draw`.
    """
    panels = [(rows, panel) for rows, panel in _panels(bench) if rows]
    if not panels:
        raise GpenLiveError("bench.nothing_to_draw")
    heights = [1.9 + _ROW_HEIGHT * max(rows for rows, _ in panels[i : i + 2]) for i in range(0, len(panels), 2)]
    top = sum(heights) + 1.0
    figure = new_figure(_WIDTH, top, f"GPEN Live on {bench.device}", _subtitle(bench), head=0.75)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    for place, (_, panel) in enumerate(panels):
        whole_line = place == len(panels) - 1 and place % 2 == 0
        axes = figure.add_subplot(grid[place // 2, :] if whole_line else grid[place // 2, place % 2])
        bare(axes, "x")
        panel(axes, bench)
    return figure


def _panels(bench: Bench) -> list[tuple[int, Callable[[Axes, Bench], None]]]:
    """All panels, each with the number of its rows; none where that was not measured."""
    frames = [path for path in bench.paths if path.mode == "roi"]
    return [
        (max(len(bench.networks), len(frames)), _latency),
        (len(frames), _shares),
        (len(_face_and_full(bench)), _roi),
        (len(bench.flows), _flow),
        (len(bench.rivals), _rival),
    ]


def _subtitle(bench: Bench) -> str:
    parts = [f"frames of {bench.frame_size}, {bench.source}", "medians, one face", f"version {bench.version}"]
    parts += ["quick run"] * bench.quick + ["INCOMPLETE"] * (not bench.complete)
    return "  ·  ".join(parts)


def _latency(axes: Axes, bench: Bench) -> None:
    """Network alone and whole frame of each network, over the article's grades; its own figures as diamonds."""
    network = {one.model: one.network_ms.p50 for one in bench.networks}
    frame = {path.model: path.frame_ms.p50 for path in bench.paths if path.mode == "roi" and path.beauty == "off"}
    models = [model for model in bench.models if model in network or model in frame]
    theirs = {model: ms for model, ms in article.FRAME_MS.items() if model in models}
    words = [1.6 * ms for ms in theirs.values()]  # "over 1000" is longer than a number
    _logarithmic(axes, [*network.values(), *frame.values(), *words, article.LIMITS_MS["stuttering"] * 1.5])
    _bands(axes)
    for place, model in enumerate(models):
        found = [(one[model], colour) for one, colour in ((network, _OTHER), (frame, _OURS)) if model in one]
        axes.plot([ms for ms, _ in found], [place] * len(found), color=_OTHER, lw=5, solid_capstyle="round", zorder=2)
        for i, (ms, colour) in enumerate(sorted(found)):
            _mark(axes, ms, place, colour, _number(ms), left=i == 0 and len(found) > 1)
        if model in theirs:
            axes.plot(theirs[model], place + 0.3, "D", color=_THEIRS, ms=6, zorder=3)
            text = f" {article.frame_text(model)}"
            axes.annotate(
                text, (theirs[model], place + 0.3), (6, 0), textcoords="offset points", size=8.5, color=_THEIRS, va="center"
            )
    _rows(axes, models)
    _title(axes, "Latency in ms (logarithmic)")
    legend = [("o", _OTHER, "network alone"), ("o", _OURS, "whole frame"), ("D", _THEIRS, f"whole frame, {article.DEVICE}")]
    _legend(axes, legend if theirs else legend[:2])


def _bands(axes: Axes) -> None:
    """The article's grades as stripes behind, each with its word at the top and its limit at the foot."""
    low, high = axes.get_xlim()
    for grade, colour in _BANDS.items():
        end = float(article.LIMITS_MS.get(grade, high))
        start = max(low, max((limit for limit in article.LIMITS_MS.values() if limit < end), default=low))
        if grade == "fluent":
            start = low
        axes.axvspan(start, min(end, high), color=colour, zorder=0, lw=0)
        middle = (start * min(end, high)) ** 0.5
        slim = grade in ("acceptable", "stuttering")
        axes.text(
            middle,
            0.985,
            grade,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="top",
            size=8.5,
            color=FAINT,
            rotation=90 if slim else 0,
        )
    for limit in article.LIMITS_MS.values():
        axes.axvline(limit, color=FAINT, lw=0.8, ls=(0, (3, 3)), zorder=1)


def _shares(axes: Axes, bench: Bench) -> None:
    """Where the time of a frame goes: each stage's share, and the whole in milliseconds."""
    paths = [path for path in bench.paths if path.mode == "roi"]
    spare = itertools.cycle(_OTHER_STAGES)
    colours = {stage: _STAGES.get(stage) or next(spare) for stage in stages_of(bench)}
    for place, path in enumerate(paths):
        stages = {stage: path.stages_ms[stage].p50 for stage in colours if stage in path.stages_ms}
        whole, start = sum(stages.values()), 0.0
        for stage, ms in stages.items():
            share = 100 * ms / whole
            axes.barh(place, share, left=start, height=0.56, color=colours[stage], edgecolor="white", lw=1)
            if share >= 9:
                colour = INK if stage in ("warp", "blend") else "white"
                axes.text(start + share / 2, place, _number(ms), ha="center", va="center", size=SMALL, color=colour)
            start += share
        axes.text(101.5, place, f"{_number(path.frame_ms.p50)} ms", va="center", size=NORMAL, color=INK, weight="bold")
    axes.set_xlim(0, 116)
    axes.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
    _rows(axes, [path.model if path.beauty == "off" else f"{path.model}\n{path.beauty}" for path in paths])
    _title(axes, "Where the time of a frame goes, face mode (ms in the bars)")
    _legend(axes, [("s", colour, stage) for stage, colour in colours.items()])


def _face_and_full(bench: Bench) -> list[Row]:
    rows = []
    for model in bench.models:
        face, full = bench.path(model, "roi"), bench.path(model, "full")
        if face is not None and full is not None:
            factor = full.frame_ms.p50 / face.frame_ms.p50
            rows.append((model, face.frame_ms.p50, full.frame_ms.p50, f"{factor:.1f}x"))
    return rows


def _roi(axes: Axes, bench: Bench) -> None:
    _dumbbells(axes, _face_and_full(bench), "full : face")
    _title(axes, "Whole frame in ms (logarithmic): the face alone, or the full frame")
    _legend(axes, [("o", _OURS, "face"), ("o", _OTHER, "full frame")])


def _flow(axes: Axes, bench: Bench) -> None:
    feeds = {"raw": "from memory", "MJPG": "from JPEG"}
    rows = [
        (f"{flow.model}\n{feeds[flow.feed]}", flow.pipelined_fps, flow.serial_fps, f"{flow.gain_percent:+.0f} %")
        for flow in bench.flows
    ]
    _dumbbells(axes, rows, "gain")
    _title(axes, "Frames a second (logarithmic): one after the other, or pipelined")
    _legend(axes, [("o", _OTHER, "one after the other"), ("o", _OURS, "pipelined")])


def _rival(axes: Axes, bench: Bench) -> None:
    rows = [(one.model, one.ours_ms.p50, one.upstream_ms.p50, f"{one.ratio:.1f}x") for one in bench.rivals]
    _dumbbells(axes, rows, "faster")
    _title(axes, "The network alone in ms (logarithmic): ours, or upstream's")
    _legend(axes, [("o", _OURS, "ours"), ("o", _OTHER, "upstream, fp32")])


def _dumbbells(axes: Axes, rows: Sequence[Row], difference: str) -> None:
    """Two figures a network, linked, ours dark; their numbers on the outer sides, the difference, so called, at the right."""
    _logarithmic(axes, [value for _, one, other, _ in rows for value in (one, other)])
    for place, (_, ours, other, text) in enumerate(rows):
        axes.plot([ours, other], [place, place], color=_OTHER, lw=5, alpha=0.6, solid_capstyle="round", zorder=2)
        _mark(axes, other, place, _OTHER, _number(other), left=other < ours)
        _mark(axes, ours, place, _OURS, _number(ours), left=ours <= other)
        axes.text(
            1.015,
            place,
            text,
            transform=axes.get_yaxis_transform(),
            va="center",
            size=NORMAL,
            color=INK,
            weight="bold",
            clip_on=False,
        )
    _rows(axes, [row[0] for row in rows])
    axes.text(1.015, 1.0, difference, transform=axes.transAxes, va="bottom", size=SMALL, color=FAINT)


def _mark(axes: Axes, value: float, place: float, colour: str, text: str, *, left: bool = False) -> None:
    """A dot with its number beside it."""
    axes.plot(value, place, "o", color=colour, ms=10, mec="white", mew=1.2, zorder=4)
    axes.annotate(
        text,
        (value, place),
        (-9 if left else 9, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        size=SMALL,
        color=INK,
        zorder=5,
    )


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", size=12.5, weight="bold", color=INK, pad=30)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, size=NORMAL, color=INK)
    axes.set_ylim(len(names) - 0.4, -0.75)


def _logarithmic(axes: Axes, values: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(min(values) / _ROOM, max(values) * _ROOM)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _legend(axes: Axes, entries: Sequence[tuple[str, str, str]]) -> None:
    """Marks and their meaning between title and rows."""
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], marker=mark, color=colour, ls="", ms=8) for mark, colour, _ in entries]
    axes.legend(
        marks,
        [text for _, _, text in entries],
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=len(entries),
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        borderaxespad=0.2,
        handletextpad=0.2,
        columnspacing=1.2,
    )


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
