"""Runs small GPENs in Triton's interpreter, which must be on before Triton is imported: a process of its own.

Prints a line of JSON per run: the case's name, by how much the picture differs from plain PyTorch's in float32 (in levels of
0..255, at most), whether a second run gave the same bits, and how far the picture's values spread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

os.environ["TRITON_INTERPRET"] = "1"

import torch

from gpen_live.kernels.gpen import TritonGpen
from gpen_live.kernels.gpen_plan import Layer, Plan, Tile
from gpen_live.nets.gpen import Gpen

CPU = torch.device("cpu")


def network(size: int) -> Gpen:
    """Sixteen channels wide; weights of which every one matters: new ones take nothing from the encoder."""
    torch.manual_seed(size)
    made = Gpen(size=size, channel_multiplier=1, narrow=1 / 32, style_dim=32, n_mlp=2).eval().requires_grad_(False)
    for name, parameter in made.named_parameters():
        if name.endswith("noise.weight"):
            parameter.fill_(0.7)
        elif name.endswith("bias"):
            parameter.add_(torch.randn_like(parameter) * 0.1)
    made.prepare()
    return made


class Cut(Plan):
    """Every sum split, tiles smaller than the maps."""

    def tile(self, layer: Layer, samples: int) -> Tile:
        return Tile(16, 16, 16, split=3)


def cases() -> Iterator[tuple[str, int, int, Plan, torch.dtype]]:
    """Name, size, pictures, tiles, arithmetic. Few and small: the interpreter takes its time."""
    yield "filters apart", 16, 2, Plan(4, doubled=set()), torch.float32
    yield "filters folded in", 16, 1, Plan(4, doubled={4, 8}), torch.float32
    yield "sums split", 8, 2, Cut(4, doubled={4}), torch.float32
    yield "half precision", 8, 1, Plan(4, doubled=set()), torch.float16


@torch.inference_mode()
def main() -> None:
    torch.use_deterministic_algorithms(True)  # fills new tensors with NaN: what is read before it is written shows
    for name, size, samples, plan, dtype in cases():
        plain = network(size)
        fast = TritonGpen(plain, dtype, CPU, plan)
        pictures = torch.rand(samples, 3, size, size) * 2 - 1
        out, again, want = fast(pictures), fast(pictures), plain(pictures)
        difference = float((out - want).abs().max()) * 127.5
        print(json.dumps([name, difference, torch.equal(out, again), float(want.std()) * 127.5]), flush=True)


if __name__ == "__main__":
    main()
