"""Trains the light network, from photos to weights.

    python -m gpen_live.training.lite --photos PHOTOS --out RUN --feature-net VGG.pth [--seconds S | --steps N] [--resume]

PHOTOS is the folder with `manifest.csv` or what `gpen_live.facedata.pack` made of it. RUN receives `checkpoint.pt` (to go on
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
from typing import Any

import click
import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Generator, Tensor

from gpen_live.facedata.features import Features, feature_distance
from gpen_live.facedata.pack import SIZE, Faces, pack, unpack
from gpen_live.nets.lite import Settings
from gpen_live.nets.torch_lite import Lite, lite_256
from gpen_live.training.critic import Critic, critic_loss
from gpen_live.training.films import Films, Frame, carried
from gpen_live.training.identity import Identity
from gpen_live.training.validation import Rung, contact_sheet, format_rungs, validate


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    films: int = 32
    """Faces per step; each is seen in two frames."""
    rate: float = 2e-3
    warm_up: int = 400
    """Steps of rising learning rate."""
    decay: float = 1e-3
    average: float = 0.999
    """Share of the past in the averaged weights."""
    feature_weight: float = 0.04
    identity_weight: float = 0.05
    steady_weight: float = 0.5
    """Weight of the change from frame to frame that the face doesn't make."""
    critic_weight: float = 0.0
    critic_from: float = 0.5
    """Part of the training after which the critic has a say."""
    clean_share: float = 0.1
    """Share of faces that are seen without any fault and must come out unchanged."""
    quiet_share: float = 0.3
    """Share of faces seen soft, with hardly any noise."""
    raw_share: float = 0.25
    """Share of faces that nothing compresses."""
    seed: int = 0


_DEFAULTS = Recipe()
_PLAIN_STEPS = 4
_TERMS = ("loss", "pixel", "feature", "identity", "steady", "critic")


def as_pictures(faces: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], device: torch.device) -> Tensor:
    """N,H,W,3 to N,3,H,W, still bytes."""
    return torch.from_numpy(np.ascontiguousarray(faces)).to(device).permute(0, 3, 1, 2).contiguous()


def centre(x: Tensor, size: int) -> Tensor:
    """The middle of N,C,H,W, N,C,size,size."""
    top, left = (x.shape[-2] - size) // 2, (x.shape[-1] - size) // 2
    return x[..., top : top + size, left : left + size]


# --- losses ---------------------------------------------------------------------------------------


def charbonnier(a: Tensor, b: Tensor) -> Tensor:
    """A smooth mean absolute difference (Charbonnier et al. 1994)."""
    return ((a - b).square() + 1e-6).sqrt().mean()


def unsteadiness(outs: tuple[Tensor, Tensor], frames: tuple[Frame, Frame]) -> Tensor:
    """How much two frames in a row differ beyond what the faces themselves do, where both are of one film."""
    change = outs[1] - carried(outs[0], frames[1])
    true = frames[1].truth - carried(frames[0].truth, frames[1])
    excess = ((change - true).square() + 1e-6).sqrt().mean((1, 2, 3))
    return (excess * frames[1].follows).sum() / frames[1].follows.sum().clamp(min=1)


# --- the run --------------------------------------------------------------------------------------


class Trainer:
    """Holds what a checkpoint holds: the network, its average, the optimiser, the draw of chance, and how far it is."""

    def __init__(
        self,
        net: Lite,
        faces: Faces,
        recipe: Recipe,
        features: Features | None,
        device: torch.device,
        identity: Identity | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.layout, self.size = recipe, device, torch.channels_last, faces.size
        self.net = net.to(device, memory_format=self.layout)  # type: ignore[call-overload]
        self.average = Lite.from_settings(net.settings).to(device, memory_format=self.layout)  # type: ignore[call-overload]
        self.average.load_state_dict(self.net.state_dict())
        self.average.requires_grad_(False).eval()
        self.features = features.to(device, memory_format=self.layout) if features else None  # type: ignore[call-overload]
        self.identity = identity.to(device) if identity else None
        cuda = device.type == "cuda"
        rate = torch.tensor(recipe.rate, device=device) if cuda else recipe.rate
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=recipe.decay, fused=cuda, capturable=cuda
        )
        self.critic = Critic().to(device) if recipe.critic_weight else None
        if self.critic:
            self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=2e-4, betas=(0.5, 0.99), capturable=cuda)
        self.generator = Generator(device=device).manual_seed(recipe.seed)
        self._steps_of = {critic: GraphedStep(self, critic) for critic in (False, True)}
        self.films = Films(
            as_pictures(faces.train, device),
            torch.from_numpy(faces.kernels).to(device),
            recipe.films,
            self.generator,
            clean_share=recipe.clean_share,
            quiet_share=recipe.quiet_share,
            raw_share=recipe.raw_share,
        )
        self.memory = torch.zeros(recipe.films, 3, self.size, self.size, device=device)
        self.truth = centre(as_pictures(faces.val, device), self.size).float() / 255
        weights = (1.0, recipe.feature_weight, recipe.identity_weight, recipe.steady_weight, recipe.critic_weight)
        self._weights = torch.tensor(weights, device=device)
        self.steps, self.seconds = 0, 0.0
        self.loss = torch.zeros(len(_TERMS), device=device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def _look(self, pictures: tuple[Tensor, Tensor]) -> list[Tensor]:
        """One window of both pictures: the feature network costs most of a step."""
        side = self.size // 2
        corner = torch.randint(0, self.size - side + 1, (2, 1), generator=self.generator, device=self.device)
        rows, columns = corner + torch.arange(side, device=self.device)
        windows = (p.index_select(2, rows).index_select(3, columns) for p in pictures)
        return [window.contiguous(memory_format=self.layout) for window in windows]

    def _watch(self) -> tuple[tuple[Frame, Frame], tuple[Tensor, Tensor]]:
        """Two frames of each film and what the network makes of them."""
        with torch.no_grad():
            first = self.films.next()
            memory = self.films.remember(self.memory, first)
            second = self.films.next(starts=False)
        with self._autocast():
            out = self.net(first.seen.contiguous(memory_format=self.layout), memory.contiguous(memory_format=self.layout))
            memory = self.films.remember(out, second)
            later = self.net(second.seen.contiguous(memory_format=self.layout), memory.contiguous(memory_format=self.layout))
        self.memory.copy_(later.detach())
        return (first, second), (out, later)

    def _losses(self, frames: tuple[Frame, Frame], outs: tuple[Tensor, Tensor], critic: Critic | None) -> Tensor:
        """Pixel, feature, identity, steadiness and critic's loss."""
        none = torch.zeros((), device=self.device)
        feature, identity, verdict = none, none, none
        out, truth = outs[1], frames[1].truth
        with self._autocast():
            if self.features is not None:
                look, true_look = self._look((out, truth))
                with torch.no_grad():
                    target = self.features(true_look)
                feature = feature_distance(self.features(look), target).mean()
            if self.identity is not None:
                with torch.no_grad():
                    known = self.identity(truth)
                identity = 1 - (self.identity(out) * known).sum(1).mean()
            if critic is not None:
                verdict = -critic(out).mean()
        pixel = (charbonnier(outs[0], frames[0].truth) + charbonnier(outs[1], truth)) / 2
        return torch.stack([pixel, feature, identity, unsteadiness(outs, frames), verdict])

    def step(self, progress: float) -> None:
        """One step of the optimiser at `progress` in [0, 1] of the whole training."""
        recipe = self.recipe
        rate = recipe.rate * min(1.0, (self.steps + 1) / recipe.warm_up) * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self._steps_of[self.critic is not None and progress >= recipe.critic_from]()
        self.steps += 1
        keep = min(recipe.average, self.steps / (self.steps + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.net.parameters()), 1 - keep)

    def learn(self, critic: bool) -> None:
        """What a step does on the device, with or without a say of the critic; the same operations each time."""
        frames, outs = self._watch()
        parts = self._losses(frames, outs, self.critic if critic else None)
        loss = (parts * self._weights).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 0.5)
        self.optimiser.step()
        if critic and self.critic is not None:
            self._teach(self.critic, frames[1].truth, outs[1].detach())
        with torch.no_grad():
            self.loss.lerp_(torch.cat([loss[None], parts]).detach(), 0.02)

    def _teach(self, critic: Critic, real: Tensor, made: Tensor) -> None:
        with self._autocast():
            loss = critic_loss(critic(real), critic(made))
        self.critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.critic_optimiser.step()

    def enhance(self, x: Tensor, previous: Tensor | None) -> Tensor:
        """What the averaged network makes of N,3,H,W in [-1, 1], computed as in training."""
        with self._autocast():
            out: Tensor = self.average(x.contiguous(memory_format=self.layout), previous)
        return out

    def save(self, run: Path) -> None:
        """Writes `checkpoint.pt` and `weights.safetensors`."""
        state = {
            "settings": self.net.settings,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "critic": (self.critic.state_dict(), self.critic_optimiser.state_dict()) if self.critic else None,
            "generator": self.generator.get_state(),
            "films": self.films.state(),
            "memory": self.memory,
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
        if self.critic and state["critic"]:
            self.critic.load_state_dict(state["critic"][0])
            self.critic_optimiser.load_state_dict(state["critic"][1])
        self.generator.set_state(state["generator"].cpu())
        if len(state["memory"]) == len(self.memory):
            self.films.restore(state["films"])
            self.memory.copy_(state["memory"])
        self.steps, self.seconds = state["steps"], state["seconds"]


class GraphedStep:
    """A step as one CUDA graph after a few plain runs: it is made of thousands of small kernels whose launching takes longest."""

    def __init__(self, trainer: Trainer, critic: bool) -> None:
        self._trainer, self._critic, self._plain = trainer, critic, _PLAIN_STEPS
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if self._graph is not None:
            self._graph.replay()
        elif self._trainer.device.type != "cuda" or self._plain > 0:
            self._run_plainly()
        else:
            self._graph = torch.cuda.CUDAGraph()
            self._graph.register_generator_state(self._trainer.generator)
            with torch.cuda.graph(self._graph):
                self._trainer.learn(self._critic)
            self._graph.replay()

    def _run_plainly(self) -> None:
        self._plain -= 1
        if self._trainer.device.type != "cuda":
            self._trainer.learn(self._critic)
            return
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._trainer.learn(self._critic)
        torch.cuda.current_stream().wait_stream(side)


def serialise(net: Lite, **notes: object) -> bytes:
    """The network as a safetensors file: float32 weights, architecture and settings (JSON) in the metadata."""
    metadata = {
        "architecture": "lite",
        "version": "2",
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
            rungs = validate(trainer.enhance, trainer.truth, trainer.features, batch=32 * SIZE**2 // trainer.size**2)
            _log(run / "curves.csv", trainer, rungs)
            few = trainer.truth[:: max(1, len(trainer.truth) // 10)][:10]
            cv2.imwrite(str(run / "sheet.jpg"), contact_sheet(trainer.enhance, few), [cv2.IMWRITE_JPEG_QUALITY, 92])
            losses = " ".join(f"{value:.4f}" for value in trainer.loss.tolist())
            yield f"step {trainer.steps}, {trainer.seconds:.0f} s, {'/'.join(_TERMS)} {losses}\n{format_rungs(rungs)}"


def _log(path: Path, trainer: Trainer, rungs: list[Rung]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [field.name for field in fields(Rung)]
        if new:
            writer.writerow(["step", "seconds", *_TERMS, *names])
        for rung in rungs:
            values = [*trainer.loss.tolist(), *(getattr(rung, name) for name in names)]
            writer.writerow([trainer.steps, round(trainer.seconds), *(f"{value:.5g}" for value in values)])


def read_faces(photos: Path, size: int = SIZE) -> Faces:
    """Faces from a packed file, or from a folder of photos with its manifest, for a network of `size`."""
    if photos.is_file():
        return unpack(photos)
    with TemporaryDirectory() as folder:
        packed = Path(folder) / "faces.npz"
        pack(photos, packed, size=size)
        return unpack(packed)


def build(settings: str | None) -> Lite:
    """The network to train: lite-256's, with some settings replaced by those in a JSON text."""
    base: Settings = lite_256().settings
    changes: dict[str, Any] = json.loads(settings) if settings else {}
    return Lite.from_settings({**base, **changes})


@click.command()
@click.option(
    "--photos", type=click.Path(exists=True, path_type=Path), required=True, help="Folder with manifest.csv, or a packed file."
)
@click.option("--out", "run", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for what comes out.")
@click.option("--size", default=SIZE, show_default=True, help="Side of the crop, where PHOTOS is a folder.")
@click.option(
    "--feature-net", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="VGG-19 to relu3_1, a state dict."
)
@click.option("--identity-net", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Face embedding, ONNX.")
@click.option("--seconds", type=float, help="Length of the whole training.")
@click.option("--steps", type=int, help="Length of the whole training, instead of --seconds.")
@click.option("--pause-after", type=float, help="Stop after so many seconds; --resume goes on.")
@click.option("--resume", is_flag=True, help="Go on from RUN/checkpoint.pt.")
@click.option("--start", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Weights to start from.")
@click.option("--every", default=60.0, show_default=True, help="Seconds between validations.")
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--settings", help="JSON with settings of the network that differ from lite-256's.")
@click.option("--films", default=_DEFAULTS.films, show_default=True, help="Faces per step.")
@click.option("--rate", default=_DEFAULTS.rate, show_default=True, help="Highest learning rate.")
@click.option("--feature-weight", default=_DEFAULTS.feature_weight, show_default=True)
@click.option("--identity-weight", default=_DEFAULTS.identity_weight, show_default=True)
@click.option("--steady-weight", default=_DEFAULTS.steady_weight, show_default=True)
@click.option("--critic-weight", default=_DEFAULTS.critic_weight, show_default=True)
@click.option("--critic-from", default=_DEFAULTS.critic_from, show_default=True)
@click.option("--quiet-share", default=_DEFAULTS.quiet_share, show_default=True)
@click.option("--raw-share", default=_DEFAULTS.raw_share, show_default=True)
@click.option("--warm-up", default=_DEFAULTS.warm_up, show_default=True, help="Steps of rising learning rate.")
@click.option("--seed", default=0, show_default=True)
def main(
    photos: Path,
    run: Path,
    size: int,
    feature_net: Path | None,
    identity_net: Path | None,
    seconds: float | None,
    steps: int | None,
    pause_after: float | None,
    resume: bool,
    start: Path | None,
    every: float,
    device: str,
    settings: str | None,
    **recipe: Any,
) -> None:
    """Trains lite-256, or a network of other settings or size, on aligned face photos."""
    if (seconds is None) == (steps is None):
        raise click.UsageError("Give either --seconds or --steps.")
    torch.manual_seed(recipe["seed"])
    torch.backends.cudnn.benchmark = True
    features = Features.load(feature_net) if feature_net else None
    identity = Identity(identity_net) if identity_net else None
    net = build(settings)
    if start is not None:
        net.load_state_dict(load_file(start))
    trainer = Trainer(net, read_faces(photos, size), Recipe(**recipe), features, torch.device(device), identity)
    if resume:
        trainer.load(run)
    for news in train(trainer, run, steps=steps, seconds=seconds, pause_after=pause_after, every=every):
        click.echo(news)


if __name__ == "__main__":
    main()
