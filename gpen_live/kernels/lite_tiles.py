"""How the work of the light network's Triton kernels is cut up: sensible tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["entry", "block", "down", "fuse", "exit"]

SMALLEST, WIDEST = 16, 128
"""Sides of what a matrix unit takes at least, and of the widest block of outputs."""


@dataclass(frozen=True)
class Layer:
    """What one kernel (or the two of a divided block) computes.

    Args:
        name: as in the network's state dict ("entry", "encoder.0.0", "down.0", "fuse.0", "decoder.0.0", "exit").
        inputs: channels that come in; of a `fuse`, those of the coarser features.
        outputs: channels that go out.
    """

    name: str
    kind: Kind
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Tile:
    """How a layer is cut into programs of the GPU. All powers of two, except `stages`.

    Args:
        pixels: features' pixels per program, at least 16.
        outputs: output channels per program, 16 to 128; of a whole block: inner channels at a time. More than there are: all.
        warps: of 32 threads each, per program.
        stages: steps of a loop whose loads are under way at once.
        divided: a block as two kernels, which spreads small maps with many channels over more multiprocessors.
    """

    pixels: int
    outputs: int
    warps: int = 4
    stages: int = 2
    divided: bool = False

    @property
    def rows(self) -> int:
        """Of a rectangle of `pixels`, square or twice as wide as high: the fewest neighbours around it."""
        return 1 << (self.pixels.bit_length() - 1) // 2

    @property
    def columns(self) -> int:
        return self.pixels // self.rows


Choose = Callable[[Layer, int], Tile]
"""The tile of a layer whose output has so many pixels, those of all pictures together."""


def power_of_two(count: int) -> int:
    """The smallest power of two that is at least `count` and that a matrix unit takes."""
    return max(SMALLEST, 1 << (count - 1).bit_length())


def usual_tile(layer: Layer, pixels: int) -> Tile:
    """A tile that suits cards of about a hundred multiprocessors: work for all of them first."""
    channels = power_of_two(max(layer.inputs, layer.outputs))
    wide = 16 if pixels <= 2048 else 32 if pixels <= 8192 else 64
    if channels > 256:
        wide = 16  # registers
    if layer.kind == "block":
        divided = channels >= 256 and pixels <= 256  # of more, whole blocks fill the card as well
        warps = 8 if wide * channels >= 4096 else 4
        return Tile(wide, 32 if divided or channels > 256 else 64, warps=warps, divided=divided)
    outputs = 64 if wide > 16 else 32
    return Tile(wide, outputs, warps=8 if wide * outputs >= 4096 else 4)
