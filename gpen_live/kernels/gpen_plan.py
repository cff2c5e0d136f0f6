"""How each convolution of a GPEN is cut into tiles on a card."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field, fields, replace
from typing import Literal

Kind = Literal["same", "halve", "phases", "double"]
_TOGETHER = 4 * 256**2  # pixels
_MODES: dict[Kind, int] = {"same": 0, "halve": 1, "phases": 2, "double": 3}


@dataclass(frozen=True)
class Tile:
    """Positions, channels and depth of one program's matrix product; over how many programs its sum is split; its resources."""

    m: int
    n: int
    k: int
    split: int = 1
    warps: int = 4
    stages: int = 3


@dataclass(frozen=True)
class Layer:
    """One convolution.

    `kind`: "same" keeps the side, "halve" halves it, "phases" is a transposed one without its filter, "double" the same with its
    filter folded in, giving four times the outputs. `side` is that of the coarser map.
    """

    kind: Kind
    side: int
    inputs: int
    outputs: int

    @property
    def mode(self) -> int:
        return _MODES[self.kind]

    @property
    def positions(self) -> int:
        """Rows of its matrix product for one sample, those of the padding column among them."""
        return (self.side + 1) ** 2 if self.kind == "phases" else self.side * (self.side + 1)

    @property
    def steps(self) -> int:
        """Depth of the product in units of the inputs."""
        return 4 if self.kind == "phases" else 9

    def suits(self, tile: Tile) -> bool:
        """Whether tiles cover the layer exactly; programs see to nothing that is left over."""
        channels = self.outputs // 4 if self.kind == "double" else self.outputs
        powers = all(side >= 16 and side & (side - 1) == 0 for side in (tile.m, tile.n, tile.k))
        whole = powers and channels % tile.n == 0 and self.inputs % tile.k == 0
        return whole and tile.split <= self.steps * self.inputs // tile.k

    def tiles(self, tile: Tile) -> int:
        """Programs for one sample, before splitting."""
        phases = 4 if self.kind == "phases" else 1
        return math.ceil(self.positions / tile.m) * (self.outputs // tile.n) * phases


def pictures_at_once(size: int) -> int:
    """How many pictures of a side go through a network together: large ones keep the card busy alone, and need room each."""
    return max(1, _TOGETHER // size**2)


@dataclass
class Plan:
    """Tiles that were measured, and for all other layers a guess for a card with `processors` multiprocessors."""

    processors: int
    depth: int = 64
    """Inputs of a step where it is guessed: fewer in 32 bits, which take twice the room."""

    tiles: dict[tuple[Layer, int], Tile] = field(default_factory=dict)
    """By layer and number of faces."""

    doubled: set[int] = field(default_factory=lambda: {4, 8})
    """Sides (of the coarser map) whose widening layers have their filter folded in."""

    def doubles(self, side: int) -> bool:
        return side in self.doubled

    def tile(self, layer: Layer, samples: int) -> Tile:
        """The tile that was measured for so many faces; else the one for a single face, its sum split less; else a guess."""
        found = self.tiles.get((layer, samples))
        if found is None and (single := self.tiles.get((layer, 1))) is not None:
            found = replace(single, split=max(1, single.split // samples))
        return guess(layer, samples, self.processors, self.depth) if found is None else found

    def pack(self) -> list[list[object]]:
        """The tiles that were measured, for JSON."""
        return [[*astuple(layer), samples, *astuple(tile)] for (layer, samples), tile in self.tiles.items()]

    def unpack(self, packed: object) -> None:
        """Takes in what `pack` gave; what is anything else is left out."""
        for row in packed if isinstance(packed, list) else []:
            if not isinstance(row, list) or len(row) != 5 + len(fields(Tile)) or row[0] not in [*_MODES]:  # may have no hash
                continue
            kind, *numbers = row
            if all(type(each) is int and each > 0 for each in numbers):
                layer, tile = Layer(kind, *numbers[:3]), Tile(*numbers[4:])
                if layer.suits(tile):
                    self.tiles[layer, numbers[3]] = tile


def guess(layer: Layer, samples: int, processors: int, depth: int = 64) -> Tile:
    """A tile that keeps the card busy: large ones where there is enough work, else small ones with split sums."""
    positions = layer.positions
    m = 128 if positions * samples >= 128 * processors else 64 if positions > 300 else 32 if positions > 20 else 16
    channels = layer.outputs // 4 if layer.kind == "double" else layer.outputs
    n = min(channels, 128 if m == 128 else 64)
    k = min(layer.inputs, depth)
    tiles = layer.tiles(Tile(m, n, k)) * samples
    steps = layer.steps * (layer.inputs // k)
    split = 1
    while tiles * split * 2 <= 2 * processors and steps // (split * 2) >= 4:
        split *= 2
    return Tile(m, n, k, split, 8 if m * n >= 128 * 128 else 4, 3)
