"""Trains the face detector from scratch: `python -m gpen_live.training.detector --photos PHOTOS --scenes SCENES --out RUN`.

The architecture is facexlib's retinaface_mobile0.25. PHOTOS holds manifest.csv and photos/, SCENES pictures without people (see
`detector_pack` for smaller copies of both). A teacher, when one is named, only supplies targets; the student's weights start
from random numbers, or from a file of ours with `--start`. Each run is one cycle of the learning rate over `--seconds`;
`--resume` starts another from the last checkpoint. Writes detector.safetensors (averaged weights), checkpoint.pt and curves.csv
into RUN.
"""

from __future__ import annotations

import argparse
import csv
import logging
import math
import random
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import ARCHITECTURE, MEAN_BGR, make_anchors
from gpen_live.inference.device import Device
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.training.detector_camera import draw_cameras, photograph
from gpen_live.training.detector_loss import (
    Outputs,
    Targets,
    face_residuals,
    match,
    multibox_loss,
    steadiness_loss,
    teacher_loss,
)
from gpen_live.training.detector_score import Score, Truth, score, truths_of
from gpen_live.training.facexlib_network import as_network, build_network
from gpen_live.training.scene_backgrounds import SCENE_SIDE, drawn_scenes, read_scenes
from gpen_live.training.scene_banks import Bank, FaceBank
from gpen_live.training.scene_photos import read_photos
from gpen_live.training.scene_plan import SLOTS, Scenes, join
from gpen_live.training.scenes import SceneMaker

log = logging.getLogger("detector")

WEIGHTS_VERSION = "1"
FRAME_SIZES = ((192, 320), (192, 320), (224, 288))
"""Heights and widths of the training pictures, around what the live path reduces frames to."""

TERM_WEIGHTS = {
    "class": 1.0,
    "box": 1.0,
    "landmark": 1.0,
    "teacher class": 0.3,
    "teacher box": 0.1,
    "teacher landmark": 0.1,
    "residual": 20.0,
    "jitter": 20.0,
}
WARM_UP_STEPS = 200


@dataclass(frozen=True)
class Options:
    """What a run is told; `pairs` is how many scenes of 192 x 320 a step takes, each photographed twice.

    `mine` adds to each lesson, of so many times `pairs` scenes without faces, those in which the student is surest to see one.
    `averaging` is the decay of the averaged weights; a short cycle wants a smaller one.
    `frozen_norms` keeps the batch normalisations' statistics, for going on with batches too small to tell any.
    `start` names weights to go on from without a checkpoint: the optimizer starts anew, and the cycle is a gentle one.
    `steady` multiplies what the loss charges for landmarks that differ between two photographs of one scene.
    `reuse` is for how many steps the same scenes are photographed anew: drawing them takes longer than learning from them.
    """

    photos: Path
    scenes: Path
    out: Path
    teacher: Path | None = None
    seconds: float = 500.0
    steps: int | None = None
    pairs: int = 64
    rate: float = 2e-3
    reuse: int = 3
    seed: int = 1
    device: str = "auto"
    resume: bool = False
    start: Path | None = None
    frozen_norms: bool = False
    mine: int = 0
    steady: float = 1.0
    averaging: float = 0.998
    check_every: float = 60.0
    check_count: int = 192


@dataclass(frozen=True)
class CheckSet:
    """Fixed scenes for validation, as photographed: pictures B x 3 x H x W and what is on them."""

    images: Tensor
    truths: list[Truth]


def load_network_file(path: Path, device: torch.device) -> nn.Module:
    """A network with weights from our safetensors or from facexlib's .pth, read as data only.

    Raises:
        GpenLiveError: there is no such file, or it holds another network's weights.
    """
    if not path.is_file():
        raise GpenLiveError("training.no_weights", path=path)
    network = build_network(device)
    if path.suffix == ".safetensors":
        state = load_file(str(path), device=str(device))
    else:
        state = torch.load(path, map_location=device, weights_only=True)
    try:
        network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    except RuntimeError as error:
        raise GpenLiveError("training.wrong_weights", path=path, architecture=ARCHITECTURE) from error
    return network.eval().requires_grad_(False)


def make_check_set(maker: SceneMaker, count: int, height: int, width: int, severity: float = 0.7) -> CheckSet:
    """Draws validation scenes with `maker` and photographs them."""
    scenes = maker.render(maker.plan(count, height, width))
    images = photograph(scenes.images, draw_cameras(count, maker.random, severity=severity), maker.random)
    return CheckSet(images, truths_of(scenes))


def check(detector: TorchDetector, check_set: CheckSet, threshold: float = 0.5) -> Score:
    """Scores a detector on fixed scenes."""
    found = [detector.detect_tensor(image[None], max_faces=SLOTS + 2, threshold=threshold) for image in check_set.images]
    return score(found, check_set.truths)


@dataclass(frozen=True)
class Lesson:
    """Scenes in two views, their targets, their anchors and the teacher's outputs for both views one after the other."""

    views: list[Scenes]
    targets: list[Targets]
    anchors: Tensor
    taught: Outputs | None


class Trainer:
    """One student, its average, and the scenes that it learns from."""

    def __init__(self, options: Options) -> None:
        self.options = options
        name = ("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device
        self.device = torch.device(name)
        torch.manual_seed(options.seed)
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.backends.cudnn.benchmark_limit = 3
            torch.backends.cuda.matmul.allow_tf32 = True
        options.out.mkdir(parents=True, exist_ok=True)
        self.network = build_network(self.device)
        if options.start is not None:
            self.network.load_state_dict(load_network_file(options.start, self.device).state_dict())
        self.network.phase = "train"  # type: ignore[assignment]  # facexlib's switch: logits
        self.network.train(not options.frozen_norms).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaging = get_ema_multi_avg_fn(options.averaging)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=averaging, use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=options.rate, weight_decay=1e-3)
        self.teacher = None if options.teacher is None else load_network_file(options.teacher, self.device)
        if self.teacher is not None:
            self.teacher.phase = "train"  # type: ignore[assignment]
            self.teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.step, self.cycle = 0, 0 if options.start is None else 1
        self.lesson: Lesson | None = None
        if options.resume:
            self._resume()
        self.mean = torch.tensor(MEAN_BGR, device=self.device).view(1, 3, 1, 1)
        self.maker = self._maker("train", options.seed + 1000 * self.cycle)
        self.check_set = make_check_set(self._maker("val", 7), options.check_count, 192, 320)
        self.sizes = random.Random(options.seed + self.cycle)
        self.anchors = {size: torch.from_numpy(make_anchors(*size)).float().to(self.device) for size in FRAME_SIZES}

    def _maker(self, split: str, seed: int) -> SceneMaker:
        faces = FaceBank(read_photos(self.options.photos, split), self.device)
        scenes = read_scenes(self.options.scenes, split)
        drawn = drawn_scenes(len(scenes) * (2 if split == "train" else 1), 1 if split == "train" else 2)
        backdrops = Bank(scenes + drawn, SCENE_SIDE, self.device)
        log.info("%s: %d faces, %d backgrounds", split, len(faces), len(backdrops))
        return SceneMaker(faces, backdrops, seed)

    def train(self) -> Score:
        """Runs one cycle; returns the averaged weights' validation score."""
        start = checked = time.monotonic()
        first_step = self.step
        sums: dict[str, Tensor] = {}
        while (progress := self._progress(start, first_step)) < 1:
            # The first cycle starts from nothing; those that follow go on more gently.
            peak = self.options.rate * (1.0 if self.cycle == 0 else 0.5)
            warm = min(1.0, (self.step - first_step + 1) / WARM_UP_STEPS)
            rate = peak * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            for name, value in self.learn().items():
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + value.detach()
            if time.monotonic() - checked >= self.options.check_every:
                checked = time.monotonic()
                self.report(sums, time.monotonic() - start, rate)
                self.save()
                sums = {}
        result = self.report(sums, time.monotonic() - start, 0.0)
        self.cycle += 1
        self.save()
        return result

    def _progress(self, start: float, first_step: int) -> float:
        by_time = (time.monotonic() - start) / self.options.seconds
        by_steps = 0.0 if self.options.steps is None else (self.step - first_step) / self.options.steps
        return max(by_time, by_steps)

    def learn(self) -> dict[str, Tensor]:
        """One step of the optimizer; returns the terms of the loss."""
        if self.step % self.options.reuse == 0 or self.lesson is None:
            self.lesson = self._prepare()
        views, targets, anchors, taught = self.lesson.views, self.lesson.targets, self.lesson.anchors, self.lesson.taught
        pairs = len(views[0].images)
        outputs = self._run(self.network, self._photograph(views))
        parts = [_part(outputs, slice(0, pairs)), _part(outputs, slice(pairs, None))]
        terms = _mean([multibox_loss(part, target, anchors) for part, target in zip(parts, targets, strict=True)])
        if taught is not None:
            taught_parts = [_part(taught, slice(0, pairs)), _part(taught, slice(pairs, None))]
            terms |= _mean([teacher_loss(p, t, target) for p, t, target in zip(parts, taught_parts, targets, strict=True)])
        residuals = [face_residuals(part, target, anchors, SLOTS) for part, target in zip(parts, targets, strict=True)]
        terms |= steadiness_loss(residuals[0], residuals[1])
        weights = TERM_WEIGHTS | {"jitter": TERM_WEIGHTS["jitter"] * self.options.steady}
        loss = torch.stack([value * weights[name] for name, value in terms.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return {**terms, "loss": loss, "steps": torch.ones((), device=self.device)}

    @torch.no_grad()
    def _prepare(self) -> Lesson:
        """Draws new scenes, each twice, moved by less than two pixels, with what is to be learned of them."""
        size = self.sizes.choice(FRAME_SIZES)
        pairs = max(1, round(self.options.pairs * 192 * 320 / (size[0] * size[1])))
        plan = self.maker.plan(pairs, *size)
        by = (torch.rand(pairs, 2, generator=self.maker.random, device=self.device) - 0.5) * 3
        views = [self.maker.render(plan), self.maker.render(plan.shifted(by))]
        if self.options.mine:
            hardest = self._mistaken(pairs, size)
            views = [join(view, hardest) for view in views]
        anchors = self.anchors[size]
        # The teacher sees the scenes as they are, the student what a camera makes of them.
        taught = None if self.teacher is None else self._run(self.teacher, torch.cat([view.images for view in views]))
        return Lesson(views, [match(view, anchors) for view in views], anchors, taught)

    @torch.no_grad()
    def _mistaken(self, count: int, size: tuple[int, int]) -> Scenes:
        """Of `mine` times as many scenes without faces, the `count` in which the student sees one most clearly."""
        plan = self.maker.plan(count * self.options.mine, *size)
        scenes = self.maker.render(replace(plan, present=torch.zeros_like(plan.present)))
        classes = self._run(self.network, scenes.images)[1]
        return scenes.pick((classes[..., 1] - classes[..., 0]).amax(dim=1).topk(count).indices)

    @torch.no_grad()
    def _photograph(self, views: list[Scenes]) -> Tensor:
        """Both views of each scene; half of the pairs by one and the same camera, noise apart."""
        generator = self.maker.random
        first, other = (draw_cameras(len(view.images), generator) for view in views)
        cameras = (first, first.shared_with(other))
        return torch.cat([photograph(view.images, camera, generator) for view, camera in zip(views, cameras, strict=True)])

    def _run(self, network: nn.Module, images: Tensor) -> Outputs:
        x = (images - self.mean).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"):
            boxes, classes, landmarks = network(x)
        return boxes.float(), classes.float(), landmarks.float()

    def report(self, sums: dict[str, Tensor], seconds: float, rate: float) -> Score:
        """Writes one row of the curves: the terms' means since the last row and the average's score."""
        steps = float(sums["steps"]) if sums else 0.0
        means = {name: float(value) / steps for name, value in sums.items() if name != "steps"}
        device = Device("cuda" if self.device.type == "cuda" else "cpu", self.device.index or 0)
        result = check(TorchDetector(as_network(self.average.module), device), self.check_set)
        row = {"cycle": self.cycle, "step": self.step, "seconds": round(seconds, 1), "rate": rate}
        row |= {name: means.get(name, float("nan")) for name in ("loss", *TERM_WEIGHTS)}
        row |= {"recall": result.recall, "precision": result.precision, "error": result.mean_error, "error p95": result.bad_error}
        path = self.options.out / "curves.csv"
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row.keys())
            if fresh:
                writer.writeheader()
            writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
        log.info("%s", "  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        return result

    def save(self) -> None:
        """Writes the averaged weights and the checkpoint."""
        state = {name: value.detach().cpu().contiguous() for name, value in self.average.module.state_dict().items()}
        metadata = {"architecture": ARCHITECTURE, "version": WEIGHTS_VERSION, "steps": str(self.step)}
        save_file(state, str(self.options.out / "detector.safetensors"), metadata=metadata)
        checkpoint = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "cycle": self.cycle,
        }
        part = self.options.out / "checkpoint.part"
        torch.save(checkpoint, part)
        part.replace(self.options.out / "checkpoint.pt")

    def _resume(self) -> None:
        path = self.options.out / "checkpoint.pt"
        if not path.is_file():
            raise GpenLiveError("training.no_checkpoint", folder=self.options.out)
        checkpoint = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(checkpoint["network"])
        self.average.load_state_dict(checkpoint["average"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.step, self.cycle = int(checkpoint["step"]), max(1, int(checkpoint["cycle"]))


def _part(outputs: Outputs, rows: slice) -> Outputs:
    return outputs[0][rows], outputs[1][rows], outputs[2][rows]


def _mean(terms: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([part[name] for part in terms]).mean() for name in terms[0]}


def parse(arguments: list[str]) -> Options:
    """Options from a command line."""
    parser = argparse.ArgumentParser(prog="python -m gpen_live.training.detector", description="Trains the face detector.")
    parser.add_argument("--photos", type=Path, required=True, help="folder with manifest.csv and photos/")
    parser.add_argument("--scenes", type=Path, required=True, help="folder of backgrounds")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, checkpoint and curves")
    parser.add_argument("--teacher", type=Path, help="weights whose outputs are taught as well")
    parser.add_argument("--seconds", type=float, default=Options.seconds, help="length of the run")
    parser.add_argument("--steps", type=int, help="end after so many steps, if that comes first")
    parser.add_argument("--pairs", type=int, default=Options.pairs, help="scenes a step, each photographed twice")
    parser.add_argument("--reuse", type=int, default=Options.reuse, help="steps that take the same scenes, photographed anew")
    parser.add_argument("--rate", type=float, default=Options.rate, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=Options.seed)
    parser.add_argument("--device", default=Options.device)
    parser.add_argument("--mine", type=int, default=Options.mine, help="look for mistakes in so many times as many empty scenes")
    parser.add_argument("--steady", type=float, default=Options.steady, help="so many times the usual weight against jitter")
    parser.add_argument("--averaging", type=float, default=Options.averaging, help="decay of the averaged weights")
    parser.add_argument("--frozen-norms", action="store_true", help="keep the batch normalisations' statistics (small batches)")
    parser.add_argument("--check-every", type=float, default=Options.check_every, help="seconds between validations")
    parser.add_argument("--check-count", type=int, default=Options.check_count, help="validation scenes")
    parser.add_argument("--start", type=Path, help="weights to go on from, where there is no checkpoint")
    parser.add_argument("--resume", action="store_true", help="another cycle from the checkpoint in --out")
    return Options(**vars(parser.parse_args(arguments)))


def main() -> int:
    """Runs the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    np.random.seed(0)
    try:
        Trainer(parse(sys.argv[1:])).train()
    except GpenLiveError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
