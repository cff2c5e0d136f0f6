"""The live pipeline while half of the machine is taken away: its rate and latency, with a latency budget and without one.

    python -m gpen_live.bench.pressure --model lite-256 --budget 100 --chart pressure.png

The demo camera runs on the processor, into no output. After a while one busy process for each second core, of the same priority,
takes half of the machine away, and later gives it back. Networks without weights on this machine run with untrained ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import psutil

from gpen_live.bench.weights import weights_for
from gpen_live.charts import DARK, FAINT, INK, WRONG, as_png, bare, new_figure
from gpen_live.frame import Size
from gpen_live.inference.device import cpu_name
from gpen_live.live.budget.ladder import DEFAULT_MS
from gpen_live.live.config import LiveConfig
from gpen_live.live.pacing.clock import now
from gpen_live.live.pipeline import LivePipeline
from gpen_live.live.status.report import write_whole
from gpen_live.models.registry import get
from gpen_live.options import MODEL, SizeType, check_writable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES: Final = ("before", "half taken away", "after")
_SETTLED_S: Final = 5.0  # of a phase that its summary leaves out: what it takes to adapt is seen in the chart
_WARM_S: Final = 4.0
_LATEST_START_S: Final = 180.0
_COLOURS: Final = {True: DARK, False: WRONG}
_BAND: Final = "#fdebd8"


@dataclass(frozen=True)
class Second:
    """One second of a run, `at` seconds from its start: fresh frames at the output, latency in milliseconds, things given up."""

    at: float
    fresh_fps: float
    p50_ms: float
    p95_ms: float
    level: int


@dataclass(frozen=True)
class Summary:
    """A phase once it has settled; `enhanced_fps` of the fresh frames had an enhanced face."""

    phase: str
    fresh_fps: float
    enhanced_fps: float
    p50_ms: float
    p95_ms: float
    level: int
    given_up: str


@dataclass
class Run:
    """One way through all phases, with a budget in milliseconds or without one (0)."""

    budget_ms: float
    seconds: list[Second] = field(default_factory=list)
    phases: list[Summary] = field(default_factory=list)


@click.command()
@click.option("--model", type=MODEL, default="lite-256", show_default=True)
@click.option("--size", type=SizeType(), default="1280x720", show_default=True)
@click.option("--fps", type=click.FloatRange(5, 120), default=30.0, show_default=True)
@click.option("--budget", type=click.FloatRange(1, 5000), default=DEFAULT_MS, show_default=True, metavar="MS")
@click.option("--seconds", type=click.IntRange(8), default=20, show_default=True, help="For each of the three phases.")
@click.option("--chart", type=click.Path(path_type=Path), help="Draw what was measured into this PNG file.")
def command(*, model: str, size: Size, fps: float, budget: float, seconds: int, chart: Path | None) -> None:
    """Measure what a latency budget is worth when half of the processor is taken away."""
    if chart is not None:
        check_writable(chart)
    click.echo(f"{model}, {size} at {fps:g} fps, on {cpu_name()} with {os.cpu_count()} threads; load before: {_load()}")
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        weights, own = weights_for(get(model), Path(folder))
        for budget_ms in (0.0, budget):
            config = LiveConfig(
                size=size, fps=fps, model=model, weights=None if own else weights, device="cpu", budget_ms=budget_ms
            )
            runs.append(measure(config, seconds))
            click.echo("\n" + table(runs[-1]))
    if chart is not None:
        title = f"{model}, {size} at {fps:g} fps, {cpu_name()}, {os.cpu_count()} threads"
        write_whole(chart, draw(runs, title, seconds, fps))


def measure(config: LiveConfig, seconds: int) -> Run:
    """One run through all phases, `seconds` each."""
    run, pipeline = Run(config.budget_ms), LivePipeline(config)
    pipeline.start(wait_for_model=True)
    try:
        _wait_until_warm(pipeline)
        start = now()
        for number, phase in enumerate(PHASES):
            with _half_the_machine(taken=number == 1):
                begun = now()
                for second in range(1, seconds + 1):
                    time.sleep(max(0.0, begun + second - now()))
                    run.seconds.append(_second(pipeline, now() - start))
                run.phases.append(_summary(pipeline, phase, begun + _SETTLED_S))
    finally:
        pipeline.stop()
    return run


def table(run: Run) -> str:
    """The phases of a run, a line each, and what was given up in words."""
    lines = [f"with a budget of {run.budget_ms:g} ms" if run.budget_ms else "without a budget"]
    lines.append(f"{'':16} {'fresh fps':>9} {'enhanced':>9} {'p50 ms':>7} {'p95 ms':>7}  level")
    for one in run.phases:
        figures = f"{one.fresh_fps:9.1f} {one.enhanced_fps:9.1f} {one.p50_ms:7.1f} {one.p95_ms:7.1f}  {one.level:5}"
        lines.append(f"{one.phase:16} {figures}  {one.given_up}".rstrip())
    return "\n".join(lines)


def _wait_until_warm(pipeline: LivePipeline) -> None:
    deadline = now() + _LATEST_START_S
    while pipeline.meters.first_sent_at is None:
        if (error := pipeline.error()) is not None:
            raise error
        if now() > deadline:
            raise TimeoutError("no frame came out")
        time.sleep(0.05)
    time.sleep(_WARM_S)


def _second(pipeline: LivePipeline, at: float) -> Second:
    since = now() - 1.0
    total = pipeline.meters.recent("end_to_end", since)
    return Second(at, pipeline.meters.rates(since).fresh, total.p50, total.p95, pipeline.snapshot().quality.level)


def _summary(pipeline: LivePipeline, phase: str, since: float) -> Summary:
    total, rates, quality = pipeline.meters.recent("end_to_end", since), pipeline.meters.rates(since), pipeline.snapshot().quality
    return Summary(
        phase, rates.fresh, rates.enhance, total.p50, total.p95, quality.level, " ".join(one.what for one in quality.given_up)
    )


@contextmanager
def _half_the_machine(*, taken: bool) -> Iterator[None]:
    """One process for each second core that does nothing but keep it busy."""
    count = max(1, (os.cpu_count() or 2) // 2) if taken else 0
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _load() -> str:
    return f"{psutil.getloadavg()[0]:.1f} processes" if hasattr(psutil, "getloadavg") else "unknown"


def draw(runs: Sequence[Run], title: str, seconds: int, fps: float) -> bytes:
    """The runs as a chart: rate, latency and level over time, the time under load shaded. A PNG."""
    figure = new_figure(11, 8.8, "Half of the machine taken away", title, head=0.9)
    rate, latency, level = figure.subplots(3, 1, sharex=True, height_ratios=(3, 4, 2))
    for run in runs:
        budget = run.budget_ms > 0
        colour, name = _COLOURS[budget], f"with a budget of {run.budget_ms:g} ms" if budget else "without a budget"
        at = [one.at for one in run.seconds]
        rate.plot(at, [one.fresh_fps for one in run.seconds], color=colour, lw=2, label=name)
        latency.plot(at, [one.p95_ms for one in run.seconds], color=colour, lw=2, label=f"p95, {name}")
        latency.plot(at, [one.p50_ms for one in run.seconds], color=colour, lw=1.2, ls=(0, (2, 2)), label=f"p50, {name}")
        level.step(at, [one.level for one in run.seconds], color=colour, lw=2, where="pre")
        if budget:
            latency.axhline(run.budget_ms, color=INK, lw=1, ls=(0, (6, 4)))
    rate.axhline(fps, color=INK, lw=1, ls=(0, (6, 4)))
    rate.set_ylim(0, 1.15 * fps)
    latency.set_ylim(0, 1.3 * latency.get_ylim()[1])  # room for the legend
    level.set_ylim(bottom=-0.3)
    _dress(rate, "Fresh frames a second at the output", seconds)
    _dress(latency, "Capture to output, ms", seconds)
    _dress(level, "Things given up", seconds)
    rate.legend(loc="lower left", frameon=False, fontsize=9, labelcolor=INK)
    latency.legend(loc="upper left", frameon=False, fontsize=9, labelcolor=INK, ncols=2)
    level.set_xlabel("seconds", color=FAINT)
    return as_png(figure)


def _dress(axes: Axes, title: str, seconds: int) -> None:
    axes.axvspan(seconds, 2 * seconds, color=_BAND, zorder=0, lw=0)
    axes.set_title(title, loc="left", size=11, color=INK)
    bare(axes, "y")
    axes.set_xlim(0, 3 * seconds)


if __name__ == "__main__":
    command()
