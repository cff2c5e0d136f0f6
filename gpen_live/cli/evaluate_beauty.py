"""`gpen-live evaluate --beauty`: what looks do to faces, in figures and side by side, and for whom."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpen_live.cli.interrupt import on_interrupt
from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.messages import message
from gpen_live.options import check_weights, check_writable
from gpen_live.presets import find
from gpen_live.privacy import hide
from gpen_live.quality.photos import Split

if TYPE_CHECKING:
    from rich.console import Console

    from gpen_live.inference.device import Device
    from gpen_live.look import Beauty
    from gpen_live.quality.beauty.measure import BeautyMeasurement
    from gpen_live.quality.beauty.runner import EngineRunner
    from gpen_live.quality.photos import Face

_SIDE = 256


def evaluate_beauty(
    looks: Mapping[str, Beauty],
    photos: Sequence[Path],
    *,
    model: str,
    weights: Path | None,
    split: Split,
    faces: int | None,
    filmed: int,
    identity_net: Path | None,
    device: str,
    report: Path | None,
    markdown: Path | None,
    sheet: Path | None,
    clips: Sequence[Path],
) -> int:
    """Measures looks, by name, on the faces of the photos; the exit code."""
    _check(photos, model, weights, report, markdown, sheet, clips)
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    start = time.monotonic()
    with console.status(message("cli.loading_pytorch").text) as status:
        from gpen_live.inference.device import choose_device, describe_device
        from gpen_live.quality.beauty.measure import MARGIN, BeautyMeasurement
        from gpen_live.quality.identity import Identity
        from gpen_live.quality.photos import read_faces

        chosen = choose_device(device)
        runner = _runner(chosen, model, weights)
        identity = Identity(identity_net) if identity_net else None
        status.update(message("evaluate.reading", size=_SIDE).text)
        crops = [face for folder in photos for face in read_faces(folder, size=_SIDE, split=split, most=faces, margin=MARGIN)]
        measurement = BeautyMeasurement(crops, looks, runner, filmed=filmed, identity=identity)
        about = measurement.estimate()
    console.print(message("evaluate.looks", faces=len(crops), filmed=min(filmed, len(crops)), looks=", ".join(looks)).text)
    if identity is None:
        console.print(message("evaluate.left_out", columns="identity (no --identity-net)").text)
    duration = f"{about / 60:.0f} minutes" if about > 90 else f"{about:.0f} seconds"
    console.print(message("evaluate.duration", duration=duration).text)
    if sheet is not None:
        with console.status(message("cli.drawing").text):
            shown = [face for folder in photos for face in _large(folder, split)]
            _draw(sheet, shown, looks, clips, runner)
    _measure(console, measurement)
    for text, times in Counter(note.text for note in runner.notes).items():
        console.print(f"{text} ({times})")
    _write(measurement, photos, split, describe_device(chosen), time.monotonic() - start, report, markdown)
    return 0


def named_looks(words: Sequence[str], amount: float, changes: Mapping[str, Any]) -> dict[str, Beauty]:
    """Presets by name, from the words that a user names them with.

    Args:
        amount: of each. changes: values of controls that differ from those of the presets.

    Raises:
        UsageError: there is no such preset, or a look that draws nothing.
        GpenLiveError: a preset's file can't be used.
    """
    looks: dict[str, Beauty] = {}
    for word in words:
        hide(word)
        preset = find(word)
        looks[preset.name] = replace(preset.beauty, amount=amount, **changes)
        if not looks[preset.name].uses():
            raise UsageError("evaluate.look_off", name=preset.name)
    return looks


def _check(
    photos: Sequence[Path],
    model: str,
    weights: Path | None,
    report: Path | None,
    markdown: Path | None,
    sheet: Path | None,
    clips: Sequence[Path],
) -> None:
    """What can be refused before anything is loaded."""
    from gpen_live.quality.beauty.sheet import ENDINGS
    from gpen_live.sources import check_spec

    for path in (report, markdown, sheet):
        if path is not None:
            check_writable(path)
    if sheet is not None and sheet.suffix.lower() not in ENDINGS:
        raise UsageError("photo.ending", path=sheet, endings=", ".join(ENDINGS))
    if clips and sheet is None:
        raise UsageError("evaluate.clip_alone")
    for clip in clips:
        check_spec(str(clip))
    for folder in photos:
        if not folder.exists():
            raise GpenLiveError("quality.no_folder", path=folder)
    check_weights(model, weights)


def _runner(device: Device, model: str, weights: Path | None) -> EngineRunner:
    """The product as it runs live: detector, network and the stage that draws looks.

    Raises:
        GpenLiveError: looks can't be drawn on this device.
    """
    from gpen_live.beauty.stage import open_stage
    from gpen_live.inference.loading import load_detector, load_enhancer
    from gpen_live.quality.beauty.runner import EngineRunner

    stage = open_stage(device)
    if stage is None:
        raise GpenLiveError("live.beauty_missing", device=device)
    return EngineRunner(device, load_detector(device), load_enhancer(model, weights, device), [stage])


def _large(folder: Path, split: Split) -> list[Face]:
    """The faces in twice the size where the photos have it: that of a face before a camera of 720 lines or more."""
    from gpen_live.quality.beauty.measure import MARGIN
    from gpen_live.quality.photos import read_faces

    try:
        return read_faces(folder, size=2 * _SIDE, split=split, margin=2 * MARGIN)
    except GpenLiveError:
        return read_faces(folder, size=_SIDE, split=split, margin=MARGIN)


def _draw(path: Path, faces: Sequence[Face], looks: Mapping[str, Beauty], clips: Sequence[Path], runner: EngineRunner) -> None:
    from gpen_live.quality.beauty.sheet import clip_sheet, faces_sheet, spread, write_sheet

    rows = list(faces_sheet(spread(faces), looks, runner))
    for clip in clips:
        rows += clip_sheet(clip, looks, runner)
    write_sheet(path, rows)


def _measure(console: Console, measurement: BeautyMeasurement) -> None:
    """Runs all, with a bar; Ctrl-C ends it in order."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    interrupted = on_interrupt()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=measurement.steps)
        measurement.run(lambda done, what: bar.update(task, advance=done, description=what), interrupted.is_set)
    if interrupted.is_set():
        console.print(message("cli.interrupted").text)


def _write(
    measurement: BeautyMeasurement,
    photos: Sequence[Path],
    split: str,
    device: str,
    seconds: float,
    report: Path | None,
    markdown: Path | None,
) -> None:
    """Report, tables as a file, tables on the terminal."""
    from gpen_live.live.status.report import write_report, write_whole
    from gpen_live.quality.beauty.report import build_report, to_markdown

    tables = to_markdown(measurement, device=device, seconds=seconds)
    if report is not None:
        names = [folder.resolve().name for folder in photos]
        write_report(report, build_report(measurement, photos=names, split=split, device=device, seconds=seconds))
    if markdown is not None:
        write_whole(markdown, tables.encode())
    click.echo(tables, nl=False)
