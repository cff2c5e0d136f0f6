"""Validation of a light network in training: the ladder of fixed levels, as a table and as pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from gpen_live.facedata.degrade import LADDER, ladder
from gpen_live.facedata.features import Features, feature_distance

Enhance = Callable[[Tensor, Tensor | None], Tensor]
"""N,3,H,W in [-1, 1] and the last picture made of the same faces, or None, to the next picture."""

FRAMES = 8
"""Frames after which a network with a memory is measured."""


@dataclass(slots=True)
class Rung:
    """Validation at one level of the ladder: means over the faces, levels of 0..255."""

    level: float
    psnr_in: float
    psnr_first: float
    """Of the first frame of a film, without a memory."""
    psnr_out: float
    """After some frames of a still, noisy scene."""
    feature_in: float
    feature_first: float
    feature_out: float
    flicker_in: float
    flicker_out: float
    """Mean absolute difference of two frames in a row."""
    change: float
    """Mean absolute difference of output and input."""
    colour_shift: float
    """Largest difference of a face's channel means between output and truth, mean over faces."""


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per picture in dB, of N,3,H,W in [0, 1]; at most 60."""
    return -10 * torch.log10((a - b).square().mean((1, 2, 3)).clamp(min=1e-6))


@torch.no_grad()
def validate(enhance: Enhance, truth: Tensor, features: Features | None, *, batch: int = 32) -> list[Rung]:
    """The ladder.

    Args:
        enhance: see `Enhance`.
        truth: N,3,H,W in [0, 1].
        features: None leaves the feature columns at NaN.
    """
    rungs = []
    for level in LADDER:
        rows = []
        generator = Generator(device=truth.device).manual_seed(1000 + round(100 * level))
        for clean in torch.split(truth, batch):
            film = [ladder(clean, level, generator) for _ in range(FRAMES)]
            outs: list[Tensor] = []
            for seen in film:
                outs.append(enhance(seen * 2 - 1, outs[-1] if outs else None).float())
            seen, first, last, out = film[-1], *(((outs[i] + 1) / 2).clamp(0, 1) for i in (0, -2, -1))
            distance = [torch.full((len(clean),), math.nan, device=truth.device)] * 3
            if features is not None:
                target = features(clean * 2 - 1)
                distance = [feature_distance(features(x * 2 - 1), target) for x in (seen, first, out)]
            rows.append(
                torch.stack(
                    [
                        *(psnr(x, clean) for x in (seen, first, out)),
                        *distance,
                        (seen - film[-2]).abs().mean((1, 2, 3)) * 255,
                        (out - last).abs().mean((1, 2, 3)) * 255,
                        (out - seen).abs().mean((1, 2, 3)) * 255,
                        (out - clean).mean((2, 3)).abs().amax(1) * 255,
                    ]
                )
            )
        rungs.append(Rung(level, *torch.cat(rows, dim=1).mean(1).tolist()))
    return rungs


def format_rungs(rungs: list[Rung]) -> str:
    """The validation as a table in Markdown."""
    lines = [
        "| level | PSNR in | first frame | gain | later | gain | features in | first | later "
        "| flicker in | out | changed | colour |",
        "|" + " --- |" * 13,
    ]
    lines += [
        f"| {r.level:g} | {r.psnr_in:.2f} | {r.psnr_first:.2f} | {r.psnr_first - r.psnr_in:+.2f} | {r.psnr_out:.2f} "
        f"| {r.psnr_out - r.psnr_in:+.2f} | {r.feature_in:.2f} | {r.feature_first:.2f} | {r.feature_out:.2f} "
        f"| {r.flicker_in:.2f} | {r.flicker_out:.2f} | {r.change:.2f} | {r.colour_shift:.2f} |"
        for r in rungs
    ]
    return "\n".join(lines)


@torch.no_grad()
def contact_sheet(enhance: Enhance, truth: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Faces side by side; per level 0.25, 0.5 and 1 a row each of inputs, first and later frames, the truth last; BGR bytes."""
    generator = Generator(device=truth.device).manual_seed(1)
    rows = []
    for level in (0.25, 0.5, 1.0):
        film = [ladder(truth, level, generator) for _ in range(FRAMES)]
        outs: list[Tensor] = []
        for seen in film:
            outs.append(enhance(seen * 2 - 1, outs[-1] if outs else None).float())
        rows += [film[-1], *(((outs[i] + 1) / 2).clamp(0, 1) for i in (0, -1))]
    picture = torch.cat([torch.cat(list(row), dim=2) for row in [*rows, truth]], dim=1)
    return np.ascontiguousarray((picture * 255).round().byte().permute(1, 2, 0).cpu().numpy()[..., ::-1])
