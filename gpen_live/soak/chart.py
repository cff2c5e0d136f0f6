"""A soak as one picture: what was promised and what became of it, and below it the hours, with every fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gpen_live.charts import DARK, FAINT, GRID, INK, LIGHT, SMALL, WRONG, as_png, bare, new_figure
from gpen_live.errors import GpenLiveError
from gpen_live.soak.results import Sample, Soak
from gpen_live.soak.show import heading
from gpen_live.soak.verdicts import MEMORY_MB, Verdict, growth, judge

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 16.0  # inches
_LINE, _FAULT = 0.30, 0.27  # inches a verdict, a kind of fault
_MIDDLE, _RIGHT, _UNSURE = "#4f94cd", "#3d7f4c", "#b07a1e"
_COLOURS = {True: _RIGHT, False: WRONG, None: _UNSURE}
_WORDS = {True: "held", False: "NOT HELD", None: "can't tell"}


def draw(soak: Soak) -> bytes:
    """The chart as a PNG.

    Raises:
        GpenLiveError: nothing was measured that could be drawn, or the library that draws is missing.
    """
    return as_png(make_figure(soak))


def make_figure(soak: Soak) -> Figure:
    """The chart: verdicts, then memory, latency, frames, handles and load over time, and the faults.

    Raises:
        GpenLiveError: as `draw`.
    """
    if len(soak.samples) < 2:
        raise GpenLiveError("soak.nothing_to_draw")
    verdicts = judge(soak)
    kinds = list(dict.fromkeys(one.kind for one in soak.events))
    panels: list[tuple[float, Callable[[Axes, Soak], None]]] = [
        (2.1, _memory),
        (2.1, _latency),
        (1.9, _frames),
        (1.7, _leaks),
        (1.5, _load),
        *([(0.7 + _FAULT * len(kinds), _events)] if kinds else []),
    ]
    heights = [height for height, _ in panels]
    head = 1.15 + _LINE * len(verdicts)
    top = sum(heights) + head + 0.5
    subtitle = f"{heading(soak)} Version {soak.version}, seed {soak.seed}."
    figure = new_figure(_WIDTH, top, f"GPEN Live soak: {_outcome(verdicts)}", subtitle, head)
    _write_verdicts(figure, verdicts, top)
    grid = figure.add_gridspec(len(panels), 1, height_ratios=heights)
    first: Axes | None = None
    for place, (_, panel) in enumerate(panels):
        axes = figure.add_subplot(grid[place], sharex=first)
        first = first or axes
        bare(axes, "y")
        _shade(axes, soak)
        panel(axes, soak)
        axes.tick_params(labelbottom=place == len(panels) - 1)
    assert first is not None
    _time_axis(figure.axes[-1], soak)
    return figure


def _outcome(verdicts: Sequence[Verdict]) -> str:
    wrong = sum(one.held is False for one in verdicts)
    unsure = sum(one.held is None for one in verdicts)
    said = (
        f"{wrong} of {len(verdicts)} promises not held" if wrong else "All promises held" if not unsure else "No promise broken"
    )
    return f"{said}, {unsure} can't be told" if unsure else said


def _write_verdicts(figure: Figure, verdicts: Sequence[Verdict], top: float) -> None:
    for place, one in enumerate(verdicts):
        y = 1 - (1.08 + _LINE * place) / top
        colour = _COLOURS[one.held]
        figure.text(0.015, y, _WORDS[one.held], size=SMALL, weight="bold", color=colour, va="center")
        figure.text(0.075, y, one.promise, size=SMALL, color=INK, va="center")
        figure.text(0.56, y, _short(one.figure), size=SMALL, color=INK if one.held else colour, va="center")


def _memory(axes: Axes, soak: Soak) -> None:
    _line(axes, soak, lambda one: one.memory_mb, DARK)
    found = growth(soak.settled, lambda one: one.memory_mb)
    if found is not None:
        unit, _ = _unit(soak)
        third = len(soak.settled) // 3
        colour = _RIGHT if found.over_all < MEMORY_MB else WRONG
        for part, least in ((soak.settled[:third], found.first), (soak.settled[-third:], found.last)):
            start, end = part[0].at_s / unit, part[-1].at_s / unit
            axes.plot([start, end], [least, least], color=colour, lw=2.5, zorder=3)
            axes.annotate(
                f"the least: {least:.0f}",
                ((start + end) / 2, least),
                (0, -12),
                textcoords="offset points",
                ha="center",
                va="center",
                size=SMALL,
                color=colour,
            )
        _label(axes, found.last, f"{found.over_all:+.1f} MB", colour)
    legend, values = [(DARK, "resident")], [one.memory_mb for one in soak.samples]
    if any(one.gpu_mb for one in soak.samples):
        _line(axes, soak, lambda one: one.gpu_mb, LIGHT)
        legend.append((LIGHT, "on the graphics card"))
        values += [one.gpu_mb for one in soak.samples]
    _room_above(axes, values, 25.0)
    _title(axes, "Memory in MB", legend)


def _latency(axes: Axes, soak: Soak) -> None:
    unit, _ = _unit(soak)
    at = [one.at_s / unit for one in soak.latencies]
    for values, colour, width in (
        ([one.p99_ms for one in soak.latencies], LIGHT, 1.6),
        ([one.p95_ms for one in soak.latencies], _MIDDLE, 1.6),
        ([one.p50_ms for one in soak.latencies], DARK, 2.0),
    ):
        axes.plot(at, values, color=colour, lw=width, marker="o", ms=3)
    axes.set_ylim(0, 1.15 * max((one.p99_ms for one in soak.latencies), default=1.0))
    _title(axes, "Latency in ms, source to sink, without faults", [(DARK, "p50"), (_MIDDLE, "p95"), (LIGHT, "p99")])


def _frames(axes: Axes, soak: Soak) -> None:
    _line(axes, soak, lambda one: one.fresh / one.seconds, LIGHT)
    _line(axes, soak, lambda one: one.sent / one.seconds, DARK)
    axes.set_ylim(0, 1.2 * soak.fps)
    _title(axes, "Frames a second at the output", [(DARK, "all"), (LIGHT, "new ones")])


def _leaks(axes: Axes, soak: Soak) -> None:
    _line(axes, soak, lambda one: one.threads, DARK)
    _line(axes, soak, lambda one: one.handles, LIGHT)
    _line(axes, soak, lambda one: one.children, FAINT)
    axes.set_ylim(-0.5, 1.25 * max(max(one.threads, one.handles) for one in soak.samples) + 1)
    _title(axes, "Held by the process", [(DARK, "threads"), (LIGHT, "open handles"), (FAINT, "child processes")])


def _load(axes: Axes, soak: Soak) -> None:
    unit, _ = _unit(soak)
    at = [one.at_s / unit for one in soak.samples]
    own, all_of_it = ([100 * value(one) for one in soak.samples] for value in (_own, _all))
    axes.fill_between(at, 0, own, color=DARK, lw=0, alpha=0.75)
    axes.fill_between(at, own, [max(one, other) for one, other in zip(own, all_of_it, strict=True)], color=GRID, lw=0)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 50, 100], ["0", "50 %", "100 %"])
    _title(axes, "Load of the machine", [(DARK, "GPEN Live"), (GRID, "other programs")])


def _own(sample: Sample) -> float:
    return sample.own


def _all(sample: Sample) -> float:
    return sample.load


def _events(axes: Axes, soak: Soak) -> None:
    """A row for each kind of fault: a grey bar while it lasts, then a dot when all is well again, red where that was too late."""
    unit, _ = _unit(soak)
    kinds = sorted({one.kind for one in soak.events})
    for one in soak.events:
        y = kinds.index(one.kind)
        late = one.helped or one.back_s is None or one.back_s > one.limit_s
        start, over = one.at_s / unit, (one.at_s + one.seconds) / unit
        back = over if one.back_s is None else over + one.back_s / unit
        axes.plot([start, over], [y, y], color=LIGHT, lw=7, solid_capstyle="butt", zorder=2)
        axes.plot([over, back], [y, y], color=WRONG if late else _RIGHT, lw=2.5, zorder=3)
        axes.plot(
            back, y, "X" if one.back_s is None else "o", color=WRONG if late else _RIGHT, ms=6, mec="white", mew=0.8, zorder=4
        )
    for y, kind in enumerate(kinds):
        backs = [one.back_s for one in soak.events if one.kind == kind]
        slowest = "never" if None in backs else f"{max(back for back in backs if back is not None):.2f} s"
        axes.text(1.008, y, slowest, transform=axes.get_yaxis_transform(), va="center", size=SMALL, color=INK, clip_on=False)
    axes.text(1.008, 1.03, "at most", transform=axes.transAxes, va="bottom", size=SMALL, color=FAINT)
    axes.set_yticks(range(len(kinds)), kinds, color=INK)
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    _title(axes, "Faults", [(LIGHT, "while it lasts"), (_RIGHT, "well again in time"), (WRONG, "too late, or by hand")])


def _line(axes: Axes, soak: Soak, quantity: Callable[[Sample], float], colour: str) -> None:
    unit, _ = _unit(soak)
    axes.plot([one.at_s / unit for one in soak.samples], [quantity(one) for one in soak.samples], color=colour, lw=1.6)


def _shade(axes: Axes, soak: Soak) -> None:
    """The warm-up grey; faults as faint stripes through every panel."""
    unit, _ = _unit(soak)
    warm = (soak.warm_s if soak.warm_s is not None else soak.samples[-1].at_s) / unit
    axes.axvspan(0, warm, color="#f3f5f7", lw=0, zorder=0)
    for one in soak.events:
        axes.axvspan(
            one.at_s / unit, (one.at_s + one.seconds + (one.back_s or 0)) / unit, color="#e9c9a0", alpha=0.35, lw=0, zorder=0
        )
    axes.set_xlim(0, soak.samples[-1].at_s / unit)


def _time_axis(axes: Axes, soak: Soak) -> None:
    _, name = _unit(soak)
    axes.set_xlabel(
        f"{name} since the start (grey: warm-up, until each fault has happened some times; stripes: faults)", color=FAINT
    )


def _unit(soak: Soak) -> tuple[float, str]:
    """Seconds in the unit of the time axis, and its name."""
    seconds = soak.samples[-1].at_s
    return (1.0, "Seconds") if seconds < 180 else (60.0, "Minutes") if seconds < 2.5 * 3600 else (3600.0, "Hours")


def _room_above(axes: Axes, values: Sequence[float], least: float) -> None:
    low, high = min(values), max(values)
    room = max(least - (high - low), 0.1 * (high - low)) / 2
    axes.set_ylim(low - 2 * room, high + room)


def _label(axes: Axes, y: float, text: str, colour: str) -> None:
    axes.text(1.008, y, text, transform=axes.get_yaxis_transform(), va="center", size=SMALL, color=colour, clip_on=False)


def _title(axes: Axes, text: str, legend: Sequence[tuple[str, str]]) -> None:
    """The panel's name at the left, what its colours mean at the right."""
    from matplotlib.lines import Line2D

    axes.set_title(text, loc="left", size=12, weight="bold", color=INK, pad=8)
    axes.legend(
        [Line2D([], [], color=colour, lw=5) for colour, _ in legend],
        [name for _, name in legend],
        loc="lower right",
        bbox_to_anchor=(1, 1.0),
        ncols=len(legend),
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        borderaxespad=0.2,
        handlelength=1.0,
    )


def _short(text: str, most: int = 112) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
