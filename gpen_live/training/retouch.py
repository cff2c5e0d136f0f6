"""Trains the retouch network on portraits that are painted on the fly.

    python -m gpen_live.training.retouch --portraits portraits.npz --out RUN [--seconds S | --steps N] [--start WEIGHTS]

`portraits.npz` is what `gpen_live.training.retouch_labels` made of photos. RUN receives `weights.safetensors` (averaged weights,
the product), `curves.csv` and `sheet.jpg`. With several graphics cards start it by `torchrun --nproc-per-node N -m ...`.
"""

from __future__ import annotations

import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, distributed

from gpen_live.nets.retouch import LAYERS, graph
from gpen_live.nets.torch_graph import TorchGraph
from gpen_live.training.retouch_bank import Bank, draw
from gpen_live.training.retouch_paint import Films, Painter, Portraits


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    films: int = 40
    """Faces per step and card."""
    frames: int = 2
    rate: float = 2e-3
    warm_up: int = 200
    """Steps of rising learning rate."""
    decay: float = 1e-3
    average: float = 0.998
    """Share of the past in the averaged weights."""
    steady_weight: float = 1.0
    """Weight of the change from frame to frame that the truth doesn't make."""
    seed: int = 0


_DEFAULTS = Recipe()
_WEIGHTS = (1.0, 4.0, 4.0, 4.0, 3.0)
"""Of the layers' losses."""


_EXPECTED = (0.0, -4.0, -4.0, -3.0, -3.0)
"""Logits of the layers before any training."""


def load_portraits(path: Path, device: torch.device) -> tuple[Portraits, Tensor]:
    """Portraits with their plain spots painted over, and blur kernels, on the device."""
    with np.load(path, allow_pickle=False) as data:
        coded = np.split(data["pictures"], data["ends"][:-1])
        held = {name: data[name] for name in ("matte", "spots", "under", "region", "shine", "zone", "valid")}
        kernels = data["kernels"].astype(np.float32)
    pictures = []
    for each, spots in zip(coded, held["spots"], strict=True):
        picture = cv2.imdecode(each, cv2.IMREAD_COLOR)
        plain = cv2.resize(spots, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 100
        grown = cv2.dilate(plain.astype(np.uint8), np.ones((5, 5), np.uint8))
        pictures.append(cv2.inpaint(picture, grown, 4, cv2.INPAINT_TELEA)[..., ::-1])

    def put(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)

    maps = np.stack([held[name] for name in ("under", "region", "shine", "zone")], axis=1)
    portraits = Portraits(
        pictures=put(np.stack(pictures).transpose(0, 3, 1, 2)),
        matte=put(held["matte"][:, None]),
        spots=put(held["spots"][:, None]),
        maps=put(maps),
        valid=put(held["valid"][:, None]),
    )
    return portraits, torch.from_numpy(kernels / kernels.sum((1, 2), keepdims=True)).to(device)


# --- losses ---------------------------------------------------------------------------------------


def losses(found: Tensor, films: Films) -> dict[str, Tensor]:
    """Each term of the loss of layers as logits (N,T,5,h,w)."""
    layers, weight = films.layers, films.weight
    out = found.sigmoid()
    cross = F.binary_cross_entropy_with_logits(found, layers, reduction="none")
    apart = (out - layers).abs()
    terms: dict[str, Tensor] = {}
    for index, name in enumerate(LAYERS):
        w, y, p = weight[:, :, index], layers[:, :, index], out[:, :, index]
        if name == "skin":
            slope = sum(
                (_slope(p - y, dim).abs() * w[..., : _slope(y, 3).shape[-2], : _slope(y, 2).shape[-1]]).mean() for dim in (2, 3)
            )
            terms[name] = (cross[:, :, index] * w).mean() + slope
        elif name in ("blemish", "mole"):
            overlap = (p * y * w).sum((1, 2, 3))
            both = ((p.square() + y.square()) * w).sum((1, 2, 3))
            terms[name] = (cross[:, :, index] * w * (1 + 5 * y)).mean() + 0.2 * (1 - (2 * overlap + 5) / (both + 5)).mean()
        else:
            terms[name] = ((apart[:, :, index] + 0.15 * cross[:, :, index]) * w * (1 + 3 * y)).mean()
    if found.shape[1] > 1:
        change, true = out[:, 1:] - out[:, :-1], layers[:, 1:] - layers[:, :-1]
        terms["steady"] = ((change - true).abs() * weight[:, 1:]).mean()
    return terms


def _slope(x: Tensor, dim: int) -> Tensor:
    """Differences along rows (2) or columns (3), of N,T,h,w, cut to h-1,w-1."""
    if dim == 2:
        return x[..., 1:, :-1] - x[..., :-1, :-1]
    return x[..., :-1, 1:] - x[..., :-1, :-1]


# --- the run --------------------------------------------------------------------------------------


class Trainer:
    """The network, its average, and where it is."""

    def __init__(
        self, portraits: Path, bank: Bank, recipe: Recipe, device: torch.device, *, rank: int = 0, ranks: int = 1
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.ranks = recipe, device, ranks
        self.net = _untrained().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = _Logits(graph()).to(device, memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]
        self.average.load_state_dict(self.net.state_dict())
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=recipe.decay)
        self.generator = Generator(device=device).manual_seed(recipe.seed * 1000 + rank)
        held, kernels = load_portraits(portraits, device)
        self.painter = Painter(held, bank, kernels, self.generator)
        self.done = 0

    def start(self, weights: Path, only: str = "") -> None:
        """Goes on from weights; layers that they lack begin anew. Those whose names don't begin with `only` stay as they are."""
        state = {name: value.float() for name, value in load_file(weights).items()}
        self.net.load_state_dict(state, strict=False)
        self.average.load_state_dict(self.net.state_dict())
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(name.startswith(only))

    def step(self, progress: float) -> dict[str, Tensor]:
        """One; `progress` (0..1) says how far the training is."""
        recipe = self.recipe
        rate = recipe.rate * min(1.0, (self.done + 1) / recipe.warm_up) * (0.5 + 0.5 * np.cos(np.pi * min(progress, 1.0)))
        for group in self.optimiser.param_groups:
            group["lr"] = max(rate, 1e-6)
        films = self.painter.films(recipe.films, recipe.frames)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            found = self.run(self.net, films)
        terms = losses(found.float(), films)
        weights = dict(zip(LAYERS, _WEIGHTS, strict=True)) | {"steady": recipe.steady_weight}
        loss = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.ranks > 1:
            self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        keep = min(recipe.average, (self.done + 1) / (self.done + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        self.done += 1
        return {"loss": loss.detach(), **{name: value.detach() for name, value in terms.items()}}

    def run(self, net: _Logits, films: Films) -> Tensor:
        """Logits of all frames, N,T,5,h,w; each frame sees the layers of the one before."""
        previous, found = self._first(films), []
        for index in range(films.seen.shape[1]):
            logits = net.logits(films.seen[:, index], previous)
            found.append(logits)
            previous = logits.float().sigmoid()
        return torch.stack(found, dim=1)

    def _first(self, films: Films) -> Tensor:
        """Memories to begin with: mostly none, sometimes another face's, or anything, so that they can be cut and never run away.

        Never the truth, or nearly: the network would wait for its memory to say what it is to find.
        """
        truth = films.layers[:, 0]
        n = len(truth)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=self.generator, device=self.device)

        kind = uniform(n, 1, 1, 1)
        anything = F.interpolate(uniform(n, len(LAYERS), 8, 8), truth.shape[-2:], mode="bilinear")
        strange = torch.where(kind < 0.9, truth.roll(1, 0) * uniform(n, len(LAYERS), 1, 1), anything)
        return torch.where(kind < 0.75, torch.zeros_like(truth), strange)

    def _share_gradients(self) -> None:
        flat = torch.cat([each.grad.flatten() for each in self.net.parameters() if each.grad is not None])
        distributed.all_reduce(flat)
        flat /= self.ranks
        start = 0
        for each in self.net.parameters():
            if each.grad is not None:
                each.grad.copy_(flat[start : start + each.numel()].view_as(each))
                start += each.numel()

    def save(self, path: Path) -> None:
        """The averaged weights in half precision."""
        state = {name: value.half().cpu().contiguous() for name, value in self.average.state_dict().items()}
        save_file(state, path, metadata={"architecture": "retouch"})


class _Logits(TorchGraph):
    """The retouch network with its last sigmoid left to the losses."""

    def logits(self, picture: Tensor, previous: Tensor) -> Tensor:
        """N,5,h,w."""
        (shuffled,) = self.graph.outputs
        inputs = (each.contiguous(memory_format=torch.channels_last) for each in (picture, previous))
        values = dict(zip(self.graph.inputs, inputs, strict=True))
        for layer in self.graph.layers[len(values) :]:
            if layer is shuffled.sources[0]:
                values[layer] = values[layer.sources[0]]
            else:
                values[layer] = self._computed(layer, [values[source] for source in layer.sources])
        return values[shuffled]


def _untrained() -> _Logits:
    """Says that the face is half skin and that hardly anything lies on it: most of what is rare need not be unlearnt."""
    net = _Logits(graph())
    bias = net.get_parameter("exit.bias")
    with torch.no_grad():
        bias.copy_(torch.tensor(_EXPECTED).repeat_interleave(len(bias) // len(LAYERS)))
    return net


def sheet(films: Films, found: Tensor, count: int = 8) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The last frame of some films: seen, and for each layer found above true; BGR."""
    rows = []
    for index in range(min(count, len(found))):
        seen = ((films.seen[index, -1].clamp(-1, 1) + 1) * 127.5).byte().cpu().numpy().transpose(1, 2, 0)[..., ::-1]
        maps = [torch.cat([t[index, -1, i] for t in (found, films.layers)], 0) for i in range(len(LAYERS))]
        grey = (torch.cat(maps, 1).clamp(0, 1) * 255).byte().cpu().numpy()
        rows.append(np.hstack([seen, np.repeat(grey[..., None], 3, axis=2)]))
    return np.vstack(rows)


def train(trainer: Trainer, out: Path, *, seconds: float, steps: int | None, first: bool = True) -> None:
    """Until time or steps are over; writes what it made at times."""
    out.mkdir(parents=True, exist_ok=True)
    began, saved = time.monotonic(), time.monotonic()
    sums: dict[str, Tensor] = {}
    since = 0
    with (out / f"curves{'' if first else '-other'}.csv").open("a", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        while True:
            gone = time.monotonic() - began
            progress = trainer.done / steps if steps else gone / seconds
            stop = torch.tensor(float(progress >= 1), device=trainer.device)
            if trainer.ranks > 1:
                distributed.all_reduce(stop)
            if stop > 0:
                break
            for name, value in trainer.step(progress).items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value
            since += 1
            if first and (trainer.done % 100 == 0 or trainer.done <= 2):
                means = {name: float(value) / since for name, value in sums.items()}
                table.writerow([trainer.done, f"{gone:.0f}", *(f"{name}={value:.5f}" for name, value in means.items())])
                file.flush()
                click.echo(f"{trainer.done} {gone:.0f} s " + " ".join(f"{name} {value:.4f}" for name, value in means.items()))
                sums, since = {}, 0
                if time.monotonic() - saved > 60:
                    trainer.save(out / "weights.safetensors")
                    saved = time.monotonic()
    if first:
        trainer.save(out / "weights.safetensors")
        with torch.no_grad():
            films = trainer.painter.films(8, trainer.recipe.frames)
            found = trainer.run(trainer.average, films).sigmoid()
        cv2.imwrite(str(out / "sheet.jpg"), sheet(films, found))


@click.command()
@click.option("--portraits", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--seconds", default=480.0, show_default=True)
@click.option("--steps", type=int)
@click.option("--films", default=_DEFAULTS.films, show_default=True, help="Faces per step and card.")
@click.option("--rate", default=_DEFAULTS.rate, show_default=True)
@click.option("--seed", default=_DEFAULTS.seed, show_default=True)
@click.option("--bank", default=256, show_default=True, help="Drawings of each kind.")
@click.option("--start", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Weights to go on from.")
@click.option("--only", default="", help="With --start: train the layers whose names begin so.")
def main(
    portraits: Path,
    out: Path,
    seconds: float,
    steps: int | None,
    films: int,
    rate: float,
    seed: int,
    bank: int,
    start: Path | None,
    only: str,
) -> None:
    """Trains the retouch network."""
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    # Before anything touches the card: this forks.
    drawn = draw(bank, 1000 * seed + rank, workers=max(1, (os.cpu_count() or 1) // ranks))
    device = torch.device(f"cuda:{rank}" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True
    if ranks > 1:
        distributed.init_process_group("nccl", device_id=device)
    recipe = Recipe(films=films, rate=rate, seed=seed)
    trainer = Trainer(portraits, drawn, recipe, device, rank=rank, ranks=ranks)
    if start is not None:
        trainer.start(start, only)
    train(trainer, out, seconds=seconds, steps=steps, first=rank == 0)
    if ranks > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
