"""`gpen-live run`, and the window."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpen_live.cli.interrupt import on_interrupt
from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.frame import Size
from gpen_live.live.budget.ladder import DEFAULT_MS
from gpen_live.live.config import LiveConfig, Resting, output_parts
from gpen_live.look import Beauty, Look, Mode
from gpen_live.messages import message
from gpen_live.options import FiniteRange, SizeType, beauty_options, check_weights, check_writable, network_options
from gpen_live.presets import BUILT_IN, DEFAULT
from gpen_live.system.display import display_available

if TYPE_CHECKING:
    from gpen_live.export.video import VideoRun
    from gpen_live.live.pipeline import LivePipeline
    from gpen_live.live.status.snapshot import Snapshot

_POLL_S = 0.05
_METERS_EVERY_S = 2.0
_NOT_IN_METERS = ("capture", "send", "end_to_end")
_NO_DISPLAY = message("run.no_display")


@click.command(name="run")
@click.option("--headless", is_flag=True, help="Run without the window and print meters in the terminal.")
@click.option("--source", default="demo", show_default=True, help="demo, a video FILE, camera:N or /dev/videoN.")
@click.option(
    "--sink",
    "sinks",
    multiple=True,
    default=("none",),
    show_default=True,
    help="none, a FILE.mp4 to record to, vcam or vcam:DEVICE. Repeat for several outputs at once.",
)
@click.option("--size", type=SizeType(), help="Size of the output, also requested from a camera.", show_default="the source's")
@click.option("--fps", type=FiniteRange(1, 240), help="Frame rate of the output.", show_default="the source's")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), default="roi", show_default=True)
@network_options
@beauty_options()
@click.option(
    "--leave-room",
    type=FiniteRange(0, 90),
    default=0,
    show_default=True,
    metavar="PERCENT",
    help="Share of the device's time to leave to other programs, such as a game.",
)
@click.option(
    "--budget",
    type=FiniteRange(0, 5000),
    default=DEFAULT_MS,
    show_default=True,
    metavar="MS",
    help="Milliseconds a frame may take from camera to output; under load, quality is reduced to stay within it. 0: never.",
)
@click.option(
    "--rest",
    type=click.Choice([resting.value for resting in Resting]),
    default="known",
    show_default=True,
    help="Pause inference while nobody is known to be watching, whenever the window is hidden, or never.",
)
@click.option("--frames", type=click.IntRange(1), help="Stop after this many captured frames.")
@click.option("--seconds", type=FiniteRange(0.1, 1e9), help="Stop this many seconds after the first frame.")
@click.option("--as-fast-as-possible", is_flag=True, help="Headless, not in real time: enhance every frame.")
@click.option("--overlay", is_flag=True, help="Draw latency and frame rate into the output.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the figures of the run to this JSON file.")
def command(
    *,
    headless: bool,
    source: str,
    sinks: tuple[str, ...],
    size: Size | None,
    fps: float | None,
    mode: str,
    model: str,
    weights: Path | None,
    strength: float,
    device: str,
    beauty: Beauty,
    leave_room: float,
    budget: float,
    rest: str,
    frames: int | None,
    seconds: float | None,
    as_fast_as_possible: bool,
    overlay: bool,
    report: Path | None,
) -> int:
    """Run the live path from a source to a sink, in the window or headless."""
    from gpen_live.sinks import check_specs as check_sinks
    from gpen_live.sources import check_spec as check_source

    check_source(source)
    check_sinks(sinks)
    for sink in sinks:
        _check_different(source, sink)
    check_weights(model, weights)
    if report is not None:
        check_writable(report)
    endless = frames is None and seconds is None
    config = LiveConfig(
        source=source,
        sinks=sinks,
        size=size,
        fps=fps,
        model=model,
        weights=weights,
        look=Look(mode=Mode(mode), strength=strength, beauty=beauty),
        device=device,
        leave_room=leave_room / 100,
        budget_ms=budget,
        rest=Resting(rest),
        overlay=overlay,
        loop=not endless and not as_fast_as_possible,
    )
    if as_fast_as_possible:
        return run_headless(config, frames=frames, seconds=seconds, report=report, as_fast_as_possible=True)
    if not headless and display_available():
        # In the window a film starts anew at its end, and another source can be chosen.
        return _window(dataclasses.replace(config, loop=True), frames, seconds, report)
    if not headless:
        click.echo(_NO_DISPLAY.text, err=True)
    return run_headless(config, frames=frames, seconds=seconds, report=report)


def _check_different(source: str, sink: str) -> None:
    """Refuses to record into the film that is being played."""
    film, recording = Path(source), Path(sink)
    if film.is_file() and recording.exists() and film.samefile(recording):
        raise UsageError("run.onto_itself", sink=sink)


def open_window() -> int:
    """`gpen-live` alone: the window with the user's settings, or the demo camera headless where there is no display."""
    if display_available():
        return _window(None, None, None, None)
    click.echo(_NO_DISPLAY.text, err=True)
    return run_headless(LiveConfig(look=Look(beauty=BUILT_IN[DEFAULT])), frames=None, seconds=None, report=None)


def _window(config: LiveConfig | None, frames: int | None, seconds: float | None, report: Path | None) -> int:
    try:
        from gpen_live.ui.app import run_app
    except ImportError as error:
        raise GpenLiveError("window.unopened", reason=error) from error
    return run_app(config, frames=frames, seconds=seconds, report=report)


def run_headless(
    config: LiveConfig,
    *,
    frames: int | None,
    seconds: float | None,
    report: Path | None,
    as_fast_as_possible: bool = False,
) -> int:
    """Runs until the source, `frames` or `seconds` end or Ctrl-C; prints meters; writes the report. Returns the exit code.

    Raises:
        GpenLiveError: a part could not be started or failed for good (the report is written all the same). An output other than
            the first one does not end the run.
    """
    from gpen_live.live.pacing.clock import now

    interrupted = on_interrupt()
    sinks = ", ".join(output_parts(config.sinks))
    _say(message("run.loading", model=config.model, source=config.source, sinks=sinks).text, err=True)
    pipeline = _started(config, frames, as_fast_as_possible=as_fast_as_possible)
    printed_at = now()
    error = None
    try:
        while not (interrupted.is_set() or pipeline.finished):
            error = pipeline.error()
            first = pipeline.meters.first_sent_at
            if error is not None or (seconds is not None and first is not None and now() - first >= seconds):
                break
            if now() - printed_at >= _METERS_EVERY_S:
                printed_at = now()
                _print_meters(pipeline)
            interrupted.wait(_POLL_S)
        error = error or pipeline.error()
    finally:
        pipeline.stop()
        if report is not None:
            from gpen_live.live.status.report import write_report

            write_report(report, pipeline.report())
    _print_summary(pipeline)
    error = error or pipeline.error(every=True)
    if error is not None:
        raise error
    return 0


def _started(config: LiveConfig, frames: int | None, *, as_fast_as_possible: bool) -> LivePipeline | VideoRun:
    if as_fast_as_possible:
        from gpen_live.export.video import VideoRun

        run = VideoRun(config, max_frames=frames)
        run.start()
        return run
    from gpen_live.live.pipeline import LivePipeline

    pipeline = LivePipeline(config, max_frames=frames)
    pipeline.start(wait_for_model=True)
    return pipeline


def _print_meters(pipeline: LivePipeline | VideoRun) -> None:
    snapshot = pipeline.snapshot()
    if snapshot.counts.sent == 0:
        waiting = snapshot.model.message or snapshot.source.message or message("run.waiting")
        _say(waiting.text, err=True)
        return
    _say(meters_line(snapshot))


def meters_line(snapshot: Snapshot) -> str:
    """What a headless run says about itself every two seconds."""
    from gpen_live.live.status.snapshot import busy_name

    total = snapshot.stages["end_to_end"]
    stages = " ".join(f"{name} {stage.p50:.1f}" for name, stage in snapshot.stages.items() if name not in _NOT_IN_METERS)
    faces = "-" if snapshot.faces is None else snapshot.faces
    line = (
        f"{snapshot.rates.output:5.1f} fps out, {snapshot.rates.enhance:5.1f} enhanced, end to end p50 {total.p50:.0f} ms "
        f"p95 {total.p95:.0f} ms ({stages}), faces {faces}, {busy_name(snapshot.device)} {snapshot.busy:.0%}, "
        f"dropped {snapshot.counts.dropped}"
    )
    said = [*([snapshot.raw_reason] if snapshot.raw_reason is not None else []), *snapshot.quality.given_up]
    return " ".join([f"{line}.", *(one.what for one in said)])


def _say(text: str, *, err: bool = False) -> None:
    """Prints; where that goes into a file on a full disk, the stream matters more."""
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        raise
    except OSError:
        pass


def _print_summary(pipeline: LivePipeline | VideoRun) -> None:
    from gpen_live.live.status.snapshot import grade

    counts, rates = pipeline.meters.counts(), pipeline.meters.rates()
    if counts.sent == 0:
        return
    total = pipeline.meters.stages()["end_to_end"]
    _say(
        f"{counts.captured} frames captured, {counts.enhanced} enhanced, {counts.raw} raw, {counts.dropped} dropped, "
        f"{counts.repeated} repeated; {rates.output:.1f} fps out; end to end p50 {total.p50:.1f} ms, p95 {total.p95:.1f} ms, "
        f"p99 {total.p99:.1f} ms: {grade(total.p50)}."
    )
