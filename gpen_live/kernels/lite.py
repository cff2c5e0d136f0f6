"""Light networks' own kernels on graphics cards: about twenty fused ones where PyTorch launches a hundred.

Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gpen_live.kernels import lite_kernels as kernels
from gpen_live.kernels.graph import Match, Pattern, Target
from gpen_live.kernels.launch import launch
from gpen_live.kernels.lite_tiles import WIDEST, Choose, Kind, Tile, power_of_two
from gpen_live.kernels.lite_tiles import Layer as TileLayer
from gpen_live.nets.layers import Activation, Add, Concatenate, Convolution, Input, Layer, Shuffle, Unshuffle, Upsample

_MOST_CHANNELS = {2: 512, 4: 256}
"""By the bytes of a number: more would not fit in a multiprocessor's memory."""


def patterns(choose: Choose) -> tuple[Pattern, ...]:
    """What of a graph these kernels compute, each with a tile that `choose` gives."""

    def guarded(match: Callable[[Target, Layer, Choose], Match | None]) -> Pattern:
        return lambda target, layer: match(target, layer, choose)

    return tuple(guarded(match) for match in (_block, _exit, _entry, _down, _fuse))


def _suits(target: Target, *layers: Layer) -> bool:
    """Whether the kernels take maps of so many channels."""
    return max(layer.channels for layer in layers) <= _MOST_CHANNELS[target.dtype.itemsize]


def _is_convolution(layer: Layer, **wanted: object) -> bool:
    """Whether it is a convolution with a bias, and otherwise as wanted."""
    op = layer.op
    if not isinstance(op, Convolution) or not op.bias:
        return False
    sizes = {"kernel": op.kernel, "stride": op.stride, "padding": op.padding, "groups": op.groups}
    return all(sizes[name] == value for name, value in {"stride": 1, "groups": 1, **wanted}.items())


_ONE: dict[str, object] = {"kernel": 1, "padding": (0,) * 4}


def _same(kernel: int) -> dict[str, object]:
    return {"kernel": kernel, "padding": (kernel // 2,) * 4}


def _entry(target: Target, layer: Layer, choose: Choose) -> Match | None:
    """A 1x1 convolution on the pixels of tiles of one picture, or of two behind each other."""
    if not _is_convolution(layer, **_ONE) or not _suits(target, layer):
        return None
    (tiles,) = layer.sources
    if not isinstance(tiles.op, Unshuffle) or not target.alone(tiles):
        return None
    (seen,) = tiles.sources
    pictures = seen.sources if isinstance(seen.op, Concatenate) and target.alone(seen) else (seen,)
    if len(pictures) > 2 or any(not isinstance(each.op, Input) or each.channels != 3 for each in pictures):
        return None
    return Match(_Entry(target, choose, layer.name, tiles.op.factor), pictures)


def _block(target: Target, layer: Layer, choose: Choose) -> Match | None:
    """A residual block."""
    if not isinstance(layer.op, Add):
        return None
    x, narrow = layer.sources
    chain = [narrow]
    for _ in range(3):
        if len(chain[-1].sources) != 1:
            return None
        chain.append(chain[-1].sources[0])
    narrow, active, widen, mixed = chain
    if not all(target.alone(each) for each in chain) or mixed.sources != (x,) or isinstance(x.op, Input) or not _suits(target, x):
        return None
    kernel = mixed.op.kernel if isinstance(mixed.op, Convolution) else 0
    if not (
        kernel % 2
        and _is_convolution(narrow, **_ONE)
        and isinstance(active.op, Activation)
        and active.op.function == "relu"
        and _is_convolution(widen, **_ONE)
        and _is_convolution(mixed, groups=x.channels, **_same(kernel))
        and mixed.channels == narrow.channels
    ):
        return None
    return Match(_Block(target, choose, mixed.name, widen.name, narrow.name), (x,))


def _down(target: Target, layer: Layer, choose: Choose) -> Match | None:
    """A 2x2 convolution with stride 2 of an even map."""
    if not _is_convolution(layer, kernel=2, stride=2, padding=(0,) * 4):
        return None
    if not _suits(target, layer, *layer.sources) or layer not in target.exact:
        return None
    return Match(_Down(target, choose, layer.name), layer.sources)


def _fuse(target: Target, layer: Layer, choose: Choose) -> Match | None:
    """The mixing of coarser features, brought up to a skip connection's size, with that."""
    if not _is_convolution(layer, **_ONE):
        return None
    (both,) = layer.sources
    if not isinstance(both.op, Concatenate) or len(both.sources) != 2:
        return None
    up, skip = both.sources
    if not isinstance(up.op, Upsample) or (up.op.factor, up.op.mode) != (2, "bilinear") or isinstance(skip.op, Input):
        return None
    (reduce,) = up.sources
    if not all(target.alone(each) for each in (both, up, reduce)) or not _is_convolution(reduce, **_ONE):
        return None
    if not layer.channels == reduce.channels == skip.channels or not _suits(target, layer, *reduce.sources):
        return None
    return Match(_Fuse(target, choose, reduce.name, layer.name), (*reduce.sources, skip))


def _exit(target: Target, layer: Layer, choose: Choose) -> Match | None:
    """The last convolution, whose channels become pixels, and the sum with the picture."""
    if not isinstance(layer.op, Add) or not target.leaves(layer):
        return None
    seen, change = layer.sources
    if not isinstance(seen.op, Input) or not isinstance(change.op, Shuffle) or not target.alone(change):
        return None
    (last,) = change.sources
    kernel = last.op.kernel if isinstance(last.op, Convolution) else 0
    if (
        layer.channels != 3
        or not kernel % 2
        or not target.alone(last)
        or not _suits(target, *last.sources)
        or not _is_convolution(last, **_same(kernel))
    ):
        return None
    return Match(_Exit(target, choose, last.name, change.op.factor), (*last.sources, seen), plain=True)


class _Part:
    """One layer: its weights, and its launch."""

    def __init__(self, target: Target, choose: Choose, name: str, kind: Kind, inputs: int, outputs: int) -> None:
        self.layer = TileLayer(name, kind, inputs, outputs)
        self._target, self._choose = target, choose

    def _tile(self, features: Tensor) -> Tile:
        return self._choose(self.layer, math.prod(features.shape[:3]))

    def _matrices(self, weight: Tensor, rows: int, columns: int) -> Tensor:
        """A weight (outputs x inputs x taps) as the kernels have it: the taps' matrices, one behind the other."""
        return self._target.matrices(weight, rows, columns).flatten(0, 1)

    def _vector(self, bias: Tensor, length: int) -> Tensor:
        """A bias with zeros behind it, float32."""
        padded = bias.new_zeros(length)
        padded[: len(bias)] = bias
        return padded.float().to(self._target.device)

    def _launch(self, kernel: Any, grid: tuple[int, ...], tile: Tile, *arguments: Any, **sizes: int | bool) -> None:
        launch(kernel, grid, *arguments, **sizes, num_warps=tile.warps, num_stages=tile.stages)


class _Entry(_Part):
    """N x 3 x H x W pictures to features."""

    def __init__(self, target: Target, choose: Choose, name: str, shuffle: int) -> None:
        weight = target.weight(f"{name}.weight").flatten(2)
        pixels = 3 * shuffle**2
        super().__init__(target, choose, name, "entry", pixels, len(weight))
        self._shuffle, self._memory = shuffle, weight.shape[1] > pixels
        rows, columns = power_of_two(pixels), power_of_two(len(weight))
        halves = [weight[:, :pixels], weight[:, pixels:]] if self._memory else [weight]
        self._weight = torch.cat([self._matrices(half, rows, columns) for half in halves])
        self._bias = self._vector(target.weight(f"{name}.bias"), columns)

    def __call__(self, pictures: Tensor, before: Tensor | None = None) -> Tensor:
        before = pictures if before is None else before
        count, _, height, width = pictures.shape
        outputs = self.layer.outputs
        out = self._target.features(count, height // self._shuffle, width // self._shuffle, outputs)
        tile = self._tile(out)
        block = min(tile.outputs, power_of_two(outputs))
        pixels = count * out.shape[1] * out.shape[2]
        self._launch(
            kernels.entry,
            (_parts(pixels, tile.pixels), _parts(out.shape[3], block)),
            tile,
            *(pictures, before, self._weight, self._bias, out, pixels, out.shape[1], out.shape[2]),
            SHUFFLE=self._shuffle,
            MEMORY=self._memory,
            IN_BLOCK=power_of_two(self.layer.inputs),
            OUT_LINE=out.shape[3],
            OUT_WIDTH=power_of_two(outputs),
            OUT_BLOCK=block,
            PIXELS=tile.pixels,
        )
        return out


class _Block(_Part):
    """N x H x W x C to the same."""

    def __init__(self, target: Target, choose: Choose, *names: str) -> None:
        taps, widen, narrow = (target.weight(f"{name}.weight").flatten(2) for name in names)
        biases = (target.weight(f"{name}.bias") for name in names)
        hidden, channels = widen.shape[:2]
        super().__init__(target, choose, names[0].rpartition(".")[0], "block", channels, channels)
        self._kernel = math.isqrt(taps.shape[2])
        self._hidden = hidden
        self._columns = columns = power_of_two(channels)
        self._width = -(-hidden // WIDEST) * WIDEST
        self._taps = _padded(taps.flatten(1).T, columns).float().to(target.device).contiguous()
        self._widen = self._matrices(widen, columns, self._width)
        self._narrow = self._matrices(narrow, self._width, columns)
        self._taps_bias, self._widen_bias, self._narrow_bias = (
            self._vector(bias, length) for bias, length in zip(biases, (columns, self._width, columns), strict=True)
        )

    def __call__(self, features: Tensor) -> Tensor:
        tile = self._tile(features)
        out = torch.empty_like(features)
        if tile.divided:
            self._divided(features, out, tile)
        else:
            self._whole(features, out, tile)
        return out

    def _whole(self, features: Tensor, out: Tensor, tile: Tile) -> None:
        count, height, width, line = features.shape
        self._launch(
            kernels.block,
            (_rectangles(height, width, tile), count),
            tile,
            *(features, self._taps, self._taps_bias, self._widen, self._widen_bias, self._narrow, self._narrow_bias, out),
            *(height, width),
            KERNEL=self._kernel,
            LINE=line,
            BLOCK=self._columns,
            HIDDEN=self._hidden,
            HIDDEN_WIDTH=self._width,
            HIDDEN_BLOCK=min(tile.outputs, power_of_two(self._hidden)),
            ROWS=tile.rows,
            COLUMNS=tile.columns,
        )

    def _divided(self, features: Tensor, out: Tensor, tile: Tile) -> None:
        count, height, width, line = features.shape
        hidden = self._target.features(count, height, width, self._hidden)
        widths = {"LINE": line, "BLOCK": self._columns, "HIDDEN_LINE": hidden.shape[3]}
        block = min(tile.outputs, power_of_two(self._hidden))
        self._launch(
            kernels.block_widen,
            (_rectangles(height, width, tile), count, _parts(hidden.shape[3], block)),
            tile,
            *(features, self._taps, self._taps_bias, self._widen, self._widen_bias, hidden, height, width),
            **widths,
            KERNEL=self._kernel,
            HIDDEN_WIDTH=self._width,
            HIDDEN_BLOCK=block,
            ROWS=tile.rows,
            COLUMNS=tile.columns,
        )
        pixels = count * height * width
        block = min(tile.outputs, self._columns)
        self._launch(
            kernels.block_narrow,
            (_parts(pixels, tile.pixels), _parts(line, block)),
            tile,
            *(hidden, features, self._narrow, self._narrow_bias, out, pixels),
            **widths,
            HIDDEN_BLOCK=min(WIDEST, power_of_two(self._hidden)),
            OUT_BLOCK=block,
            PIXELS=tile.pixels,
        )


class _Down(_Part):
    """N x 2H x 2W x C to N x H x W x D."""

    def __init__(self, target: Target, choose: Choose, name: str) -> None:
        weight = target.weight(f"{name}.weight")
        super().__init__(target, choose, name, "down", weight.shape[1], weight.shape[0])
        columns = power_of_two(weight.shape[0])
        self._weight = self._matrices(weight.flatten(2), power_of_two(weight.shape[1]), columns)
        self._bias = self._vector(target.weight(f"{name}.bias"), columns)

    def __call__(self, features: Tensor) -> Tensor:
        count, height, width, line = features.shape
        out = self._target.features(count, height // 2, width // 2, self.layer.outputs)
        tile = self._tile(out)
        columns = power_of_two(self.layer.outputs)
        block = min(tile.outputs, columns)
        pixels = count * out.shape[1] * out.shape[2]
        self._launch(
            kernels.down,
            (_parts(pixels, tile.pixels), _parts(out.shape[3], block)),
            tile,
            *(features, self._weight, self._bias, out, pixels, out.shape[1], out.shape[2]),
            IN_LINE=line,
            IN_BLOCK=power_of_two(self.layer.inputs),
            OUT_LINE=out.shape[3],
            OUT_WIDTH=columns,
            OUT_BLOCK=block,
            PIXELS=tile.pixels,
        )
        return out


class _Fuse(_Part):
    """N x H/2 x W/2 x C and N x H x W x S to N x H x W x S.

    A 1x1 convolution commutes with the upsampling, whose weights sum to one: mix([up(reduce(c)), s]) = (M R) up(c) + M' s + bias,
    with M and M' the halves of `mix`. M R is one matrix.
    """

    def __init__(self, target: Target, choose: Choose, *names: str) -> None:
        reduce, mix = (target.weight(f"{name}.weight").flatten(1).double() for name in names)
        reduce_bias, mix_bias = (target.weight(f"{name}.bias").double() for name in names)
        skip, coarse = reduce.shape
        super().__init__(target, choose, names[1].rpartition(".")[0], "fuse", coarse, skip)
        bias = mix[:, :skip] @ reduce_bias + mix_bias
        self._columns = power_of_two(skip)
        self._coarse_weight = self._matrices((mix[:, :skip] @ reduce)[..., None], power_of_two(coarse), self._columns)
        self._skip_weight = self._matrices(mix[:, skip:, None], self._columns, self._columns)
        self._bias = self._vector(bias, self._columns)

    def __call__(self, coarse: Tensor, skip: Tensor) -> Tensor:
        count, height, width, line = skip.shape
        out = torch.empty_like(skip)
        tile = self._tile(out)
        block = min(tile.outputs, self._columns)
        pixels = count * height * width
        self._launch(
            kernels.fuse,
            (_parts(pixels, tile.pixels), _parts(line, block)),
            tile,
            *(coarse, skip, self._coarse_weight, self._skip_weight, self._bias, out, pixels, height, width),
            COARSE_LINE=coarse.shape[3],
            COARSE_BLOCK=power_of_two(self.layer.inputs),
            SKIP_LINE=line,
            SKIP_BLOCK=self._columns,
            OUT_BLOCK=block,
            PIXELS=tile.pixels,
        )
        return out


class _Exit(_Part):
    """Features and N x 3 x H x W pictures to pictures."""

    def __init__(self, target: Target, choose: Choose, name: str, shuffle: int) -> None:
        weight = target.weight(f"{name}.weight")
        super().__init__(target, choose, name, "exit", weight.shape[1], weight.shape[0])
        self._kernel, self._shuffle = weight.shape[2], shuffle
        self._columns = power_of_two(weight.shape[0])
        self._weight = self._matrices(weight.flatten(2), power_of_two(weight.shape[1]), self._columns)
        self._bias = self._vector(target.weight(f"{name}.bias"), self._columns)

    def __call__(self, features: Tensor, pictures: Tensor) -> Tensor:
        count, height, width, line = features.shape
        out = torch.empty_like(pictures)
        tile = self._tile(features)
        self._launch(
            kernels.leave,
            (_rectangles(height, width, tile), count),
            tile,
            *(features, self._weight, self._bias, pictures, out, height, width),
            KERNEL=self._kernel,
            SHUFFLE=self._shuffle,
            LINE=line,
            BLOCK=power_of_two(self.layer.inputs),
            OUT_BLOCK=self._columns,
            ROWS=tile.rows,
            COLUMNS=tile.columns,
        )
        return out


def _padded(rows: Tensor, columns: int) -> Tensor:
    out = rows.new_zeros(len(rows), columns)
    out[:, : rows.shape[1]] = rows
    return out


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def _rectangles(height: int, width: int, tile: Tile) -> int:
    return _parts(height, tile.rows) * _parts(width, tile.columns)
