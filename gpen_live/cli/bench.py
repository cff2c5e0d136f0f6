"""`gpen-live bench`: what this machine does in which time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpen_live.cli.interrupt import on_interrupt
from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.frame import Size
from gpen_live.look import Beauty
from gpen_live.messages import message
from gpen_live.options import DEVICE, MODEL, SizeType, beauty_options, check_writable
from gpen_live.presets import name_of

if TYPE_CHECKING:
    from rich.console import Console

    from gpen_live.bench.measure import Measurement
    from gpen_live.bench.results import Bench

_PARTS = ("networks", "stages", "flow", "memory")


@click.command(name="bench")
@click.option(
    "--model", "models", type=MODEL, multiple=True, help="One or more networks.", show_default="all; a few with --quick"
)
@click.option("--device", type=DEVICE, default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--size", type=SizeType(), default="1280x720", show_default=True, help="Size of the frames.")
@click.option("--frames", type=click.Path(path_type=Path), help="A video to use in place of the demo camera.")
@click.option(
    "--mode", "modes", type=click.Choice(["roi", "full"]), multiple=True, help="Mode of the frame path.", show_default="both"
)
@click.option("--only", "parts", type=click.Choice(_PARTS), multiple=True, help="Measure only this.", show_default="everything")
@beauty_options("off")
@click.option("--quick", is_flag=True, help="Take about a quarter of the time, for less certain figures.")
@click.option(
    "--against",
    metavar="upstream=DIR",
    help="Also time upstream's network, from a checkout of yangxy/GPEN in DIR. Runs its code, in a separate process.",
)
@click.option("--json", "--report", "report", type=click.Path(path_type=Path), help="Write all figures to this JSON file.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables to this Markdown file.")
@click.option("--chart", type=click.Path(path_type=Path), help="Draw the figures as a chart in this PNG file.")
@click.option(
    "--load", type=click.Path(path_type=Path), help="Don't measure: show, write or draw the JSON file of an earlier run."
)
def command(
    *,
    models: tuple[str, ...],
    device: str,
    size: Size,
    frames: Path | None,
    modes: tuple[str, ...],
    parts: tuple[str, ...],
    beauty: Beauty,
    quick: bool,
    against: str | None,
    report: Path | None,
    markdown: Path | None,
    chart: Path | None,
    load: Path | None,
) -> int:
    """Measure the networks and the frame path on this machine: latency by stage, throughput, memory and startup.

    Ctrl-C stops early; what has been measured is shown and written.
    """
    _check_outputs(report, markdown, chart)
    if load is not None:
        from gpen_live.bench.results import read

        _tell(read(load), report, markdown, chart)
        return 0
    upstream = None
    if against is not None:
        from gpen_live.bench.upstream import check_against

        upstream = check_against(against)
    if frames is not None:
        from gpen_live.sources import check_spec

        check_spec(str(frames))
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="gpen-live-bench-") as folder:
        with console.status(message("cli.loading_pytorch").text):
            from gpen_live.bench.measure import ALL, FEW, Measurement, Options
            from gpen_live.look import Mode

            options = Options(
                models=list(dict.fromkeys(models)) or (FEW if quick else ALL),
                modes=[Mode(mode) for mode in dict.fromkeys(modes)] or (Mode.ROI, Mode.FULL),
                parts=parts or _PARTS,
                device=device,
                size=size,
                source="demo" if frames is None else str(frames),
                quick=quick,
                upstream=upstream,
                beauty=beauty,
                beauty_name=name_of(beauty),
            )
            measurement = Measurement(options, Path(folder))
        _announce(console, options.models, measurement, upstream)
        _measure(console, measurement)
    _tell(measurement.bench, report, markdown, chart)
    if measurement.bench.failures:
        raise GpenLiveError("bench.incomplete", failures=" ".join(measurement.bench.failures))
    return 0


def _check_outputs(report: Path | None, markdown: Path | None, chart: Path | None) -> None:
    """Before minutes of work, not after them."""
    outputs = [path for path in (report, markdown, chart) if path]
    for path in outputs:
        check_writable(path)
    if chart is not None and chart.suffix.lower() != ".png":
        raise UsageError("file.not_png", path=chart)
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise UsageError("bench.same_file")


def _announce(console: Console, models: Sequence[str], measurement: Measurement, upstream: Path | None) -> None:
    from gpen_live.bench.plan import in_words, total

    bench = measurement.bench
    told = [message("bench.measuring", models=", ".join(models), device=bench.device, size=bench.frame_size)]
    if upstream is not None:
        told.append(message("bench.foreign_code", folder=upstream))
    told.append(message("bench.duration", duration=in_words(total(measurement.steps))))
    for each in told:
        console.print(each.text)


def _measure(console: Console, measurement: Measurement) -> None:
    """Runs all steps, with a bar; Ctrl-C ends them in order."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from gpen_live.bench.plan import run, total

    interrupted = on_interrupt()
    start = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total(measurement.steps))

        def going(done: float, what: str) -> bool:
            bar.update(task, completed=done, description=what)
            return not interrupted.is_set()

        whole = run(measurement.steps, going)
    measurement.bench.complete = whole and not measurement.bench.failures
    measurement.bench.seconds = round(time.monotonic() - start, 1)
    if not whole:
        console.print(message("cli.interrupted").text)


def _tell(bench: Bench, report: Path | None, markdown: Path | None, chart: Path | None) -> None:
    """Tables on the terminal, files as they were asked for."""
    from rich.console import Console

    from gpen_live.bench.results import as_json
    from gpen_live.bench.show import show
    from gpen_live.live.status.report import write_report, write_whole

    show(bench, Console())
    if report is not None:
        write_report(report, as_json(bench))
    if markdown is not None:
        from gpen_live.bench.markdown import to_markdown

        write_whole(markdown, to_markdown(bench).encode())
    if chart is not None:
        from gpen_live.bench.chart import draw

        write_whole(chart, draw(bench))
