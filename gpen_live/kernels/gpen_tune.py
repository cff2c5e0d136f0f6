"""Finds the tiles for a card: each convolution is timed by itself with those that make sense, once per card and version."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress

import torch
from torch import Tensor

from gpen_live.kernels.gpen import Scratch, TritonGpen, convolve, rows_of
from gpen_live.kernels.gpen_plan import Layer, Tile
from gpen_live.kernels.launch import Launch, guarded, launch, prepare, together
from gpen_live.kernels.replay import graph_ms
from gpen_live.kernels.streams import give_memory_back

_SLACK = 512
_COLD_BYTES = 100e6
"""Weights that are rotated: more than any cache holds, as between two uses of a layer in a whole network."""

_LARGE = (
    (128, 256, 64, 8, 3),
    (256, 128, 64, 8, 3),
    (128, 128, 64, 8, 3),
    (128, 128, 64, 4, 4),
    (256, 64, 64, 8, 4),
    (128, 64, 64, 4, 3),
    (128, 64, 64, 4, 5),
    (64, 128, 64, 4, 5),
    (256, 32, 64, 4, 3),
    (128, 32, 64, 4, 4),
    (256, 16, 64, 4, 4),
    (256, 16, 64, 8, 4),
    (128, 16, 64, 4, 4),
)
_SMALL = (
    (128, 64, 64, 4, 5),
    (64, 128, 64, 4, 5),
    (64, 64, 64, 4, 6),
    (64, 64, 128, 4, 3),
    (64, 32, 128, 4, 4),
    (32, 64, 128, 4, 4),
    (32, 32, 128, 4, 5),
    (16, 32, 128, 4, 6),
)
"""m, n, k, warps, stages: for layers that fill the card with large tiles, and for those that don't."""


def candidates(layer: Layer, samples: int, processors: int) -> Iterator[Tile]:
    """Tiles worth a try: those that give the card about as many programs as it has multiprocessors, or up to three times that."""
    channels = layer.outputs // 4 if layer.kind == "double" else layer.outputs
    positions = layer.positions
    phases = 4 if layer.kind in ("phases", "double") else 1
    large = positions * samples * phases * channels >= 96 * 64 * processors
    for m, n, k, warps, stages in _LARGE if large else _SMALL:
        k = min(k, layer.inputs)
        if n > channels or (m > 16 and m >= 2 * positions):
            continue
        tiles = layer.tiles(Tile(m, n, k)) * samples
        depth = layer.steps * (layer.inputs // k)
        splits = [s for s in (1, 2, 4, 8, 16) if depth // s >= 2 and (s == 1 or tiles * s <= 3 * processors)]
        enough = [s for s in splits if tiles * s >= 0.6 * processors]
        for split in enough[: 1 if large else 2] or splits[-1:]:
            yield Tile(m, n, k, split, warps, stages)


def tune(net: TritonGpen, samples: int, say: Callable[[float], None] = lambda share: None) -> None:
    """Times every convolution of a network that its plan does not know with the tiles worth a try; the fastest go into the plan.

    Then the low-pass filters of the widening layers are folded into their convolutions where that makes the whole faster.

    Args:
        say: told the share that is done, 0..1.
    """
    layers = [layer for layer in dict.fromkeys(net.layers()) if (layer, samples) not in net.plan.tiles]
    bench = {layer: _Bench(net, layer, samples) for layer in layers}
    for done, layer in enumerate(layers, start=1):
        with guarded(net.device), together(ignore_errors=True):  # some need more shared memory than this card has
            for tile in candidates(layer, samples, net.plan.processors):
                bench[layer].run(tile, prepare)
        times = [(bench[layer].measure(tile), tile) for tile in candidates(layer, samples, net.plan.processors)]
        best, tile = min(times, key=lambda one: one[0])
        if best < math.inf:
            net.plan.tiles[layer, samples] = tile
        bench.pop(layer)
        give_memory_back()
        say(done / len(layers))
    _choose_filters(net, samples)


def _choose_filters(net: TritonGpen, samples: int) -> None:
    net.forget()
    net.plan.doubled.intersection_update(layer.side for layer in net.layers() if layer.kind == "double")
    pictures = torch.rand(samples, 3, net.size, net.size, device=net.device) * 2 - 1
    plan = net.plan
    best = _whole(net, pictures)
    for side in [layer.side for layer in net.layers() if layer.kind == "double"]:
        plan.doubled ^= {side}
        ms = math.inf
        with suppress(Exception):
            ms = _whole(net, pictures)
        if ms < best:
            best = ms
        else:
            plan.doubled ^= {side}


def _whole(net: TritonGpen, pictures: Tensor) -> float:
    """Median milliseconds of the whole network."""
    return graph_ms(lambda: net(pictures), net.device)


class _Bench:
    """One convolution on random numbers, its weights rotated so that they come from memory, not from a cache."""

    def __init__(self, net: TritonGpen, layer: Layer, samples: int) -> None:
        self.layer, self.samples, self.net = layer, samples, net
        side = layer.side
        self._channels = layer.outputs // 4 if layer.kind == "double" else layer.outputs
        plane = (side + 1) ** 2
        self._a_rows = 4 * plane if layer.kind == "halve" else rows_of(side)
        self._out_rows = {"phases": 4 * plane, "double": rows_of(2 * side)}.get(layer.kind, rows_of(side))
        self._plane = plane if layer.kind == "halve" else 0
        self._ldo = self._channels if layer.kind in ("halve", "phases") else 2 * self._channels
        self._count = 1
        self._tensors: tuple[Tensor, ...] | None = None

    def measure(self, tile: Tile) -> float:
        """Median milliseconds; infinite where the card refuses the tile."""
        try:
            return graph_ms(lambda: self.run(tile, launch), self.net.device) / self._count
        except Exception:  # noqa: BLE001  Triton has several kinds of its own: out of shared memory, of registers
            return math.inf

    def run(self, tile: Tile, how: Launch) -> Tensor:
        """Goes once through the rotated weights; with `prepare`, launches nothing."""
        layer, samples = self.layer, self.samples
        source, weights, target, floats, colours, rgb = self._ready() if how is launch else self._random(1)
        scratch = Scratch.of([(layer, tile)], samples, self.net.device)
        same = layer.kind == "same"
        for weight in weights:
            convolve(
                layer, tile, samples, source, weight, target, scratch, floats.shape[1], self.net.precision, how,
                bias=None if layer.kind == "phases" else floats, scale=None if layer.kind == "halve" else floats,
                following=floats if layer.kind in ("same", "double") else None, colours=colours if same else None,
                colour_styles=floats if same else None, rgb=rgb if same else None, a_rows=self._a_rows,
                out_rows=self._out_rows, plane_rows=self._plane, ldo=self._ldo,
            )  # fmt: skip
        return target

    def _ready(self) -> tuple[Tensor, ...]:
        if self._tensors is None:
            size = 9 * self.layer.inputs * self.layer.outputs * self.net.dtype.itemsize
            self._count = max(4, min(24, math.ceil(_COLD_BYTES / size)))
            self._tensors = self._random(self._count)
        return self._tensors

    def _random(self, count: int) -> tuple[Tensor, ...]:
        layer, samples, device, dtype = self.layer, self.samples, self.net.device, self.net.dtype
        source = torch.rand(samples * self._a_rows + _SLACK + 2 * layer.side, layer.inputs, device=device).to(dtype) - 0.5
        weights = torch.rand(count, 9, layer.inputs, layer.outputs, device=device, dtype=dtype) - 0.5
        target = torch.empty(samples * self._out_rows + _SLACK, self._ldo, device=device, dtype=dtype)
        floats = torch.rand(samples, 2 * self._channels, device=device)
        colours = torch.rand(3, self._ldo, device=device)
        rgb = torch.empty(samples * (self._channels // 16) * 3 * layer.positions, device=device)
        return source, weights, target, floats, colours, rgb
