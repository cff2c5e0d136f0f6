"""Light networks through Triton, on graphics cards: about twenty fused kernels where PyTorch launches a hundred."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gpen_live.errors import reason_of
from gpen_live.inference.openvino.network import RuntimeMissingError
from gpen_live.inference.triton.lite_tiles import SMALLEST, WIDEST, Choose, Kind, Layer, Tile, power_of_two, usual_tile

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from gpen_live.nets.torch_lite import Lite

State = Mapping[str, "Tensor"]
"""Parameter's name -> values."""

_DTYPES = ("float16", "bfloat16", "float32")
_OLDEST = (8, 0)
"""Compute capability of the first NVIDIA cards whose matrix units Triton uses (Ampere)."""
_MOST_CHANNELS_IN_FLOAT32 = 256
"""More would not fit in a multiprocessor's memory; in 16 bits all that a light network may have do."""
_MOST_NUMBERS = 2**31
"""In a tensor: kernels count in 32 bits."""


@cache
def kernels() -> ModuleType:
    """The kernels, and with them Triton, imported at the first call (about 0.3 s).

    Raises:
        RuntimeMissingError: Triton is not installed (there is none for Windows and macOS), or does not load.
    """
    try:
        return importlib.import_module("gpen_live.inference.triton.lite_kernels")
    except (ImportError, OSError, RuntimeError) as error:
        raise RuntimeMissingError("runtime.no_triton", reason=reason_of(error)) from error


class TritonLite:
    """A light network as fused kernels: pictures (and the ones before, where it has a memory) in, enhanced pictures out.

    Pictures are N x 3 x H x W, float32 RGB, about [-1, 1], on the device; sides multiples of the network's stride. A call only
    launches: it waits for nothing and can be captured in a CUDA graph, which then owns the features between the layers. Kernels
    are compiled when a shape first needs them (seconds in all; Triton keeps them on disk).

    Args:
        network: any light network; its weights are copied.
        dtype: of features and weights: float16, bfloat16, or float32 (exact, and slow). Sums are float32, and so is the one with
            the picture: what is clean loses nothing.
        device: a graphics card; the CPU where Triton's interpreter is on, which is for tests.
        choose: the tile of each layer.

    Raises:
        RuntimeMissingError: Triton is missing. RuntimeError: the card can't run the network this way.
    """

    def __init__(self, network: Lite, dtype: torch.dtype, device: torch.device, *, choose: Choose = usual_tile) -> None:
        rooms = kernels()
        _check(dtype, device)
        shop = _Shop(rooms, dtype, device, choose)
        settings, state = network.settings, dict(network.state_dict())
        self._stride = network.stride
        self._device = device
        channels, shuffle = settings["channels"], settings["shuffle"]
        if dtype.itemsize > 2 and max(channels) > _MOST_CHANNELS_IN_FLOAT32:
            raise RuntimeError(f"Triton's kernels take no more than {_MOST_CHANNELS_IN_FLOAT32} channels in float32")
        self._growth = max(1, _line(max(channels)) * settings["expansion"] / (3 * shuffle**2))
        """In any layer's output, for each number of the pictures; at most."""

        def blocks(name: str, count: int) -> list[_Block]:
            return [_Block(shop, f"{name}.{i}", state) for i in range(count)]

        scales = range(len(channels) - 1)
        self._entry = _Entry(shop, state, shuffle)
        self._encoder = [blocks(f"encoder.{i}", count) for i, count in enumerate(settings["encoder"])]
        self._down = [_Down(shop, f"down.{i}", state) for i in scales]
        self._fuse = [_Fuse(shop, f"fuse.{i}", state) for i in scales]
        self._decoder = [blocks(f"decoder.{i}", count) for i, count in enumerate(settings["decoder"])]
        self._exit = _Exit(shop, state, shuffle)

    def __call__(self, pictures: Tensor, previous: Tensor | None = None) -> Tensor:
        """The enhanced pictures, not clamped; `previous`: the ones before, None: `pictures` themselves.

        Raises:
            RuntimeError: pictures of another kind or too large, or the card refuses a kernel.
        """
        return self._guarded(self._run, *self._checked(pictures, previous))

    def _guarded(self, launch: Callable[..., Tensor], *arguments: Any) -> Tensor:
        """Launches on the network's device. What Triton, and the compiler that it calls, raise becomes RuntimeError."""
        from gpen_live.inference.triton.launch import guarded

        with guarded(self._device):
            return launch(*arguments)

    def _run(self, pictures: Tensor, before: Tensor) -> Tensor:
        features = self._entry(pictures, before)
        skips: list[Tensor] = []
        for index, stage in enumerate(self._encoder):
            features = features if index == 0 else self._down[index - 1](features)
            for block in stage:
                features = block(features)
            skips.append(features)
        skips.pop()
        for index in reversed(range(len(self._decoder))):
            features = self._fuse[index](features, skips.pop())
            for block in self._decoder[index]:
                features = block(features)
        return self._exit(features, pictures)

    def _checked(self, pictures: Tensor, previous: Tensor | None) -> tuple[Tensor, Tensor]:
        """The pictures and the ones before, as they lie in the kernels' order."""
        import torch

        before = pictures if previous is None else previous
        for each in (pictures, before):
            if each.dtype != torch.float32 or each.device.type != self._device.type or each.shape != pictures.shape:
                raise RuntimeError("the network's pictures must be float32, on its device, and all of one shape")
        _, colours, height, width = pictures.shape
        if colours != 3 or height % self._stride or width % self._stride or not pictures.numel():
            raise RuntimeError(f"the network's pictures must be N x 3 x H x W, H and W multiples of {self._stride}")
        if pictures.numel() * self._growth >= _MOST_NUMBERS:
            raise RuntimeError("the network's pictures are too large")
        return pictures.contiguous(), before.contiguous()


@dataclass(frozen=True)
class _Shop:
    """What all layers are made with."""

    kernels: Any
    dtype: torch.dtype
    device: torch.device
    choose: Choose

    def tensor(self, values: Tensor) -> Tensor:
        """Weights, in the features' dtype."""
        return values.to(self.device, self.dtype).contiguous()

    def matrix(self, weight: Tensor, rows: int, columns: int) -> Tensor:
        """The weight (outputs x inputs) as inputs x outputs in rows x columns, zeros elsewhere."""
        outputs, inputs = weight.shape
        padded = weight.new_zeros(rows, columns)
        padded[:inputs, :outputs] = weight.T
        return self.tensor(padded)

    def vector(self, bias: Tensor, length: int) -> Tensor:
        """A bias with zeros behind it, float32."""
        padded = bias.new_zeros(length)
        padded[: len(bias)] = bias
        return padded.float().to(self.device)


class _Part:
    """One layer: its weights, and its launch."""

    def __init__(self, shop: _Shop, name: str, kind: Kind, inputs: int, outputs: int) -> None:
        self.layer = Layer(name, kind, inputs, outputs)
        self._shop = shop

    def _tile(self, features: Tensor) -> Tile:
        return self._shop.choose(self.layer, math.prod(features.shape[:3]))

    def _features(self, count: int, height: int, width: int, channels: int) -> Tensor:
        import torch

        return torch.empty(count, height, width, _line(channels), dtype=self._shop.dtype, device=self._shop.device)

    def _launch(self, kernel: Any, grid: tuple[int, ...], tile: Tile, *arguments: Any, **sizes: int | bool) -> None:
        kernel[grid](*arguments, **sizes, num_warps=tile.warps, num_stages=tile.stages)


class _Entry(_Part):
    """N x 3 x H x W pictures to features."""

    def __init__(self, shop: _Shop, state: State, shuffle: int) -> None:
        import torch

        weight = state["entry.weight"].flatten(1)
        pixels = 3 * shuffle**2
        super().__init__(shop, "entry", "entry", pixels, len(weight))
        self._shuffle, self._memory = shuffle, weight.shape[1] > pixels
        rows, columns = power_of_two(pixels), power_of_two(len(weight))
        halves = [weight[:, :pixels], weight[:, pixels:]] if self._memory else [weight]
        self._weight = torch.cat([shop.matrix(half, rows, columns) for half in halves])
        self._bias = shop.vector(state["entry.bias"], columns)

    def __call__(self, pictures: Tensor, before: Tensor) -> Tensor:
        count, _, height, width = pictures.shape
        outputs = self.layer.outputs
        out = self._features(count, height // self._shuffle, width // self._shuffle, outputs)
        tile = self._tile(out)
        block = min(tile.outputs, power_of_two(outputs))
        pixels = count * out.shape[1] * out.shape[2]
        self._launch(
            self._shop.kernels.entry,
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

    def __init__(self, shop: _Shop, name: str, state: State) -> None:
        taps, widen, narrow = (state[f"{name}.{part}.weight"] for part in ("depthwise", "widen", "narrow"))
        biases = (state[f"{name}.{part}.bias"] for part in ("depthwise", "widen", "narrow"))
        hidden, channels = widen.shape[:2]
        super().__init__(shop, name, "block", channels, channels)
        self._kernel = taps.shape[2]
        self._hidden = hidden
        self._columns = columns = power_of_two(channels)
        self._width = -(-hidden // WIDEST) * WIDEST
        self._taps = _padded(taps.flatten(1).T, columns).float().to(shop.device).contiguous()
        self._widen = shop.matrix(widen.flatten(1), columns, self._width)
        self._narrow = shop.matrix(narrow.flatten(1), self._width, columns)
        self._taps_bias, self._widen_bias, self._narrow_bias = (
            shop.vector(bias, length) for bias, length in zip(biases, (columns, self._width, columns), strict=True)
        )

    def __call__(self, features: Tensor) -> Tensor:
        import torch

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
            self._shop.kernels.block,
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
        hidden = self._features(count, height, width, self._hidden)
        widths = {"LINE": line, "BLOCK": self._columns, "HIDDEN_LINE": hidden.shape[3]}
        block = min(tile.outputs, power_of_two(self._hidden))
        self._launch(
            self._shop.kernels.block_widen,
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
            self._shop.kernels.block_narrow,
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

    def __init__(self, shop: _Shop, name: str, state: State) -> None:
        import torch

        weight = state[f"{name}.weight"]
        super().__init__(shop, name, "down", weight.shape[1], weight.shape[0])
        rows, columns = power_of_two(weight.shape[1]), power_of_two(weight.shape[0])
        self._weight = torch.cat([shop.matrix(tap, rows, columns) for tap in weight.flatten(2).unbind(2)])
        self._bias = shop.vector(state[f"{name}.bias"], columns)

    def __call__(self, features: Tensor) -> Tensor:
        count, height, width, line = features.shape
        out = self._features(count, height // 2, width // 2, self.layer.outputs)
        tile = self._tile(out)
        columns = power_of_two(self.layer.outputs)
        block = min(tile.outputs, columns)
        pixels = count * out.shape[1] * out.shape[2]
        self._launch(
            self._shop.kernels.down,
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

    def __init__(self, shop: _Shop, name: str, state: State) -> None:
        reduce, mix = (state[f"{name}.{part}.weight"].flatten(1).double() for part in ("reduce", "mix"))
        reduce_bias, mix_bias = (state[f"{name}.{part}.bias"].double() for part in ("reduce", "mix"))
        skip, coarse = reduce.shape
        super().__init__(shop, name, "fuse", coarse, skip)
        bias = mix[:, :skip] @ reduce_bias + mix_bias
        self._columns = power_of_two(skip)
        self._coarse_weight = shop.matrix(mix[:, :skip] @ reduce, power_of_two(coarse), self._columns)
        self._skip_weight = shop.matrix(mix[:, skip:], self._columns, self._columns)
        self._bias = shop.vector(bias, self._columns)

    def __call__(self, coarse: Tensor, skip: Tensor) -> Tensor:
        import torch

        count, height, width, line = skip.shape
        out = torch.empty_like(skip)
        tile = self._tile(out)
        block = min(tile.outputs, self._columns)
        pixels = count * height * width
        self._launch(
            self._shop.kernels.fuse,
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

    def __init__(self, shop: _Shop, state: State, shuffle: int) -> None:
        import torch

        weight = state["exit.weight"]
        super().__init__(shop, "exit", "exit", weight.shape[1], weight.shape[0])
        self._kernel, self._shuffle = weight.shape[2], shuffle
        self._columns = power_of_two(weight.shape[0])
        rows = power_of_two(weight.shape[1])
        self._weight = torch.cat([shop.matrix(tap, rows, self._columns) for tap in weight.flatten(2).unbind(2)])
        self._bias = shop.vector(state["exit.bias"], self._columns)

    def __call__(self, features: Tensor, pictures: Tensor) -> Tensor:
        import torch

        count, height, width, line = features.shape
        out = torch.empty_like(pictures)
        tile = self._tile(features)
        self._launch(
            self._shop.kernels.leave,
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


def _line(channels: int) -> int:
    """Channels of a pixel in memory: whole 32 bytes, so that a thread moves 16 at once."""
    return -(-channels // SMALLEST) * SMALLEST


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def _rectangles(height: int, width: int, tile: Tile) -> int:
    return _parts(height, tile.rows) * _parts(width, tile.columns)


def _check(dtype: torch.dtype, device: torch.device) -> None:
    """Raises RuntimeError where Triton can't compute in `dtype` on the device."""
    import torch

    name = str(dtype).removeprefix("torch.")
    if name not in _DTYPES:
        raise RuntimeError(f"Triton's kernels don't compute the network in {name}")
    if device.type == "cuda":
        if torch.version.hip is None and torch.cuda.get_device_capability(device) < _OLDEST:
            raise RuntimeError("the graphics card is too old for Triton's kernels")
    elif device.type != "cpu" or not importlib.import_module("triton").knobs.runtime.interpret:
        raise RuntimeError("Triton's kernels need a graphics card")
