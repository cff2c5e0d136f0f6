"""`gpen-live soak`: whether it stays as it is, for hours, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpen_live.cli.interrupt import on_interrupt
from gpen_live.errors import UsageError
from gpen_live.frame import Size
from gpen_live.messages import message
from gpen_live.options import DEVICE, MODEL, FiniteRange, SizeType, check_weights, check_writable

if TYPE_CHECKING:
    from gpen_live.soak.results import Soak
    from gpen_live.soak.run import Options

_SMALLEST = Size(256, 144)


class _Faults(click.ParamType):
    """Faults an hour, or "none"."""

    name = "N|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return 0.0 if value == "none" else float(FiniteRange(1, 3600).convert(value, param, ctx))


@click.command(name="soak")
@click.option("--hours", type=FiniteRange(0.002, 1000), default=1, show_default=True, help="How long to run, in real time.")
@click.option("--source", default="demo", show_default=True, help="demo, a video FILE, camera:N or /dev/videoN.")
@click.option("--sink", default="none", show_default=True, help="none, a FILE.mp4 to record to, vcam or vcam:DEVICE.")
@click.option("--size", type=SizeType(), default="1280x720", show_default=True, help="Size of the frames.")
@click.option("--model", type=MODEL, default="lite-256", show_default=True, help="See `gpen-live models list`.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights to use in place of the model's own.")
@click.option("--device", type=DEVICE, default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--speed",
    type=FiniteRange(1, 8),
    default=1,
    show_default=True,
    help="This many times as many frames in the same time.",
)
@click.option(
    "--faults",
    type=_Faults(),
    default="60",
    show_default=True,
    help="Faults per hour, after a warm-up in which each happens once; or none.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="A different seed means other faults at other times."
)
@click.option("--json", "--report", "report", type=click.Path(path_type=Path), help="Write all figures to this JSON file.")
@click.option("--chart", type=click.Path(path_type=Path), help="Draw the run as a chart in this PNG file.")
@click.option("--load", type=click.Path(path_type=Path), help="Don't run: show, write or draw the JSON file of an earlier run.")
def command(
    *,
    hours: float,
    source: str,
    sink: str,
    size: Size,
    model: str,
    weights: Path | None,
    device: str,
    speed: float,
    faults: float,
    seed: int,
    report: Path | None,
    chart: Path | None,
    load: Path | None,
) -> int:
    """Run the live path for hours while camera, network and output are made to fail, and judge how it copes.

    The exit code is 1 if a promise was broken. Ctrl-C stops early and keeps what has been measured.
    """
    _check_outputs(report, chart)
    if load is not None:
        from gpen_live.soak.results import read

        return _tell(read(load), report, chart)
    from gpen_live.sinks import check_spec as check_sink
    from gpen_live.sources import check_spec as check_source

    check_source(source)
    check_sink(sink)
    check_weights(model, weights)
    if size.width < _SMALLEST.width or size.height < _SMALLEST.height:
        raise UsageError("soak.too_small", size=size, smallest=_SMALLEST)
    from gpen_live.soak.run import Options

    options = Options(
        seconds=hours * 3600,
        source=source,
        sink=sink,
        size=size,
        model=model,
        weights=weights,
        device=device,
        speed=speed,
        faults_per_hour=faults,
        seed=seed,
    )
    return _tell(_run(options), report, chart)


def _check_outputs(report: Path | None, chart: Path | None) -> None:
    """Before hours of work, not after them."""
    for path in (report, chart):
        if path is not None:
            check_writable(path)
    if chart is not None and chart.suffix.lower() != ".png":
        raise UsageError("file.not_png", path=chart)


def _run(options: Options) -> Soak:
    """Runs it, with a bar and the worst figures so far; Ctrl-C ends it in order."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    from gpen_live.soak.run import Soaking
    from gpen_live.soak.show import worst

    console = Console(stderr=True, highlight=False)
    interrupted = on_interrupt()
    soaking = Soaking(options)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bar, figures = Progress(*columns), Text()
    task = bar.add_task("", total=options.seconds)

    def going(soak: Soak, passed: float, what: str) -> bool:
        bar.update(task, completed=passed, description=what)
        figures.plain = worst(soak)
        return not interrupted.is_set()

    with Live(Group(bar, figures), console=console, transient=True):
        soaking.run(going)
    if interrupted.is_set():
        console.print(message("soak.interrupted").text)
    return soaking.soak


def _tell(soak: Soak, report: Path | None, chart: Path | None) -> int:
    """Verdicts on the terminal, files as they were asked for; the exit code."""
    from rich.console import Console

    from gpen_live.live.status.report import write_report, write_whole
    from gpen_live.soak.show import show
    from gpen_live.soak.verdicts import as_json, judge

    show(soak, Console())
    if report is not None:
        write_report(report, as_json(soak))
    if chart is not None:
        from gpen_live.soak.chart import draw

        write_whole(chart, draw(soak))
    return int(any(one.held is False for one in judge(soak)))
