"""`gpen-live evaluate`: how good the networks are, in figures, and for whom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from gpen_live.cli.evaluate_beauty import evaluate_beauty, named_looks
from gpen_live.cli.interrupt import on_interrupt
from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.messages import message
from gpen_live.options import DEVICE, MODEL, BeautyValue, FiniteRange, check_weights, check_writable
from gpen_live.quality.clips import DEGRADATIONS, Degradation
from gpen_live.quality.competitors import COMPETITORS
from gpen_live.quality.photos import Split

if TYPE_CHECKING:
    from rich.console import Console

    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer
    from gpen_live.quality.measure import Measurement
    from gpen_live.quality.report import Setting

_NONE = "none"
_FEATURES, _IDENTITY = "--feature-net", "--identity-net"


@click.command(name="evaluate")
@click.argument("photos", metavar="PHOTOS", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", "models", type=MODEL, multiple=True, help="One or more networks.", show_default="lite-256")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights to use in place of the model's own (with one --model).")
@click.option(
    "--against",
    type=click.Choice([*COMPETITORS, _NONE]),
    multiple=True,
    help="Simple filters to compare with.",
    show_default="all",
)
@click.option(
    "--degradation",
    "degradations",
    type=click.Choice(list(DEGRADATIONS)),
    multiple=True,
    help="Which degradations to measure.",
    show_default="all",
)
@click.option(
    "--level", "levels", type=FiniteRange(0, 1), multiple=True, help="Levels, 0 to 1.", show_default="each degradation's own"
)
@click.option("--split", type=click.Choice(["val", "train", "all"]), default="val", show_default=True, help="Which faces to use.")
@click.option("--faces", type=click.IntRange(1), help="Number of faces to use, evenly spread.", show_default="all")
@click.option(
    "--slow-faces",
    type=click.IntRange(0),
    default=36,
    show_default=True,
    help="Number of faces to measure SSIM, NIQE and the feature distance on; with --beauty, to film.",
)
@click.option(
    "--feature-net", type=click.Path(path_type=Path), help="VGG-19 up to relu3_1 (a state dict), for the feature distance."
)
@click.option("--identity-net", type=click.Path(path_type=Path), help="Face embedding (ONNX, 1x3x112x112), for the identity.")
@click.option("--device", type=DEVICE, default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--report", type=click.Path(path_type=Path), help="Write all figures to this JSON file.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables to this Markdown file.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    help="Write input, networks and original side by side to this PNG file; with --beauty, before and after (JPEG or PNG).",
)
@click.option(
    "--beauty",
    "looks",
    multiple=True,
    metavar="off|natural|studio|glam|FILE",
    help="Measure this look instead of networks. Repeatable.",
)
@click.option("--beauty-amount", type=FiniteRange(0, 1), default=1.0, show_default=True, metavar="0..1", help="How much of it.")
@click.option("--beauty-set", "changes", type=BeautyValue(), multiple=True, help="One control of all looks. Repeatable.")
@click.option("--clip", "clips", type=click.Path(path_type=Path), multiple=True, help="With --beauty, a film for the sheet.")
@click.pass_context
def command(
    context: click.Context,
    *,
    photos: tuple[Path, ...],
    models: tuple[str, ...],
    weights: Path | None,
    against: tuple[str, ...],
    degradations: tuple[str, ...],
    levels: tuple[float, ...],
    split: Split,
    faces: int | None,
    slow_faces: int,
    feature_net: Path | None,
    identity_net: Path | None,
    device: str,
    report: Path | None,
    markdown: Path | None,
    sheet: Path | None,
    looks: tuple[str, ...],
    beauty_amount: float,
    changes: tuple[tuple[str, float | bool | str], ...],
    clips: tuple[Path, ...],
) -> int:
    """Measure networks on PHOTOS degraded in known ways, compare them with simple filters, and break results down by group.

    PHOTOS is a folder with manifest.csv and photos/, a packed file, a folder with points set by hand (points.npz), or a
    folder of aligned face pictures; with --beauty, one or more of them. Ctrl-C stops early; what has been measured is written.
    """
    names = list(dict.fromkeys(models)) or ["lite-256"]
    if looks:
        _check_beauty(context)
        return evaluate_beauty(
            named_looks(looks, beauty_amount, dict(changes)),
            photos,
            model=names[0],
            weights=weights,
            split=split,
            faces=faces,
            filmed=slow_faces,
            identity_net=identity_net,
            device=device,
            report=report,
            markdown=markdown,
            sheet=sheet,
            clips=clips,
        )
    if len(photos) > 1:
        raise UsageError("evaluate.one_folder")
    if clips:
        raise UsageError("evaluate.clip_alone")
    _check(photos[0], names, weights, report, markdown, sheet)
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    start = time.monotonic()
    with console.status(message("cli.loading_pytorch").text) as status:
        from gpen_live.inference.device import choose_device, describe_device
        from gpen_live.quality.contenders import competitor, network, the_input
        from gpen_live.quality.features import read_features
        from gpen_live.quality.identity import Identity
        from gpen_live.quality.measure import Measurement
        from gpen_live.quality.photos import read_faces
        from gpen_live.quality.report import Setting

        chosen = choose_device(device)
        features = read_features(feature_net, chosen.torch()) if feature_net else None
        identity = Identity(identity_net) if identity_net else None
        filters = [name for name in dict.fromkeys(against or COMPETITORS) if name != _NONE]
        measurements: list[Measurement] = []
        precisions: dict[str, str] = {}
        for size, enhancers in _by_size(names, weights, chosen).items():
            status.update(f"Reading faces of {size} pixels")
            crops = read_faces(photos[0], size=size, split=split, most=faces)
            contenders = [the_input(), *(row for enhancer in enhancers for row in network(enhancer))]
            contenders += [competitor(name, COMPETITORS[name]) for name in filters]
            plan = _plan(degradations, levels)
            measurement = Measurement(
                crops, contenders, plan, slow_faces=slow_faces, features=features, identity=identity, device=chosen.torch()
            )
            measurements.append(measurement)
            precisions |= {enhancer.spec.name: enhancer.precision for enhancer in enhancers}
        setting = Setting(
            photos=photos[0].resolve().name,
            split=split,
            device=describe_device(chosen),
            weights=weights.name if weights else None,
            precisions=precisions,
            left_out=_left_out(feature_net, identity_net, slow_faces),
        )
        status.update("Estimating the time")
        about = sum(measurement.estimate() for measurement in measurements)
    _announce(console, measurements, setting, about)
    if sheet is not None:
        from gpen_live.quality.sheet import contact_sheet, write_sheet

        with console.status(message("cli.drawing").text):
            write_sheet(sheet, [contact_sheet(measurement) for measurement in measurements])
    _measure(console, measurements)
    _write(setting, measurements, time.monotonic() - start, report, markdown)
    return 0


def _check_beauty(context: click.Context) -> None:
    """Options that belong to networks alone."""
    for parameter in ("models", "against", "degradations", "levels", "feature_net"):
        given = context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE
        if given and not (parameter == "models" and len(context.params["models"]) == 1):
            option = next(one.opts[0] for one in context.command.params if one.name == parameter)
            raise UsageError("evaluate.not_with_beauty", option=option)


def _check(
    photos: Path,
    names: Sequence[str],
    weights: Path | None,
    report: Path | None,
    markdown: Path | None,
    sheet: Path | None,
) -> None:
    """What can be refused before anything is loaded."""
    for path in (report, markdown, sheet):
        if path is not None:
            check_writable(path)
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise UsageError("file.not_png", path=sheet)
    if weights is not None and len(names) > 1:
        raise UsageError("evaluate.one_network")
    if not photos.exists():
        raise GpenLiveError("quality.no_folder", path=photos)
    for name in names:
        check_weights(name, weights)


def _plan(names: Sequence[str], levels: Sequence[float]) -> list[tuple[Degradation, float]]:
    """Degradations and levels; what is clean has no other level."""
    chosen = [DEGRADATIONS[name] for name in dict.fromkeys(names or DEGRADATIONS)]
    wanted = sorted(set(levels))
    return [(one, level) for one in chosen for level in (wanted if wanted and one.name != "clean" else one.levels)]


def _by_size(names: Sequence[str], weights: Path | None, device: Device) -> dict[int, list[HostEnhancer | Enhancer]]:
    """The networks, loaded as the product loads them, by the size of their crops."""
    from gpen_live.inference.loading import load_enhancer

    sizes: dict[int, list[HostEnhancer | Enhancer]] = {}
    for name in names:
        enhancer = load_enhancer(name, weights, device)
        sizes.setdefault(enhancer.size, []).append(enhancer)
    return sizes


def _left_out(feature_net: Path | None, identity_net: Path | None, slow_faces: int) -> dict[str, str]:
    """Columns that can't be measured, and why."""
    left_out = {} if slow_faces else dict.fromkeys(("ssim", "niqe", "feature"), "--slow-faces 0")
    if feature_net is None:
        left_out["feature"] = f"no {_FEATURES}"
    if identity_net is None:
        left_out["identity"] = f"no {_IDENTITY}"
    return left_out


def _announce(console: Console, measurements: Sequence[Measurement], setting: Setting, about: float) -> None:
    from gpen_live.quality.metrics import METRICS

    time_needed = f"{about / 60:.0f} minutes" if about > 90 else f"{about:.0f} seconds"
    for measurement in measurements:
        rows = ", ".join(contender.name for contender in measurement.contenders)
        said = message(
            "evaluate.rows",
            faces=len(measurement.subjects),
            size=measurement.size,
            conditions=len(measurement.plan),
            rows=rows,
        )
        console.print(said.text)
    titles = {metric.key: metric.title for metric in METRICS}
    if setting.left_out:
        columns = ", ".join(f"{titles[key]} ({why})" for key, why in setting.left_out.items())
        console.print(message("evaluate.left_out", columns=columns).text)
    console.print(message("evaluate.duration", duration=time_needed).text)


def _measure(console: Console, measurements: Sequence[Measurement]) -> None:
    """Runs all, with a bar; Ctrl-C ends it in order."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    interrupted = on_interrupt()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=sum(measurement.steps for measurement in measurements))
        for measurement in measurements:
            if not interrupted.is_set():
                measurement.run(lambda done, what: bar.update(task, advance=done, description=what), interrupted.is_set)
    if interrupted.is_set():
        console.print(message("cli.interrupted").text)


def _write(
    setting: Setting, measurements: Sequence[Measurement], seconds: float, report: Path | None, markdown: Path | None
) -> None:
    """Report, tables as a file, tables on the terminal."""
    from gpen_live.live.status.report import write_report, write_whole
    from gpen_live.quality.report import build_report, to_markdown

    built = build_report(setting, measurements, seconds)
    tables = to_markdown(built)
    if report is not None:
        write_report(report, built)
    if markdown is not None:
        write_whole(markdown, tables.encode())
    click.echo(tables, nl=False)
