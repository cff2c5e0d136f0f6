"""Trains the light network, from photos to weights.

    python -m gpen_live.training.lite --photos PHOTOS --out RUN --feature-net VGG.pth [--seconds S | --steps N] [--resume]

PHOTOS is the folder with `manifest.csv` or what `gpen_live.training.pack` made of it. RUN receives `checkpoint.pt` (to go on
from), `weights.safetensors` (averaged weights, the product), `curves.csv` and `sheet.jpg` (validation faces: inputs and outputs,
the truth last), renewed as it goes.
"""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Generator, Tensor

from gpen_live.nets.lite import Lite, lite_256
from gpen_live.training.degrade import LADDER, Webcam, degrade, jitter, ladder, random_webcams
from gpen_live.training.features import Features, feature_distance
from gpen_live.training.pack import SIZE, Faces, pack, unpack

_WINDOW = SIZE + 32  # what a webcam sees: the crop and enough around it for blur and the webcam's own grid
_REACH = 4  # largest motion between two frames in pixels
_CANVAS = _WINDOW + 2 * _REACH
_LOOK = 192  # side of the part that the feature network looks at in a step


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    pairs: int = 32
    """Faces per step; each is seen in two frames."""
    rate: float = 2e-3
    warm_up: int = 400
    """Steps of rising learning rate."""
    decay: float = 1e-3
    average: float = 0.999
    """Share of the past in the averaged weights."""
    feature_weight: float = 0.04
    steady_weight: float = 1.0
    """Weight of the difference of two frames of one face, reached after a quarter of the training."""
    clean_share: float = 0.1
    """Share of faces that are seen without any fault and must come out unchanged."""
    quiet_share: float = 0.45
    """Share of faces seen soft, with hardly any noise."""
    seed: int = 0


_DEFAULTS = Recipe()


@dataclass(slots=True)
class Rung:
    """Validation at one level of the ladder: means over the faces, levels of 0..255."""

    level: float
    psnr_in: float
    psnr_out: float
    feature_in: float
    feature_out: float
    flicker_in: float
    flicker_out: float
    """Mean absolute difference of two noise draws."""
    change: float
    """Mean absolute difference of output and input."""
    colour_shift: float
    """Largest difference of a face's channel means between output and truth, mean over faces."""


def as_pictures(faces: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], device: torch.device) -> Tensor:
    """N,H,W,3 to N,3,H,W, still bytes."""
    return torch.from_numpy(np.ascontiguousarray(faces)).to(device).permute(0, 3, 1, 2).contiguous()


def _centre(x: Tensor, size: int) -> Tensor:
    top, left = (x.shape[-2] - size) // 2, (x.shape[-1] - size) // 2
    return x[..., top : top + size, left : left + size]


# --- one step -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Batch:
    """Two frames of each face, first all first frames; N,3,SIZE,SIZE in [-1, 1]."""

    seen: Tensor
    truth: Tensor
    motion: tuple[int, int]
    """The second frames show what the first do, this many pixels (y, x) further up and left."""


def make_batch(pictures: Tensor, bank: Tensor, recipe: Recipe, generator: Generator) -> Batch:
    """Draws faces and looks at each twice through one webcam: other noise, and in half of the batches a small motion."""
    device = pictures.device
    index = torch.randint(len(pictures), (recipe.pairs,), generator=generator, device=device)
    canvas = _centre(jitter(pictures[index].float() / 255, generator), _CANVAS)
    draw = torch.randint(-_REACH, _REACH + 1, (3,), generator=generator, device=device).tolist()
    motion = (draw[0], draw[1]) if draw[2] > 0 else (0, 0)
    windows = [canvas[..., _REACH + y : _REACH + y + _WINDOW, _REACH + x : _REACH + x + _WINDOW] for y, x in ((0, 0), motion)]
    frames = torch.cat(windows)
    webcams: Webcam = random_webcams(
        recipe.pairs, len(bank), generator, clean_share=recipe.clean_share, quiet_share=recipe.quiet_share
    ).repeat(2)
    upscale = "bicubic" if draw[2] % 2 else "bilinear"
    seen = degrade(frames, webcams, bank, generator, upscale=upscale)
    return Batch(_centre(seen, SIZE) * 2 - 1, _centre(frames, SIZE) * 2 - 1, motion)


def charbonnier(a: Tensor, b: Tensor) -> Tensor:
    """A smooth mean absolute difference (Charbonnier et al. 1994)."""
    return ((a - b).square() + 1e-6).sqrt().mean()


def unsteadiness(out: Tensor, motion: tuple[int, int]) -> Tensor:
    """How much two frames of the same faces differ where both show them, the motion taken back."""
    first, second = out.chunk(2)
    y, x = motion
    height, width = out.shape[-2:]
    first = first[..., max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)]
    second = second[..., max(0, -y) : height + min(0, -y), max(0, -x) : width + min(0, -x)]
    return charbonnier(first, second)


# --- validation -----------------------------------------------------------------------------------


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per picture in dB, of N,3,H,W in [0, 1]; at most 60."""
    return -10 * torch.log10((a - b).square().mean((1, 2, 3)).clamp(min=1e-6))


@torch.no_grad()
def validate(enhance: Callable[[Tensor], Tensor], truth: Tensor, features: Features | None, *, batch: int = 32) -> list[Rung]:
    """The ladder.

    Args:
        enhance: N,3,H,W in [-1, 1] to the same.
        truth: N,3,H,W in [0, 1].
        features: None leaves the feature columns at NaN.
    """
    rungs = []
    for level in LADDER:
        rows = []
        generator = Generator(device=truth.device).manual_seed(1000 + round(100 * level))
        for clean in torch.split(truth, batch):
            seen, again = ladder(clean, level, generator), ladder(clean, level, generator)
            out, out_again = (((enhance(x * 2 - 1).float() + 1) / 2).clamp(0, 1) for x in (seen, again))
            distance = [torch.full((len(clean),), math.nan, device=truth.device)] * 2
            if features is not None:
                target = features(clean * 2 - 1)
                distance = [feature_distance(features(x * 2 - 1), target) for x in (seen, out)]
            means = (out - clean).mean((2, 3)).abs().amax(1)
            rows.append(
                torch.stack(
                    [
                        psnr(seen, clean),
                        psnr(out, clean),
                        *distance,
                        (seen - again).abs().mean((1, 2, 3)) * 255,
                        (out - out_again).abs().mean((1, 2, 3)) * 255,
                        (out - seen).abs().mean((1, 2, 3)) * 255,
                        means * 255,
                    ]
                )
            )
        rungs.append(Rung(level, *torch.cat(rows, dim=1).mean(1).tolist()))
    return rungs


def format_rungs(rungs: list[Rung]) -> str:
    """The validation as a table in Markdown."""
    lines = [
        "| level | PSNR in | out | gain | feature distance in | out | flicker in | out | changed by | colour shift |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r.level:g} | {r.psnr_in:.2f} | {r.psnr_out:.2f} | {r.psnr_out - r.psnr_in:+.2f} | {r.feature_in:.2f} "
        f"| {r.feature_out:.2f} | {r.flicker_in:.2f} | {r.flicker_out:.2f} | {r.change:.2f} | {r.colour_shift:.2f} |"
        for r in rungs
    ]
    return "\n".join(lines)


@torch.no_grad()
def contact_sheet(enhance: Callable[[Tensor], Tensor], truth: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Faces side by side; per level 0.25, 0.5 and 1 a row of inputs and one of outputs, the truth last. H x W x 3, BGR."""
    generator = Generator(device=truth.device).manual_seed(1)
    rows = []
    for level in (0.25, 0.5, 1.0):
        seen = ladder(truth, level, generator)
        rows += [seen, ((enhance(seen * 2 - 1).float() + 1) / 2).clamp(0, 1)]
    picture = torch.cat([torch.cat(list(row), dim=2) for row in [*rows, truth]], dim=1)
    return np.ascontiguousarray((picture * 255).round().byte().permute(1, 2, 0).cpu().numpy()[..., ::-1])


# --- the run --------------------------------------------------------------------------------------


class Trainer:
    """Holds what a checkpoint holds: the network, its average, the optimiser, the draw of chance, and how far it is."""

    def __init__(self, net: Lite, faces: Faces, recipe: Recipe, features: Features | None, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.layout = recipe, device, torch.channels_last
        self.net = net.to(device, memory_format=self.layout)  # type: ignore[call-overload]
        self.average = Lite.from_settings(net.settings).to(device, memory_format=self.layout)  # type: ignore[call-overload]
        self.average.load_state_dict(self.net.state_dict())
        self.average.requires_grad_(False).eval()
        self.features = features.to(device, memory_format=self.layout) if features else None  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=recipe.decay, fused=device.type == "cuda"
        )
        self.generator = Generator(device=device).manual_seed(recipe.seed)
        self.places = Generator().manual_seed(recipe.seed)
        self.pictures = as_pictures(faces.train, device)
        self.truth = _centre(as_pictures(faces.val, device), SIZE).float() / 255
        self.bank = torch.from_numpy(faces.kernels).to(device)
        self._net: Callable[[Tensor], Tensor] = self.net
        self._features: Callable[[Tensor], list[Tensor]] | None = self.features
        self.steps, self.seconds = 0, 0.0
        self.loss = torch.zeros(4, device=device)

    def compile(self) -> None:
        """Lets torch compile what a step runs through: a minute at the start, faster steps after. Validation stays as it is."""
        self._net = torch.compile(self.net, dynamic=False)
        if self.features is not None:
            self._features = torch.compile(self.features, dynamic=False)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def _losses(self, batch: Batch) -> Tensor:
        """Pixel, feature and steadiness loss."""
        seen, truth = (x.contiguous(memory_format=self.layout) for x in (batch.seen, batch.truth))
        with self._autocast():
            out = self._net(seen)
            feature = torch.zeros((), device=self.device)
            if self._features is not None:
                # One window of the first frames does: the feature network costs most of a step.
                y, x = torch.randint(0, SIZE - _LOOK + 1, (2,), generator=self.places).tolist()
                window = (slice(0, len(out) // 2), slice(None), slice(y, y + _LOOK), slice(x, x + _LOOK))
                looks = [p[window].contiguous(memory_format=self.layout) for p in (out, truth)]
                with torch.no_grad():
                    target = self._features(looks[1])
                feature = feature_distance(self._features(looks[0]), target).mean()
        return torch.stack([charbonnier(out, truth), feature, unsteadiness(out, batch.motion)])

    def step(self, progress: float) -> None:
        """One step of the optimiser at `progress` in [0, 1] of the whole training."""
        recipe = self.recipe
        rate = recipe.rate * min(1.0, (self.steps + 1) / recipe.warm_up) * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        batch = make_batch(self.pictures, self.bank, recipe, self.generator)
        parts = self._losses(batch)
        steady = recipe.steady_weight * min(1.0, 4 * progress)
        weights = torch.tensor([1.0, recipe.feature_weight, steady], device=self.device)
        loss = (parts * weights).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 0.5)
        self.optimiser.step()
        self.steps += 1
        keep = min(recipe.average, self.steps / (self.steps + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.net.parameters()), 1 - keep)
            self.loss.lerp_(torch.cat([loss[None], parts]).detach(), 0.02)

    def enhance(self, x: Tensor) -> Tensor:
        """What the averaged network makes of N,3,H,W in [-1, 1], computed as in training."""
        with self._autocast():
            out: Tensor = self.average(x.contiguous(memory_format=self.layout))
        return out

    def save(self, run: Path) -> None:
        """Writes `checkpoint.pt` and `weights.safetensors`."""
        state = {
            "settings": self.net.settings,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "places": self.places.get_state(),
            "steps": self.steps,
            "seconds": self.seconds,
        }
        _replace(run / "checkpoint.pt", lambda path: torch.save(state, path))
        _replace(run / "weights.safetensors", lambda path: path.write_bytes(serialise(self.average, steps=self.steps)))

    def load(self, run: Path) -> None:
        """Goes on from `checkpoint.pt`.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is of another architecture.
        """
        state = torch.load(run / "checkpoint.pt", map_location=self.device, weights_only=True)
        if state["settings"] != self.net.settings:
            raise ValueError(f"{run / 'checkpoint.pt'} is of another architecture: {state['settings']}")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"].cpu())
        self.places.set_state(state["places"].cpu())
        self.steps, self.seconds = state["steps"], state["seconds"]


def serialise(net: Lite, **notes: object) -> bytes:
    """The network as a safetensors file: float32 weights, architecture and settings (JSON) in the metadata."""
    metadata = {
        "architecture": "lite",
        "version": "1",
        "settings": json.dumps(net.settings),
        "trained_on": "CC0, CC-BY, MIT and public-domain photos alone; see weights/README.md",
        **{name: str(value) for name, value in notes.items()},
    }
    return save({name: value.detach().float().cpu().contiguous() for name, value in net.state_dict().items()}, metadata)


def load_lite(path: Path) -> Lite:
    """The network in a weights file that training wrote, ready to use."""
    with safe_open(str(path), framework="pt") as file:  # type: ignore[no-untyped-call]
        net = Lite.from_settings(json.loads(file.metadata()["settings"]))
        net.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (no mapping)
    return net.eval()


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Writes beside `path` first: a run that is killed leaves the last whole file."""
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)


def train(
    trainer: Trainer, run: Path, *, steps: int | None, seconds: float | None, pause_after: float | None = None, every: float = 60
) -> Iterator[str]:
    """Trains to the end of `steps` or `seconds` (all parts of a resumed run together), or for `pause_after` seconds of this part.

    Validates, saves and yields a line of news every `every` seconds and at the end.
    """
    run.mkdir(parents=True, exist_ok=True)
    start, before, told = time.monotonic(), trainer.seconds, time.monotonic()
    done = False
    while not done:
        if steps is not None:
            progress = trainer.steps / steps
        else:
            assert seconds is not None
            progress = trainer.seconds / seconds
        done = progress >= 1 or (pause_after is not None and time.monotonic() - start >= pause_after)
        if not done:
            trainer.step(progress)
            if trainer.steps % 10 == 0:
                trainer.loss.tolist()  # waits for the device, so that the clock is the work's
            trainer.seconds = before + time.monotonic() - start
        if done or time.monotonic() - told >= every:
            told = time.monotonic()
            trainer.save(run)
            rungs = validate(trainer.enhance, trainer.truth, trainer.features)
            _log(run / "curves.csv", trainer, rungs)
            few = trainer.truth[:: max(1, len(trainer.truth) // 10)][:10]
            cv2.imwrite(str(run / "sheet.jpg"), contact_sheet(trainer.enhance, few), [cv2.IMWRITE_JPEG_QUALITY, 92])
            losses = " ".join(f"{value:.4f}" for value in trainer.loss.tolist())
            yield f"step {trainer.steps}, {trainer.seconds:.0f} s, loss/pixel/feature/steady {losses}\n{format_rungs(rungs)}"


def _log(path: Path, trainer: Trainer, rungs: list[Rung]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [field.name for field in fields(Rung)]
        if new:
            writer.writerow(["step", "seconds", "loss", "pixel", "feature", "steady", *names])
        for rung in rungs:
            values = [*trainer.loss.tolist(), *(getattr(rung, name) for name in names)]
            writer.writerow([trainer.steps, round(trainer.seconds), *(f"{value:.5g}" for value in values)])


def read_faces(photos: Path) -> Faces:
    """Faces from a packed file, or from a folder of photos with its manifest."""
    if photos.is_file():
        return unpack(photos)
    with TemporaryDirectory() as folder:
        packed = Path(folder) / "faces.npz"
        pack(photos, packed)
        return unpack(packed)


@click.command()
@click.option(
    "--photos", type=click.Path(exists=True, path_type=Path), required=True, help="Folder with manifest.csv, or a packed file."
)
@click.option("--out", "run", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for what comes out.")
@click.option(
    "--feature-net", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="VGG-19 to relu3_1, a state dict."
)
@click.option("--seconds", type=float, help="Length of the whole training.")
@click.option("--steps", type=int, help="Length of the whole training, instead of --seconds.")
@click.option("--pause-after", type=float, help="Stop after so many seconds; --resume goes on.")
@click.option("--resume", is_flag=True, help="Go on from RUN/checkpoint.pt.")
@click.option("--every", default=60.0, show_default=True, help="Seconds between validations.")
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--compile/--no-compile", "compiled", default=False, help="Use torch.compile.")
@click.option("--pairs", default=_DEFAULTS.pairs, show_default=True, help="Faces per step.")
@click.option("--rate", default=_DEFAULTS.rate, show_default=True, help="Highest learning rate.")
@click.option("--feature-weight", default=_DEFAULTS.feature_weight, show_default=True)
@click.option("--steady-weight", default=_DEFAULTS.steady_weight, show_default=True)
@click.option("--quiet-share", default=_DEFAULTS.quiet_share, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    photos: Path,
    run: Path,
    feature_net: Path | None,
    seconds: float | None,
    steps: int | None,
    pause_after: float | None,
    resume: bool,
    every: float,
    device: str,
    compiled: bool,
    pairs: int,
    rate: float,
    feature_weight: float,
    steady_weight: float,
    quiet_share: float,
    seed: int,
) -> None:
    """Trains lite-256 on aligned face photos."""
    if (seconds is None) == (steps is None):
        raise click.UsageError("Give either --seconds or --steps.")
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = True
    recipe = Recipe(
        pairs=pairs,
        rate=rate,
        feature_weight=feature_weight,
        steady_weight=steady_weight,
        quiet_share=quiet_share,
        seed=seed,
    )
    features = Features.load(feature_net) if feature_net else None
    trainer = Trainer(lite_256(), read_faces(photos), recipe, features, torch.device(device))
    if resume:
        trainer.load(run)
    if compiled:
        trainer.compile()
    for news in train(trainer, run, steps=steps, seconds=seconds, pause_after=pause_after, every=every):
        click.echo(news)


if __name__ == "__main__":
    main()
