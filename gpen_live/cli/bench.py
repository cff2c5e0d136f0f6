"""`gpen-live bench`: what this machine does in which time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from gpen_live.cli.options import DEVICE, MODEL, check_writable


@click.command(name="bench")
@click.option("--model", "models", type=MODEL, multiple=True, help="One or more models; by default lite-256, gpen-256, gpen-512.")
@click.option("--device", type=DEVICE, default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--report", type=click.Path(path_type=Path), help="Write all figures to this JSON file.")
def command(*, models: tuple[str, ...], device: str, report: Path | None) -> int:
    """Measure networks and frame path on this machine: medians and p95, ROI against full frame."""
    from rich.console import Console

    if report is not None:
        check_writable(report, "report")
    names = list(models) or ["lite-256", "gpen-256", "gpen-512"]
    console = Console()
    console.print(f"Measuring {', '.join(names)}: up to {25 * len(names)} seconds. Close what else is busy.", highlight=False)
    with console.status("Loading PyTorch") as status:
        from gpen_live.bench.measure import run_bench

        bench = run_bench(names, device, status.update)
    from gpen_live.bench.show import show

    show(bench, console)
    if report is not None:
        from gpen_live.live.report import write_report

        write_report(report, dataclasses.asdict(bench))
    return 0
