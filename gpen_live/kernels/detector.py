"""The face detector on NVIDIA cards as two dozen fused Triton kernels, where PyTorch launches two hundred.

Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
import triton
from torch import Tensor

from gpen_live.faces.detect import ANCHOR_SIZES, MAX_CANDIDATES, MEAN_BGR, STEPS, VARIANCES
from gpen_live.kernels import detector_kernels as kernels
from gpen_live.kernels.launch import Launch, guarded, launch, prepare, together
from gpen_live.nets.layers import Activation, Convolution, Network

_OLDEST = (8, 0)
"""Compute capability of the first NVIDIA cards whose matrix units Triton uses (Ampere)."""
_EARLY = (9, 0)
"""Of the first ones that start a kernel before the one ahead of it is through (Hopper)."""
_ANCHORS = len(ANCHOR_SIZES[0])
_HEADS = 32
"""Numbers of a pixel: a margin, 4 of the box and 10 of the landmarks for each of its anchors, and two idle ones."""
_USUAL_PIXELS = 320 * 192
_ENOUGH = 1 if triton.knobs.runtime.interpret else 100
"""Programs that keep a large card busy. Triton's interpreter, one program after the other, likes fewer of them."""
_SMALLEST = 16
"""Side of a matrix product."""
_ANCHOR_BLOCK, _OTHERS = 16, 512


class Tile(NamedTuple):
    """What one program computes, and with how many warps."""

    pixels: int
    outputs: int
    warps: int = 4


def tile(pixels: int, outputs: int) -> Tile:
    """Cuts a map of so many pixels and outputs (a multiple of 16) into as many programs as a large card runs at a time.

    First its pixels, then its outputs: those repeat the work on the inputs.
    """
    along, across = 128, _power_of_two(outputs)
    while along > _SMALLEST and pixels // along < _ENOUGH:
        along //= 2
    while across > _SMALLEST and (outputs % across or -(-pixels // along) * (outputs // across) < _ENOUGH):
        across //= 2
    return Tile(along, across)


class TritonDetector:
    """Finds a face's candidates as `gpen_live.faces.detect.Detector.candidates` does, a few times as fast.

    A call only launches: it waits for nothing and can be recorded in a CUDA graph. Kernels serve pictures of all sizes.

    Args:
        network: as `gpen_live.nets.retinaface.fold` gives it. Its parameters are copied.
        dtype: of features and weights: float16, or float32 (exact, and slow). Sums, decoding and scores are in float32.
        device: a graphics card; the CPU where Triton's interpreter is on, which is for tests.
        early: a kernel comes up while the one ahead of it ends. Cards that can't do that ignore it.

    Raises:
        RuntimeError: the card can't run the kernels, or the network is another one.
    """

    def __init__(self, network: Network, dtype: torch.dtype, device: torch.device, *, early: bool = False) -> None:
        self._early = _check(dtype, device) and early
        self._dtype, self._device = dtype, device
        try:
            self._weights = _Weights.of(network, dtype, device)
        except KeyError as error:
            raise RuntimeError(f"this is no RetinaFace (mobile0.25): {error} is missing") from error

    def __call__(self, reduced: Tensor) -> Tensor:
        """The best-scored anchors: N x 15, float32, by falling score; see `Detector.candidates`.

        Args:
            reduced: 1 x 3 x h x w, BGR, 0..255, on the device.

        Raises:
            RuntimeError: a picture of another shape, or the card refuses a kernel.
        """
        if reduced.dim() != 4 or reduced.shape[:2] != (1, 3) or not reduced.numel() or reduced.device.type != self._device.type:
            raise RuntimeError("the detector's picture must be 1 x 3 x h x w, on its device")
        with guarded(self._device):
            return self._run(reduced.float().contiguous(), launch)

    def compile(self) -> None:
        """Compiles all kernels, on several processor cores at once; what Triton's cache on disk holds takes no time.

        Raises:
            RuntimeError: the card or the compiler refuses a kernel.
        """
        with guarded(self._device), together():
            self._run(torch.zeros(1, 3, STEPS[-1], STEPS[-1], device=self._device), prepare)

    def _run(self, picture: Tensor, how: Launch) -> Tensor:
        weights = self._weights
        height, width = (-(-side // STEPS[-1]) * STEPS[-1] for side in picture.shape[-2:])
        run = _Pass(how, self._dtype, self._device, self._early, height, width)
        features = run.enter(picture, weights.mean, weights.entry)
        stages = []
        for stage in weights.stages:
            for block in stage:
                features = run.separable(features, block)
            stages.append(features)
        pyramid = run.pyramid(stages, weights)
        return run.choose(*run.heads(pyramid, weights))


@dataclass(frozen=True)
class _Map:
    """Features of one scale, or of several ones that lie one behind the other: of the first, height and width."""

    values: Tensor
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def line(self) -> int:
        return self.values.shape[-1]


class _Pass:
    """One picture's way through the kernels; height and width as padded."""

    def __init__(self, how: Launch, dtype: torch.dtype, device: torch.device, early: bool, height: int, width: int) -> None:
        self._how, self._dtype, self._device, self._early = how, dtype, device, early
        self._height, self._width = height, width

    def enter(self, picture: Tensor, mean: Tensor, entry: _Convolution) -> _Map:
        channels = entry.channels
        out = self._map(2, channels)
        cut = tile(_USUAL_PIXELS // 4, _SMALLEST)
        self._launch(
            kernels.enter,
            (_parts(out.pixels, cut.pixels),),
            cut,
            *(picture, mean, entry.weight, entry.bias, out.values, *picture.shape[-2:], out.pixels, out.width),
            OUT_LINE=channels,
            OUT_BLOCK=entry.bias.shape[-1],
            PIXELS=cut.pixels,
        )
        return out

    def separable(self, features: _Map, block: _Separable) -> _Map:
        step = self._height // features.height * block.stride
        channels = block.pointwise.channels
        out = self._map(step, channels)
        cut = tile(_USUAL_PIXELS // step**2, channels)
        self._launch(
            kernels.separable,
            (_parts(out.pixels, cut.pixels), channels // cut.outputs),
            cut,
            *(features.values, block.depthwise.weight, block.depthwise.bias, block.pointwise.weight, block.pointwise.bias),
            *(out.values, features.height, features.width),
            STRIDE=block.stride,
            IN_LINE=features.line,
            IN_BLOCK=block.depthwise.weight.shape[-1],
            OUT_LINE=channels,
            OUT_BLOCK=cut.outputs,
            PIXELS=cut.pixels,
        )
        return out

    def pyramid(self, stages: list[_Map], weights: _Weights) -> _Map:
        """The features of all scales, from the finest on, the coarser ones led down into the finer ones."""
        channels = weights.laterals[0].channels
        fine = stages[0]
        out = _Map(self._tensor(self._all_pixels, channels), fine.height, fine.width)
        coarse: _Map | None = None
        end = self._all_pixels
        for index in reversed(range(len(stages))):
            here, step = stages[index], STEPS[index]
            end -= here.pixels
            place = _Map(out.values[end:], here.height, here.width)
            between = place if coarse is None else self._map(step, channels)
            cut = tile(_USUAL_PIXELS // step**2, channels)
            lateral = weights.laterals[index]
            self._launch(
                kernels.lateral,
                (_parts(here.pixels, cut.pixels), channels // cut.outputs),
                cut,
                *(here.values, between.values if coarse is None else coarse.values, lateral.weight, lateral.bias, between.values),
                *(here.pixels, here.width),
                ADD=coarse is not None,
                IN_LINE=here.line,
                OUT_LINE=channels,
                OUT_BLOCK=cut.outputs,
                PIXELS=cut.pixels,
            )
            if coarse is not None:
                self._spread(between, 0, weights.merges[index], place, 0, cut, _parts(here.pixels, cut.pixels))
            coarse = place
        return out

    def heads(self, pyramid: _Map, weights: _Weights) -> tuple[Tensor, Tensor]:
        """The context modules and heads of all scales: margins of all anchors, and all that is found at each pixel."""
        inner = weights.third.channels
        ready = weights.final.shape[1] - inner
        context = _Map(self._tensor(self._all_pixels, ready + inner), pyramid.height, pyramid.width)
        # Columns: 3x3 (ready), first of the 5x5 (hidden), 5x5 (ready), the second of the 7x7 (hidden).
        usual = sum(_USUAL_PIXELS // step**2 for step in STEPS)
        for source, first, convolution, column in (
            (pyramid, 0, weights.first, 0),
            (context, weights.first.channels - inner, weights.second, weights.first.channels),
        ):
            cut = tile(usual, convolution.channels)
            self._spread(source, first, convolution, context, column, cut, self._tiles(cut.pixels))
        cut = tile(usual, inner)
        found = torch.empty(self._all_pixels, _HEADS, device=self._device)
        margins = torch.empty(self._all_pixels * _ANCHORS, device=self._device)
        self._launch(
            kernels.heads,
            (self._tiles(cut.pixels),),
            cut,
            *(context.values, weights.third.weight, weights.third.bias, weights.final, weights.final_bias, found, margins),
            *(context.height, context.width),
            LINE=context.line,
            FIRST=ready,
            INNER=inner,
            READY=ready,
            OUT_LINE=_HEADS,
            ANCHORS=_ANCHORS,
            PIXELS=cut.pixels,
        )
        return margins, found

    def choose(self, margins: Tensor, found: Tensor) -> Tensor:
        kept = min(MAX_CANDIDATES, len(margins))
        out = torch.empty(kept, 15, device=self._device)
        self._launch(
            kernels.choose,
            (_parts(len(margins), _ANCHOR_BLOCK),),
            Tile(_ANCHOR_BLOCK, 0, warps=8),
            *(margins, found, out, self._height // STEPS[0], self._width // STEPS[0], len(margins), kept),
            STEP=STEPS[0],
            SIDE=ANCHOR_SIZES[0][0],
            CENTRE_VARIANCE=VARIANCES[0],
            SIZE_VARIANCE=VARIANCES[1],
            LINE=_HEADS,
            BLOCK=_ANCHOR_BLOCK,
            OTHERS=_OTHERS,
        )
        return out

    def _spread(self, source: _Map, first: int, convolution: _Convolution, out: _Map, column: int, cut: Tile, tiles: int) -> None:
        self._launch(
            kernels.spread,
            (tiles, convolution.channels // cut.outputs),
            cut,
            *(source.values, convolution.weight, convolution.bias, out.values, out.height, out.width),
            IN_LINE=source.line,
            IN_FIRST=first,
            IN_BLOCK=convolution.weight.shape[-2],
            OUT_LINE=out.line,
            OUT_FIRST=column,
            OUT_WIDTH=convolution.channels,
            OUT_BLOCK=cut.outputs,
            PIXELS=cut.pixels,
        )

    def _launch(self, kernel: Any, grid: tuple[int, ...], cut: Tile, *arguments: Any, **sizes: int | float | bool) -> None:
        options = {"launch_pdl": True} if self._early else {}
        self._how(kernel, grid, *arguments, **sizes, EARLY=self._early, num_warps=cut.warps, **options)

    @property
    def _all_pixels(self) -> int:
        return sum(self._height // step * (self._width // step) for step in STEPS)

    def _tiles(self, pixels: int) -> int:
        """Of so many pixels, at all scales."""
        return sum(_parts(self._height // step * (self._width // step), pixels) for step in STEPS)

    def _map(self, step: int, channels: int) -> _Map:
        height, width = self._height // step, self._width // step
        return _Map(self._tensor(height * width, channels), height, width)

    def _tensor(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self._dtype, device=self._device)


@dataclass(frozen=True)
class _Convolution:
    """A convolution and its leaky ReLU as the kernels read them; `bias`: 2 x outputs, the slopes behind the biases."""

    weight: Tensor
    bias: Tensor
    channels: int


@dataclass(frozen=True)
class _Separable:
    depthwise: _Convolution
    pointwise: _Convolution
    stride: int


@dataclass(frozen=True)
class _Weights:
    """The network's weights, arranged for the kernels. `first` to `third`, `final`: of all scales, one behind the other."""

    mean: Tensor
    entry: _Convolution
    stages: list[list[_Separable]]
    laterals: list[_Convolution]
    merges: list[_Convolution]
    first: _Convolution
    second: _Convolution
    third: _Convolution
    final: Tensor
    final_bias: Tensor

    @staticmethod
    def of(network: Network, dtype: torch.dtype, device: torch.device) -> _Weights:
        """Raises KeyError where a layer is missing."""
        arrange, read = _Arrange(dtype, device), _Reader(network)
        scales = range(1, len(STEPS) + 1)
        heads = [
            _all_heads(*(read(f"{head}.{i - 1}.conv1x1") for head in ("ClassHead", "BboxHead", "LandmarkHead"))) for i in scales
        ]
        mean = torch.zeros(32)
        mean[:27] = torch.tensor(MEAN_BGR).repeat_interleave(9)
        hidden, before = len(read("ssh1.conv5X5_1.0").bias), len(read("ssh1.conv3X3.0").bias)
        finals = [
            torch.cat([weight[:, :before], weight.new_zeros(_HEADS, hidden), weight[:, before:]], dim=1) for weight, _ in heads
        ]
        return _Weights(
            mean=mean.to(device),
            entry=arrange.entry(read("body.stage1.0.0")),
            stages=[
                [arrange.separable(read(f"{block}.0"), read(f"{block}.3")) for block in read.blocks(f"body.stage{i}")]
                for i in scales
            ],
            laterals=[arrange.pointwise(read(f"fpn.output{i}.0")) for i in scales],
            merges=[arrange.spread([[read(f"fpn.merge{i}.0")]]) for i in scales[:-1]],
            first=arrange.spread([[read(f"ssh{i}.conv3X3.0", end=0.0), read(f"ssh{i}.conv5X5_1.0")] for i in scales]),
            second=arrange.spread([[read(f"ssh{i}.conv5X5_2.0", end=0.0), read(f"ssh{i}.conv7X7_2.0")] for i in scales]),
            third=arrange.spread([[read(f"ssh{i}.conv7x7_3.0", end=0.0)] for i in scales]),
            final=arrange.tensor(torch.stack([weight.T for weight in finals])),
            final_bias=torch.stack([bias for _, bias in heads]).float().to(device),
        )


class _Layer(NamedTuple):
    """A convolution with folded normalisation, and the slope of its leaky ReLU."""

    weight: Tensor
    bias: Tensor
    slope: float
    stride: int

    def biases(self, channels: int) -> Tensor:
        """Biases, and slopes behind them: 2 x channels."""
        out = self.bias.new_zeros(2, channels)
        out[0, : len(self.bias)] = self.bias
        out[1] = self.slope
        return out


class _Reader:
    """Takes layers from a network by their names."""

    def __init__(self, network: Network) -> None:
        self._network = network
        active = [layer for layer in network.graph.layers if isinstance(layer.op, Activation)]
        self._slopes = {layer.sources[0].name: cast("Activation", layer.op).slope for layer in active}

    def __call__(self, name: str, end: float = 1.0) -> _Layer:
        """A convolution; `end`: its slope where no leaky ReLU follows it."""
        op = cast("Convolution", self._network.graph.convolutions[name].op)
        weight, bias = (torch.from_numpy(self._network.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return _Layer(weight, bias, self._slopes.get(name, end), op.stride)

    def blocks(self, stage: str) -> list[str]:
        """Names of a stage's separable convolutions, in their order."""
        return [
            name.removesuffix(".3") for name in self._network.graph.convolutions if name.startswith(stage) and name.endswith(".3")
        ]


def _all_heads(classes: _Layer, boxes: _Layer, landmarks: _Layer) -> tuple[Tensor, Tensor]:
    """Weight (_HEADS x inputs) and bias of one convolution for all; of the classes, by how much a face is the likelier."""
    weights = [head.weight.flatten(1) for head in (classes, boxes, landmarks)]
    biases = [head.bias for head in (classes, boxes, landmarks)]
    weights[0], biases[0] = (each[1::2] - each[::2] for each in (weights[0], biases[0]))
    weight, bias = torch.cat(weights), torch.cat(biases)
    idle = _HEADS - len(bias)
    return torch.cat([weight, weight.new_zeros(idle, weight.shape[1])]), torch.cat([bias, bias.new_zeros(idle)])


@dataclass(frozen=True)
class _Arrange:
    """Puts layers as the kernels read them, on the device."""

    dtype: torch.dtype
    device: torch.device

    def tensor(self, values: Tensor) -> Tensor:
        return values.to(self.device, self.dtype).contiguous()

    def entry(self, layer: _Layer) -> _Convolution:
        matrix = layer.weight.flatten(1).T  # colour, row, column x outputs
        outputs = max(_SMALLEST, matrix.shape[1])
        return self._convolution(_padded(matrix, 32, outputs), layer.biases(outputs), matrix.shape[1])

    def pointwise(self, layer: _Layer) -> _Convolution:
        outputs, inputs = layer.weight.shape[:2]
        matrix = _padded(layer.weight.flatten(1).T, max(_SMALLEST, inputs), outputs)
        return self._convolution(matrix, layer.biases(outputs), outputs)

    def separable(self, depthwise: _Layer, pointwise: _Layer) -> _Separable:
        channels = len(depthwise.weight)
        block = max(_SMALLEST, channels)
        taps = self._convolution(_padded(depthwise.weight.flatten(1).T, 9, block), depthwise.biases(block), channels)
        return _Separable(taps, self.pointwise(pointwise), depthwise.stride)

    def spread(self, scales: list[list[_Layer]]) -> _Convolution:
        """Of each scale, 3x3 convolutions of the same features, to be done as one."""
        weights, biases = [], []
        for layers in scales:
            weight = torch.cat([layer.weight for layer in layers])
            weights.append(weight.permute(2, 3, 1, 0).flatten(0, 1))
            biases.append(torch.cat([layer.biases(len(layer.bias)) for layer in layers], dim=1))
        return self._convolution(torch.stack(weights), torch.stack(biases), biases[0].shape[1])

    def _convolution(self, weight: Tensor, bias: Tensor, channels: int) -> _Convolution:
        return _Convolution(self.tensor(weight), bias.contiguous().to(self.device), channels)


def _padded(matrix: Tensor, rows: int, columns: int) -> Tensor:
    out = matrix.new_zeros(rows, columns)
    out[: matrix.shape[0], : matrix.shape[1]] = matrix
    return out


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def _check(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the card starts kernels early.

    Raises:
        RuntimeError: it can't compute in `dtype` through Triton.
    """
    if dtype not in (torch.float16, torch.float32):
        name = str(dtype).removeprefix("torch.")
        raise RuntimeError(f"Triton's kernels don't look for faces in {name}")
    if device.type == "cuda":
        if torch.version.hip is not None:
            return False
        capability = torch.cuda.get_device_capability(device)
        if capability < _OLDEST:
            raise RuntimeError("the graphics card is too old for Triton's kernels")
        return capability >= _EARLY
    if device.type != "cpu" or not triton.knobs.runtime.interpret:
        raise RuntimeError("Triton's kernels need a graphics card")
    return False
