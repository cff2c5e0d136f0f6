"""One frame's way on this machine's device, from frame in host memory to the sink's pixels in host memory.

    python -m gpen_live.bench.frame_gpu --size 1920x1080 --model gpen-256 --profile frame.json

Frames come one after the other without a camera's pauses, first as fast as the path takes them, then at a camera's pace (a card
that has rested is slower). In the same run the same frames go through PyTorch's own operations, which are the baseline and the
measure of the picture. Networks without weights on this machine run with untrained ones: as much arithmetic.

With `--beauty` the same frames, with one face and with four unless `--faces` says how many, are timed with the look and without
it in turns.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import click
import cv2
import numpy as np
import psutil

from gpen_live.beauty.stage import open_stage
from gpen_live.bench.weights import weights_for
from gpen_live.engine.engine import Engine
from gpen_live.engine.paths.base import FramePath, open_path, slow_path
from gpen_live.engine.result import FrameResult
from gpen_live.faces.align import GPEN_TEMPLATE, similarity
from gpen_live.faces.state import MAX_FACES
from gpen_live.frame import Image, PixelFormat, Size
from gpen_live.inference.device import choose_device, describe_device, peak_memory_mb
from gpen_live.inference.loading import load_detector, load_enhancer
from gpen_live.live.slot import Slot
from gpen_live.look import Look, Mode
from gpen_live.models.registry import get
from gpen_live.options import DEVICE, MODEL, SizeType
from gpen_live.presets import BUILT_IN

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.inference.device import Device
    from gpen_live.inference.enhancer import Enhancer
    from gpen_live.inference.host import HostEnhancer

_FRAMES = 16  # rotated, so that no cache holds the answer
_SETTLED = 40
_PACE_S = 1 / 60
_ROUND = (1, 2, 3, 4, 0)  # faces in view, one after the other
_STAY = 40  # frames each: they fade in and out
_TURNS = 5


@click.command()
@click.option("--size", type=SizeType(), default="1920x1080", show_default=True)
@click.option("--model", type=MODEL, default="gpen-256", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path), help="Weights to use instead of the model's own.")
@click.option("--device", type=DEVICE, default="auto", show_default=True)
@click.option("--pixel-format", type=click.Choice([one.value for one in PixelFormat]), default="nv12", show_default=True)
@click.option("--faces", type=click.IntRange(1, 4), help="So many at fixed places, whatever the detector finds.")
@click.option("--appear", is_flag=True, help="Faces come one by one, and go: what do the frames take in which one comes?")
@click.option("--beauty", type=click.Choice(list(BUILT_IN)), default="off", show_default=True, help="What does this look cost?")
@click.option("--full", is_flag=True, help="The whole frame instead of its faces.")
@click.option("--frames", type=click.IntRange(10), default=2000, show_default=True)
@click.option("--pinned", is_flag=True, help="Frames lie in page-locked memory already.")
@click.option("--profile", type=click.Path(path_type=Path), help="Write a trace of some frames to this JSON file, and a table.")
def command(
    *,
    size: Size,
    model: str,
    weights: Path | None,
    device: str,
    pixel_format: str,
    faces: int | None,
    appear: bool,
    beauty: str,
    full: bool,
    frames: int,
    pinned: bool,
    profile: Path | None,
) -> None:
    """Measure the frame path: p50 and p95, frames a second, GPU time by stage, GPU memory."""
    import torch

    chosen = choose_device(device)
    with tempfile.TemporaryDirectory() as folder:
        file, own = (weights, True) if weights is not None else weights_for(get(model), Path(folder))
        start = time.perf_counter()
        enhancer = load_enhancer(model, file, chosen, fit=lambda share: None)
        load_s = time.perf_counter() - start
    detector = load_detector(chosen)
    images, found = _frames(size, pinned=pinned)
    look = Look(mode=Mode.FULL if full else Mode.ROI)
    coming = None
    if beauty != "off":
        made = _with_faces(images, detector, size)
        images = [_page_locked(image) for image in made] if pinned else made
        coming = _Coming(detector, size)
    elif appear:
        coming = _Coming(detector, size)
    elif faces is not None or not found:
        _fix(detector, size, faces or 1)
    click.echo(
        f"{describe_device(chosen)}, {size}, {model}{'' if own else ' (untrained)'}, {pixel_format}, torch {torch.__version__}"
    )
    path = open_path(chosen, detector, enhancer)
    runner = _Runner(chosen, detector, enhancer, path, images, PixelFormat(pixel_format), look)
    age_s = time.time() - psutil.Process().create_time()
    click.echo(
        f"  {enhancer.runtime} in {enhancer.precision}; network ready after {load_s:.2f} s (warm-up {enhancer.warm_up_s:.2f} s); "
        f"{_SETTLED} frames done {age_s:.1f} s after the process began"
    )
    _measure(type(path).__name__, runner, frames)
    _throughput(runner, images, frames)
    click.echo(f"  GPU memory {peak_memory_mb(chosen):.0f} MB at most, with loading")
    if coming is not None and beauty == "off":
        _measure_appearances(runner, coming, frames)
    if coming is not None and beauty != "off":
        look = replace(look, beauty=BUILT_IN[beauty])
        runner.open_stage()
        counts = (1, MAX_FACES) if faces is None else (faces,)
        _measure_looks(runner, coming, look, counts, frames)
    if path.may_fall_back:
        canvas = slow_path(chosen, detector, enhancer)
        baseline = _Runner(chosen, detector, enhancer, canvas, images, PixelFormat(pixel_format), look)
        if beauty != "off":
            baseline.open_stage()
        _measure("PyTorch's own operations, as baseline", baseline, min(frames, 200))
        _compare(runner, baseline, images[0], look)
    if profile is not None:
        _profile(runner, profile)


class _Runner:
    """Feeds an engine with frames, one after the other."""

    def __init__(
        self,
        device: Device,
        detector: Detector,
        enhancer: HostEnhancer | Enhancer,
        path: FramePath,
        images: Sequence[Image],
        pixel_format: PixelFormat,
        look: Look,
    ) -> None:
        self.engine = Engine(device, detector, enhancer, path)
        self.engine.new_scene()
        self._images, self._pixel_format, self.look = images, pixel_format, look
        self._number = 0
        self.settle()

    def settle(self, image: Image | None = None) -> None:
        """Frames until faces have faded in, looks have, and graphs are recorded."""
        for _ in range(_SETTLED):
            self.once(image)

    def open_stage(self) -> None:
        """From now on a look's beauty is drawn.

        Raises:
            click.ClickException: it isn't, on this device.
        """
        stage = open_stage(self.engine.device)
        if stage is None:
            raise click.ClickException("beauty is not drawn on this device")
        self.engine.stages = (stage,)
        self.settle()

    def once(self, image: Image | None = None, pixel_format: PixelFormat | None = None) -> FrameResult:
        """One frame (the next one, if none is given), until its pixels lie in host memory."""
        pixel_format = pixel_format or self._pixel_format
        image, at = self._images[self._number % len(self._images)] if image is None else image, self._number / 60
        self._number += 1
        done = self.engine.process(image, at, self.look, pixel_format)
        done.picture.pixels(pixel_format)
        return done


def _measure(name: str, runner: _Runner, frames: int) -> None:
    taken, stages, busy = [], [], []
    begun = time.perf_counter()
    for _ in range(frames):
        start = time.perf_counter()
        done = runner.once()
        taken.append((time.perf_counter() - start) * 1e3)
        stages.append(done.times_ms)
        busy.append(done.busy_ms)
    rate = frames / (time.perf_counter() - begun)
    click.echo(f"\n{name}: {frames} frames, {len(done.faces)} faces. {done.raw_reason or ''}")
    click.echo(f"  as fast as it goes  {_quantiles(taken)}, {rate:.0f} frames a second")
    click.echo(f"    busy      {statistics.median(busy):.3f} ms of the device's time a frame")
    for stage in stages[-1]:
        click.echo(f"    {stage:9s} {_quantiles([one.get(stage, 0.0) for one in stages])}")
    taken = []
    for _ in range(min(frames, 300)):
        time.sleep(_PACE_S)
        start = time.perf_counter()
        runner.once()
        taken.append((time.perf_counter() - start) * 1e3)
    click.echo(f"  60 frames a second  {_quantiles(taken)}")


def _measure_appearances(runner: _Runner, coming: _Coming, frames: int) -> None:
    """What the frames take in which the number of faces that are enhanced rises, of all; the first such ones by themselves."""
    taken, risen = [], []
    before = 1
    for number in range(max(frames, 5 * _STAY)):
        coming.count = _ROUND[number // _STAY % len(_ROUND)]
        start = time.perf_counter()
        done = runner.once()
        taken.append((time.perf_counter() - start) * 1e3)
        enhanced = sum(face.weight > 1e-3 for face in done.faces)
        if enhanced > before:
            risen.append(taken[-1])
        before = enhanced
    p50, p99 = np.percentile(taken, 50), np.percentile(risen, 99)
    first = ", ".join(f"{ms:.2f}" for ms in risen[:3])
    click.echo(f"\nA face appears: {len(risen)} of {len(taken)} frames")
    click.echo(
        f"  p50 of all {p50:.3f} ms, p99 of those in which one appears {p99:.3f} ms ({p99 / p50:.2f} times); first {first} ms"
    )


def _measure_looks(runner: _Runner, coming: _Coming, look: Look, counts: Sequence[int], frames: int) -> None:
    """What frames take with a look and without it, in turns: medians of the turns' medians."""
    plain, drawn = runner.look, look
    first = 0.0
    for count in counts:
        coming.count = count
        p50: dict[Look, list[float]] = {plain: [], drawn: []}
        busy: dict[Look, list[float]] = {plain: [], drawn: []}
        stages: dict[Look, list[dict[str, float]]] = {plain: [], drawn: []}
        for turn in range(2 * _TURNS):
            runner.look = (plain, drawn)[turn % 2]
            runner.settle()
            taken, worked = [], []
            for _ in range(max(1, frames // (2 * _TURNS))):
                start = time.perf_counter()
                done = runner.once()
                taken.append((time.perf_counter() - start) * 1e3)
                worked.append(done.busy_ms)
                stages[runner.look].append(done.times_ms)
            p50[runner.look].append(statistics.median(taken))
            busy[runner.look].append(statistics.median(worked))
        off, on, off_busy, on_busy = (statistics.median(each[one]) for each in (p50, busy) for one in (plain, drawn))
        first = first or on - off
        trouble = runner.engine.stage_trouble
        click.echo(f"\nA look, {len(done.faces)} faces, {_TURNS} turns{'' if trouble is None else f'; it failed: {trouble}'}")
        click.echo(
            f"  p50 {off:.3f} ms without, {on:.3f} ms with it: {on - off:+.3f} ms, {(on - off) / first:.2f} times the first row's"
        )
        click.echo(f"  busy {off_busy:.3f} ms without, {on_busy:.3f} ms with it: {on_busy - off_busy:+.3f} ms")
        for name in stages[drawn][-1]:
            without, within = (statistics.median(one.get(name, 0.0) for one in stages[each]) for each in (plain, drawn))
            click.echo(f"    {name:9s} {without:.3f} ms, {within:.3f} ms")


def _throughput(runner: _Runner, images: Sequence[Image], frames: int) -> None:
    """As in the live pipeline: another thread stages the next frame while one is at work."""
    slot: Slot[Image] = Slot()

    def feed() -> None:
        for i in range(frames):
            staged = runner.engine.pin(images[i % len(images)])
            while not slot.put_when_free(staged, 1.0):
                pass

    feeder = Thread(target=feed, daemon=True)
    feeder.start()
    first = slot.take(10)
    begun = time.perf_counter()
    assert first is not None
    for _ in range(frames - 1):
        image = slot.take(10)
        assert image is not None
        runner.once(image)
    click.echo(f"  fed by another thread  {(frames - 1) / (time.perf_counter() - begun):.0f} frames a second")


def _quantiles(values: list[float]) -> str:
    p50, p95 = np.percentile(values, (50, 95))
    return f"p50 {p50:.3f} ms, p95 {p95:.3f} ms"


def _compare(fast_runner: _Runner, slow_runner: _Runner, image: Image, look: Look) -> None:
    """How far the two ways' pictures of one still frame lie apart."""
    pictures = []
    for runner in (fast_runner, slow_runner):
        runner.look = look
        runner.engine.new_scene()
        runner.settle(image)
        pictures.append(runner.once(image, PixelFormat.BGR).image.astype(int))
    fast, slow = pictures
    difference, change = np.abs(fast - slow), np.abs(slow - image)
    click.echo(
        f"\nagainst PyTorch's operations: {difference.max()} levels at most, {difference.mean():.4f} on average "
        f"(what is drawn changes {change.max()} and {change.mean():.4f})"
    )


def _profile(runner: _Runner, file: Path) -> None:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as taken:
        for _ in range(5):
            runner.once()
    taken.export_chrome_trace(str(file))
    click.echo(taken.key_averages().table(sort_by="cuda_time_total", row_limit=40))


def _frames(size: Size, *, pinned: bool) -> tuple[list[Image], bool]:
    """Frames with a face that a detector finds, or without one where the demo camera's photo is not there."""
    try:
        from gpen_live.sources.demo_scene import DemoScene

        scene = DemoScene(size, 60.0)
        images, found = [scene.frame(i) for i in range(_FRAMES)], True
    except ImportError:
        rng = np.random.default_rng(0)
        small = rng.integers(40, 220, (_FRAMES, size.height // 8 + 1, size.width // 8 + 1, 3), dtype=np.uint8)
        images = [np.ascontiguousarray(one.repeat(8, 0).repeat(8, 1)[: size.height, : size.width]) for one in small]
        found = False
    return ([_page_locked(image) for image in images] if pinned else images), found


def _with_faces(images: Sequence[Image], detector: Detector, size: Size) -> list[Image]:
    """The frames with their face at each of the four fixed places; as they are, where none is found in them."""
    out = []
    for image in images:
        found = detector.detect(image, max_faces=1)
        made = image.copy()
        for place, face in enumerate(_side_by_side(size, MAX_FACES) if found else ()):
            matrix = similarity(found[0].landmarks, face.landmarks)
            moved = cv2.warpAffine(image, matrix, (size.width, size.height), borderMode=cv2.BORDER_REFLECT_101)
            start, end = (round((place + part) * size.width / (MAX_FACES + 1)) for part in (0.5, 1.5))
            made[:, start:end] = moved[:, start:end]
        out.append(made)
    return out


def _page_locked(image: Image) -> Image:
    import torch

    locked: Image = torch.from_numpy(image).pin_memory().numpy()
    return locked


class _Coming:
    """Lets the detector work as ever, but find the first `count` of four faces."""

    def __init__(self, detector: Detector, size: Size) -> None:
        self.count = 1
        faces, read = _side_by_side(size, MAX_FACES), detector.read

        def some(*args: Any, **options: Any) -> list[Detection]:
            read(*args, **options)
            return faces[: self.count]

        detector.read = some  # type: ignore[method-assign]


def _fix(detector: Detector, size: Size, count: int) -> None:
    """Lets the detector work as ever, but find faces at fixed places."""
    faces, read = _side_by_side(size, count), detector.read

    def fixed(*args: Any, **options: Any) -> list[Detection]:
        read(*args, **options)
        return faces

    detector.read = fixed  # type: ignore[method-assign]


def _side_by_side(size: Size, count: int) -> list[Detection]:
    """So many faces side by side."""
    from gpen_live.faces.detect import Detection

    side = 0.8 * size.height / (1 if count == 1 else 2)
    faces = []
    for i in range(count):
        centre = np.array([(i + 1) * size.width / (count + 1), size.height / 2])
        (x0, y0), (x1, y1) = centre - side / 4, centre + side / 4
        points = (GPEN_TEMPLATE - 0.5) * side * (1 - 0.05 * i) + centre
        faces.append(Detection((x0, y0, x1, y1), 0.99, points))
    return faces


if __name__ == "__main__":
    command()
