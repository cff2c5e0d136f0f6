"""Any graph of layers through Triton, on graphics cards: planned once as a row of fused kernels, then only launched.

The plan is found from the outputs backwards. For each layer the first pattern that fits takes it, and with it as many of the
layers before it as one kernel computes. Architectures bring patterns of their own, for kernels that are tuned to them; the ones
here fit every layer: a convolution with what follows it (bias, activation, the sum with another map), and all that only moves
values. Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import cast

import torch
import triton
from torch import Tensor

from gpen_live.kernels import graph_kernels as kernels
from gpen_live.kernels.launch import guarded, launch
from gpen_live.kernels.lite_tiles import SMALLEST, power_of_two
from gpen_live.nets.layers import (
    Activation,
    Add,
    Affine,
    Array,
    Concatenate,
    Convolution,
    Dense,
    Flatten,
    Graph,
    Input,
    Layer,
    Mean,
    Network,
    Op,
    Pool,
    Rows,
    Shuffle,
    Unshuffle,
    Upsample,
    affine,
)

_DTYPES = ("float16", "bfloat16", "float32")
_OLDEST = (8, 0)
"""Compute capability of the first NVIDIA cards whose matrix units Triton uses (Ampere)."""
_MOST_NUMBERS = 2**31
"""In a tensor: kernels count in 32 bits."""
_WIDEST_IN, _WIDEST_OUT = 64, 64
"""Blocks of channels: of what comes in at a time, and of what one program gives."""
_MOVED = 32
"""Channels that one program moves."""

Step = Callable[..., Tensor]
"""Launches the kernels for a layer, given the values of the layers that it reads; its value. Inputs have N x C x H x W, float32;
all others N x H x W x line, in the plan's dtype: vectors have one pixel, rows one line."""


@dataclass(frozen=True)
class Match:
    """A step, and the layers whose values it is given.

    `plain`: its value is in an output's own layout: N x C x H x W, N x R x C or N x C, float32.
    """

    step: Step
    sources: tuple[Layer, ...]
    plain: bool = False


@dataclass(frozen=True, eq=False)
class Target:
    """What steps are made of and for: the graph and its parameters, the features' dtype, the device."""

    weights: Mapping[str, Array]
    dtype: torch.dtype
    device: torch.device
    graph: Graph

    @cached_property
    def uses(self) -> dict[Layer, int]:
        """How many layers read a layer, the outside as one of them."""
        found = dict.fromkeys(self.graph.layers, 0)
        for layer in (*self.graph.outputs, *(source for each in self.graph.layers for source in each.sources)):
            found[layer] += 1
        return found

    @cached_property
    def exact(self) -> set[Layer]:
        """The layers whose maps have exactly the pictures' sides over their step: windows and padding go up evenly."""
        found: set[Layer] = set()
        for layer in self.graph.layers:
            rest = (0, 0)
            match layer.op:
                case Convolution(kernel=kernel, stride=stride, padding=(top, left, bottom, right)):
                    rest = (top + bottom - kernel + stride, left + right - kernel + stride)
                case Pool(kernel=kernel, stride=stride):
                    rest = (stride - kernel, stride - kernel)
                case _:
                    stride = 1
            if all(source in found for source in layer.sources) and all(0 <= each < stride for each in rest):
                found.add(layer)
        return found

    def alone(self, layer: Layer) -> bool:
        """Whether nobody but one layer reads it, so that it may vanish in that one's kernel."""
        return self.uses[layer] == 1 and not isinstance(layer.op, Input)

    def leaves(self, layer: Layer) -> bool:
        """Whether it is an output that no layer reads: its kernel may write it in an output's layout."""
        return self.uses[layer] == 1 and layer in self.graph.outputs

    def weight(self, name: str) -> Tensor:
        """A parameter on the host."""
        return torch.from_numpy(self.weights[name])

    def matrices(self, weights: Tensor, rows: int, columns: int) -> Tensor:
        """Weights (outputs x inputs x taps) as taps x inputs x outputs in taps x rows x columns, zeros elsewhere."""
        outputs, inputs, taps = weights.shape
        padded = weights.new_zeros(taps, rows, columns)
        padded[:, :inputs, :outputs] = weights.permute(2, 1, 0)
        return padded.to(self.device, self.dtype).contiguous()

    def features(self, count: int, height: int, width: int, channels: int) -> Tensor:
        """A new map."""
        return torch.empty(count, height, width, line(channels), dtype=self.dtype, device=self.device)


Pattern = Callable[[Target, Layer], "Match | None"]
"""Whether and how a layer is computed together with some of those before it."""


def line(channels: int) -> int:
    """Channels of a pixel in memory: whole 32 bytes, so that a thread moves 16 at once."""
    return -(-channels // SMALLEST) * SMALLEST


class TritonGraph:
    """A network as fused kernels: its inputs (N x C x H x W, float32, on the device) to its outputs, float32.

    A call only launches: it waits for nothing and can be captured in a CUDA graph, which then owns the features between the
    layers. Kernels are compiled when a shape first needs them (seconds in all; Triton keeps them on disk).

    Args:
        network: the graph and its parameters, which are copied.
        dtype: of features and weights: float16, bfloat16, or float32 (exact, and slow). Sums are float32.
        device: a graphics card; the CPU where Triton's interpreter is on, which is for tests.
        patterns: of the architecture's own, tried before those for every graph.

    Raises:
        RuntimeError: the card can't run the network this way.
    """

    def __init__(self, network: Network, dtype: torch.dtype, device: torch.device, *, patterns: Sequence[Pattern] = ()) -> None:
        check_device(dtype, device)
        graph = _packed(network.graph)
        self.graph, self._device = graph, device
        self._target = Target(network.weights, dtype, device, graph)
        self._patterns = (*patterns, _flattened, _paired, _convolved, _pooled, _averaged, _joined, _reordered, _moved)
        self._matches: dict[Layer, Match] = {}
        self._plan: dict[Layer, Match] = {}
        """The steps in the order in which they are taken."""
        self._ends = [self._end(output) for output in graph.outputs]
        self._over = self._last_uses()
        self._growth = max(line(layer.channels) / graph.steps[layer] ** 2 for layer in graph.layers if layer.form == "map")

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Maps are N x C x H x W, rows N x R x C, vectors N x C.

        Raises:
            RuntimeError: inputs of another kind or too large, or the card refuses a kernel.
        """
        self._check(inputs)
        with guarded(self._device):
            return self._run(inputs)

    def _run(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        values = {layer: each.contiguous() for layer, each in zip(self.graph.inputs, inputs, strict=True)}
        for layer, match in self._plan.items():
            values[layer] = match.step(*(values[source] for source in match.sources))
            for source in self._over[layer]:
                del values[source]
        return tuple(end.step(*(values[source] for source in end.sources)) for end in self._ends)

    def _last_uses(self) -> dict[Layer, list[Layer]]:
        """What nothing after a step reads: let go of at once."""
        kept = {source for end in self._ends for source in end.sources}
        last = {source: layer for layer, match in self._plan.items() for source in match.sources if source not in kept}
        over: dict[Layer, list[Layer]] = {layer: [] for layer in self._plan}
        for source, layer in last.items():
            over[layer].append(source)
        return over

    def _check(self, inputs: Sequence[Tensor]) -> None:
        first, stride = inputs[0], self.graph.stride
        for layer, each in zip(self.graph.inputs, inputs, strict=True):
            if each.dtype != torch.float32 or each.device.type != self._device.type:
                raise RuntimeError("the network's pictures must be float32, and on its device")
            step = cast("Input", layer.op).step
            sides = (first.shape[2] // step, first.shape[3] // step)
            if each.dim() != 4 or (len(each), *each.shape[2:]) != (len(first), *sides):
                raise RuntimeError("the network's pictures must be N x C x H x W, and all of one shape")
            if each.shape[1] != layer.channels or not each.numel() or first.shape[2] % stride or first.shape[3] % stride:
                raise RuntimeError(f"the network's pictures must be N x C x H x W, H and W multiples of {stride}")
        if len(first) * first.shape[2] * first.shape[3] * self._growth >= _MOST_NUMBERS:
            raise RuntimeError("the network's pictures are too large")

    def _end(self, output: Layer) -> Match:
        """Brings an output into its own layout."""
        match = None if isinstance(output.op, Input) else self._match(output)
        if match is None or not match.plain:
            match = Match(_Move(self._target, output, output, _Ending(), plain=True), (output,), plain=True)
        self._require(match.sources)
        return match

    def _require(self, layers: Sequence[Layer]) -> None:
        """Plans these layers, after all that they need."""
        waiting = [layer for layer in reversed(layers) if not isinstance(layer.op, Input)]
        while waiting:
            layer = waiting[-1]
            match = self._match(layer)
            missing = [each for each in match.sources if each not in self._plan and not isinstance(each.op, Input)]
            waiting += reversed(missing)
            if not missing:
                self._plan.setdefault(layer, match)
                waiting.pop()

    def _match(self, layer: Layer) -> Match:
        if layer in self._matches:
            return self._matches[layer]
        for pattern in self._patterns:
            if (match := pattern(self._target, layer)) is not None:
                self._matches[layer] = match
                return match
        raise RuntimeError(f"Triton has no way to compute {layer.op}")


def _packed(graph: Graph) -> Graph:
    """The graph with a copy in the features' layout of each input that a kernel reads which wants that."""
    copies = {layer: affine(layer) for layer in graph.inputs}
    made: dict[Layer, Layer] = {}
    for layer in graph.layers:
        wanting = isinstance(layer.op, (Convolution, Pool, Mean))
        sources = tuple(copies[each] if wanting and each in copies else made[each] for each in layer.sources)
        made[layer] = layer if sources == layer.sources else replace(layer, sources=sources)
    return Graph(graph.name, graph.inputs, tuple(made[layer] for layer in graph.outputs))


@dataclass(frozen=True)
class _Ending:
    """What a kernel does before it writes: the sum with the map of `other`, and an activation, before that sum with `late`."""

    activation: Layer | None = None
    other: Layer | None = None
    late: bool = False

    @property
    def sources(self) -> tuple[Layer, ...]:
        return () if self.other is None else (self.other,)

    @property
    def constants(self) -> dict[str, bool]:
        sigmoid = self.activation is not None and cast("Activation", self.activation.op).function == "sigmoid"
        sloped = self.activation is not None and not sigmoid
        return {"SLOPED": sloped, "SIGMOID": sigmoid, "ADD": self.other is not None, "LATE": self.late}

    def vector(self, target: Target, width: int, bias: Tensor | None, scale: Tensor | None = None) -> Tensor:
        """Biases, slopes and scales, each `width` numbers, float32, on the device."""
        out = torch.zeros(3, width)
        if bias is not None:
            out[0, : len(bias)] = bias
        if self.activation is not None:
            op = cast("Activation", self.activation.op)
            slopes = target.weight(f"{self.activation.name}.weight") if op.function == "prelu" else torch.tensor([op.slope])
            out[1, : len(slopes) if len(slopes) > 1 else width] = slopes
        if scale is not None:
            out[2, : len(scale)] = scale
        return out.to(target.device)


def _peeled(target: Target, layer: Layer, fits: Callable[[Layer], bool]) -> tuple[Layer, _Ending] | None:
    """The layer that fits, and what of the layers after it, up to `layer`, its kernel does as well."""
    if fits(layer):
        return layer, _Ending()
    if isinstance(layer.op, Activation):
        (inner,) = layer.sources
        if target.alone(inner) and fits(inner):
            return inner, _Ending(layer)
        if target.alone(inner) and isinstance(inner.op, Add):
            for core, other in (inner.sources, inner.sources[::-1]):
                if target.alone(core) and fits(core):
                    return core, _Ending(layer, other)
    if isinstance(layer.op, Add):
        for core, other in (layer.sources, layer.sources[::-1]):
            if target.alone(core) and fits(core):
                return core, _Ending(None, other)
            if isinstance(core.op, Activation) and target.alone(core):
                (inner,) = core.sources
                if target.alone(inner) and fits(inner):
                    return inner, _Ending(core, other, late=True)
    return None


def _convolved(target: Target, layer: Layer) -> Match | None:
    """A convolution or a linear layer, and what follows it."""
    found = _peeled(target, layer, lambda each: isinstance(each.op, (Convolution, Dense)))
    if found is None:
        return None
    core, ending = found
    if ending.other is not None and isinstance(ending.other.op, Input):
        return None  # which lies otherwise
    groups = core.op.groups if isinstance(core.op, Convolution) else 1
    step = _Depthwise if groups == core.channels == core.sources[0].channels and groups > 1 else _Convolution
    return Match(step(target, core, ending), (*core.sources, *ending.sources))


def _flattened(target: Target, layer: Layer) -> Match | None:
    """A convolution that leaves one pixel, as a vector for the outside."""
    if not isinstance(layer.op, Flatten) or not target.leaves(layer):
        return None
    (core,) = layer.sources
    if not isinstance(core.op, Convolution) or core.op.groups == core.channels or layer.op.width != core.channels:
        return None
    if not target.alone(core) or isinstance(core.sources[0].op, Input):
        return None
    return Match(_Convolution(target, core, _Ending(), exact=True), core.sources, plain=True)


class _Product:
    """The weights of a convolution or a linear layer as matrices, and how its outputs are cut into blocks.

    Groups are products of their own where they are wide enough, else one product as well, with zeros between them.
    """

    def __init__(self, target: Target, core: Layer, ending: _Ending) -> None:
        op = core.op
        self.op = op if isinstance(op, Convolution) else Convolution(core.channels, 1, 1, (0,) * 4, 1, True, False)
        inputs, groups = core.sources[0].channels, self.op.groups
        weight = target.weight(f"{core.name}.weight").reshape(core.channels, inputs // groups, -1)
        per = core.channels // groups
        if groups > 1 and per % SMALLEST:
            parts = [weight[i * per : (i + 1) * per] for i in range(groups)]
            weight = torch.zeros(core.channels, inputs, weight.shape[2])
            for i, part in enumerate(parts):
                weight[i * per : (i + 1) * per, i * part.shape[1] : (i + 1) * part.shape[1]] = part
            groups = 1
        self.group_in = inputs // groups
        self.in_block = min(_WIDEST_IN, power_of_two(self.group_in))
        self.out_block = min(_WIDEST_OUT, power_of_two(core.channels) if groups == 1 else per & -per)
        self.in_width, self.out_width = _whole(self.group_in, self.in_block), _whole(core.channels, self.out_block)
        self.group_out = self.out_width if groups == 1 else per
        self.weight = target.matrices(weight, self.in_width, self.out_width)
        self.ends = ending.vector(target, self.out_width, target.weight(f"{core.name}.bias") if self.op.bias else None)

    @property
    def constants(self) -> dict[str, int]:
        return {
            "IN_WIDTH": self.in_width, "IN_BLOCK": self.in_block, "OUT_WIDTH": self.out_width, "OUT_BLOCK": self.out_block,
            "GROUP_IN": self.group_in, "GROUP_OUT": self.group_out,
        }  # fmt: skip


class _Convolution:
    """`exact`: the value is a vector in an output's layout, float32."""

    def __init__(self, target: Target, core: Layer, ending: _Ending, *, exact: bool = False) -> None:
        self._target, self._channels, self._ending, self._exact = target, core.channels, ending, exact
        self._product = _Product(target, core, ending)

    def __call__(self, features: Tensor, other: Tensor | None = None) -> Tensor:
        product, op = self._product, self._product.op
        out, sizes = _windowed(self._target, features, op, self._channels)
        if self._exact:
            out = torch.empty(*out.shape[:3], self._channels, dtype=torch.float32, device=out.device)
        pixels = math.prod(out.shape[:3])
        block, warps = _cut(pixels, product.out_block)
        launch(
            kernels.convolve,
            (_parts(pixels, block), _parts(out.shape[3], product.out_block)),
            *(features, product.weight, product.ends, out if other is None else other, out, pixels, *sizes),
            KERNEL=op.kernel,
            STRIDE=op.stride,
            TOP=op.padding[0],
            LEFT=op.padding[1],
            IN_LINE=features.shape[3],
            OUT_LINE=out.shape[3],
            **product.constants,
            **self._ending.constants,
            PIXELS=block,
            num_warps=warps,
        )
        return out.flatten(1) if self._exact else out


def _paired(target: Target, layer: Layer) -> Match | None:
    """A convolution of each channel by itself and a 1x1 one on that, with what follows, or the pooled map that is added."""
    found = _peeled(target, layer, lambda each: _is_point(each) and _middle(target, each.sources[0]) is not None)
    if found is None:
        return None
    core, ending = found
    middle = _middle(target, core.sources[0])
    assert middle is not None
    deep, activation = middle
    if ending.other is not None and not ending.late and _is_pooled(target, ending.other, deep.sources[0], core):
        pooled = _Ending(ending.activation)
        return Match(_Pair(target, core, pooled, deep, activation, pooled=True), deep.sources)
    if ending.other is not None and isinstance(ending.other.op, Input):
        return None  # which lies otherwise
    return Match(_Pair(target, core, ending, deep, activation), (*deep.sources, *ending.sources))


def _is_point(layer: Layer) -> bool:
    op = layer.op
    if not isinstance(op, Convolution) or (op.kernel, op.stride, op.padding) != (1, 1, (0,) * 4):
        return False
    return op.groups == 1 or op.outputs // op.groups % SMALLEST == 0


def _middle(target: Target, layer: Layer) -> tuple[Layer, Layer | None] | None:
    """A convolution of each channel by itself, and its activation, if `layer` is one, and nobody else reads it."""
    activation = None
    if isinstance(layer.op, Activation) and layer.op.function != "sigmoid" and target.alone(layer):
        activation, layer = layer, layer.sources[0]
    op = layer.op
    if not isinstance(op, Convolution) or not target.alone(layer) or isinstance(layer.sources[0].op, Input):
        return None
    return (layer, activation) if 1 < op.groups == op.outputs == layer.sources[0].channels else None


def _is_pooled(target: Target, layer: Layer, x: Layer, core: Layer) -> bool:
    """Whether `layer` is the largest values of the 2x2 windows of `x`, with channels of zeros behind those of each group."""
    if not (layer in target.exact and core in target.exact and target.alone(layer)):
        return False
    op = layer.op
    if isinstance(op, Convolution):
        groups, given = op.groups, op.outputs // op.groups
        if op.bias or (op.kernel, op.stride) != (1, 1) or groups != cast("Convolution", core.op).groups:
            return False
        weight = target.weight(f"{layer.name}.weight").reshape(groups, given, -1)
        if not torch.equal(weight, torch.eye(given, weight.shape[2]).expand_as(weight)):
            return False
        (layer,) = layer.sources
    if not isinstance(layer.op, Pool) or not target.alone(layer):
        return False
    return (layer.op.mode, layer.op.kernel, layer.op.stride) == ("max", 2, 2) and layer.sources == (x,)


class _Pair:
    def __init__(
        self, target: Target, core: Layer, ending: _Ending, deep: Layer, activation: Layer | None, *, pooled: bool = False
    ) -> None:
        self._target, self._channels, self._ending, self._pooled = target, core.channels, ending, pooled
        self._product = _Product(target, core, ending)
        self._depth = _Depthwise(target, deep, _Ending(activation))
        self._middle = activation is not None

    def __call__(self, features: Tensor, other: Tensor | None = None) -> Tensor:
        product, depth = self._product, self._depth
        out, sizes = _windowed(self._target, features, depth.op, self._channels)
        pixels = math.prod(out.shape[:3])
        block, warps = _cut(pixels, product.out_block)
        launch(
            kernels.pair,
            (_parts(pixels, block), _parts(out.shape[3], product.out_block)),
            *(features, depth.weight, depth.ends, product.weight, product.ends, out if other is None else other, out),
            *(pixels, *sizes),
            KERNEL=depth.op.kernel,
            STRIDE=depth.op.stride,
            TOP=depth.op.padding[0],
            LEFT=depth.op.padding[1],
            IN_LINE=features.shape[3],
            DEPTH_WIDTH=depth.width,
            MIDDLE=self._middle,
            OUT_LINE=out.shape[3],
            **product.constants,
            POOLED=self._pooled,
            **self._ending.constants,
            PIXELS=block,
            num_warps=warps,
        )
        return out


class _Depthwise:
    def __init__(self, target: Target, core: Layer, ending: _Ending) -> None:
        self._target, self.op, self._ending, self._channels = target, cast("Convolution", core.op), ending, core.channels
        self._block = min(_MOVED, power_of_two(core.channels))
        self.width = _whole(core.channels, self._block)
        taps = target.weight(f"{core.name}.weight").flatten(1).T
        padded = torch.zeros(len(taps), self.width)
        padded[:, : core.channels] = taps
        self.weight = padded.to(target.device, target.dtype)
        self.ends = ending.vector(target, self.width, target.weight(f"{core.name}.bias") if self.op.bias else None)

    def __call__(self, features: Tensor, other: Tensor | None = None) -> Tensor:
        out, sizes = _windowed(self._target, features, self.op, self._channels)
        pixels = math.prod(out.shape[:3])
        block, warps = _cut(pixels, self._block)
        launch(
            kernels.depthwise,
            (_parts(pixels, block), _parts(out.shape[3], self._block)),
            *(features, self.weight, self.ends, out if other is None else other, out, pixels, *sizes),
            KERNEL=self.op.kernel,
            STRIDE=self.op.stride,
            TOP=self.op.padding[0],
            LEFT=self.op.padding[1],
            LINE=out.shape[3],
            WIDTH=self.width,
            BLOCK=self._block,
            **self._ending.constants,
            PIXELS=block,
            num_warps=warps,
        )
        return out


def _pooled(target: Target, layer: Layer) -> Match | None:
    if not isinstance(layer.op, Pool):
        return None
    op, block = layer.op, min(_MOVED, power_of_two(layer.channels))

    def step(features: Tensor) -> Tensor:
        window = Convolution(layer.channels, op.kernel, op.stride, (0,) * 4, 1, False, False)
        out, sizes = _windowed(target, features, window, layer.channels)
        pixels = math.prod(out.shape[:3])
        cut, warps = _cut(pixels, block)
        launch(
            kernels.pool,
            (_parts(pixels, cut), _parts(out.shape[3], block)),
            *(features, out, pixels, *sizes),
            KERNEL=op.kernel,
            STRIDE=op.stride,
            LARGEST=op.mode == "max",
            LINE=out.shape[3],
            BLOCK=block,
            PIXELS=cut,
            num_warps=warps,
        )
        return out

    return Match(step, layer.sources)


def _averaged(target: Target, layer: Layer) -> Match | None:
    if not isinstance(layer.op, Mean):
        return None

    def step(features: Tensor) -> Tensor:
        count, height, width, channels = features.shape
        out = target.features(count, 1, 1, channels)
        launch(kernels.mean, (count, _parts(channels, SMALLEST)), features, out, height * width,
               LINE=channels, BLOCK=SMALLEST, PIXELS=64)  # fmt: skip
        return out

    return Match(step, layer.sources)


def _joined(target: Target, layer: Layer) -> Match | None:
    """Maps or vectors into one with the channels of all, rows into one with the rows of all."""
    if not isinstance(layer.op, Concatenate):
        return None
    parts = layer.sources
    moves = [_Move(target, part, part, _Ending()) for part in parts]

    def step(*values: Tensor) -> Tensor:
        views = [_view(part, value) for part, value in zip(parts, values, strict=True)]
        count, height, width, _ = views[0].shape
        if layer.form == "rows":
            width = sum(view.shape[2] for view in views)
        out = target.features(count, height, width, layer.channels)
        first = 0
        for index, (move, view) in enumerate(zip(moves, views, strict=True)):
            if layer.form == "rows":
                move.into(out[:, :, first : first + view.shape[2]], view)
                first += view.shape[2]
            else:
                end = out.shape[3] if index == len(parts) - 1 else first + parts[index].channels
                move.into(out[..., first:end], view)
                first = end
        return out

    return Match(step, parts)


def _reordered(target: Target, layer: Layer) -> Match | None:
    """Rows and vectors from maps."""
    if not isinstance(layer.op, (Rows, Flatten)):
        return None
    source, width = layer.sources[0], layer.op.width
    channels = source.channels

    def as_vector(value: Tensor) -> Tensor:
        view = _view(source, value)
        count, height, columns, _ = view.shape
        out = torch.zeros(count, 1, 1, line(width), dtype=target.dtype, device=target.device)
        by_pixel = out[:, 0, 0, :width].view(count, channels, height, columns).permute(0, 2, 3, 1)
        move.into(by_pixel, view)
        return out

    def as_rows(value: Tensor) -> Tensor:
        view = _view(source, value)
        count, height, columns, _ = view.shape
        each = channels // width
        out = target.features(count, 1, height * columns * each, width)
        by_pixel = out.view(count, height, columns, each, out.shape[3])
        for index in range(each):
            move.into(by_pixel[..., index, :], view[..., index * width : (index + 1) * width])
        return out

    move = _Move(target, layer if isinstance(layer.op, Rows) else source, source, _Ending())
    return Match(as_rows if isinstance(layer.op, Rows) else as_vector, (source,))


_MOVING = (Affine, Shuffle, Unshuffle, Upsample)


def _moved(target: Target, layer: Layer) -> Match | None:
    """What takes each value from one place: other sizes and orders, sums and activations of what is there already."""
    found = _peeled(target, layer, lambda each: isinstance(each.op, _MOVING))
    plain = target.leaves(layer)
    if found is not None:
        core, ending = found
        return Match(
            _Move(target, layer, core.sources[0], ending, op=core.op, plain=plain), (*core.sources, *ending.sources), plain
        )
    if isinstance(layer.op, Activation):
        (inner,) = layer.sources
        if isinstance(inner.op, Add) and target.alone(inner):
            source, other = inner.sources
            return Match(_Move(target, layer, source, _Ending(layer, other), plain=plain), (source, other), plain)
        return Match(_Move(target, layer, inner, _Ending(layer), plain=plain), (inner,), plain)
    if isinstance(layer.op, Add):
        source, other = layer.sources
        return Match(_Move(target, layer, source, _Ending(None, other), plain=plain), (source, other), plain)
    return None


class _Move:
    """Values of a layer to another place, in another order or layout.

    Args:
        layer: what comes out.
        read: the layer whose values are moved.
        ending: what else is done with them.
        op: how they are moved; None: as they are.
        plain: into an output's layout.
    """

    def __init__(
        self, target: Target, layer: Layer, read: Layer, ending: _Ending, *, op: Op | None = None, plain: bool = False
    ) -> None:
        self._target, self._layer, self._read, self._ending, self._plain = target, layer, read, ending, plain
        self._block = min(_MOVED, power_of_two(layer.channels))
        self._width = _whole(layer.channels, self._block)
        self._mode, self._factor, self._larger = kernels.COPY, 1, Fraction(1)
        bias = scale = None
        match op:
            case Affine() if (set(op.scale), set(op.offset)) != ({1.0}, {0.0}):
                bias, scale = torch.tensor(op.offset), torch.tensor(op.scale)
            case Shuffle(factor=factor):
                self._mode, self._factor, self._larger = kernels.SHUFFLE, factor, Fraction(factor)
            case Unshuffle(factor=factor):
                self._mode, self._factor, self._larger = kernels.UNSHUFFLE, factor, Fraction(1, factor)
            case Upsample(factor=factor, mode=mode):
                self._mode = kernels.NEAREST if mode == "nearest" else kernels.BILINEAR
                self._factor, self._larger = factor, Fraction(factor)
        self._scaled = scale is not None
        self._ends = ending.vector(target, self._width, bias, scale)

    def __call__(self, value: Tensor, other: Tensor | None = None) -> Tensor:
        view = _view(self._read, value)
        count, height, width = view.shape[0], int(view.shape[1] * self._larger), int(view.shape[2] * self._larger)
        if self._plain:
            out, by_pixel = self._as_output(count, height, width)
        else:
            out = by_pixel = self._target.features(count, height, width, self._layer.channels)
        self.into(by_pixel, view, None if other is None or self._ending.other is None else _view(self._ending.other, other))
        return out

    def _as_output(self, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """A new output, and its values pixel by pixel."""
        channels = self._layer.channels
        shape = {"map": (count, channels, height, width), "rows": (count, width, channels), "vector": (count, channels)}
        out = torch.empty(shape[self._layer.form], dtype=torch.float32, device=self._target.device)
        by_pixel = out.permute(0, 2, 3, 1) if self._layer.form == "map" else out.view(count, 1, -1, channels)
        return out, by_pixel

    def into(self, out: Tensor, view: Tensor, other: Tensor | None = None) -> None:
        """The same into a view of another map (N x H x W x C, strides of any kind), and zeros to its last channel."""
        count, height, width, channels = out.shape
        pixels = count * height * width
        block, warps = _cut(pixels, self._block)
        beside = out if other is None else other
        launch(
            kernels.move,
            (_parts(pixels, block), _parts(channels, self._block)),
            *(view, self._ends, beside, out, pixels, *view.shape[1:3], height, width),
            *(*view.stride(), *beside.stride(), *out.stride()),
            MODE=self._mode.value,
            FACTOR=self._factor,
            CHANNELS=self._layer.channels,
            WIDTH=self._width,
            BLOCK=self._block,
            SCALED=self._scaled,
            **self._ending.constants,
            LINE=channels,
            PIXELS=block,
            num_warps=warps,
        )


def _view(layer: Layer, value: Tensor) -> Tensor:
    """A layer's value as N x H x W x C; an input lies as it came."""
    return value.permute(0, 2, 3, 1) if isinstance(layer.op, Input) else value


def _windowed(target: Target, features: Tensor, op: Convolution, channels: int) -> tuple[Tensor, tuple[int, int, int, int]]:
    """A new map for what windows on `features` give, and the heights and widths of both."""
    count, height, width, _ = features.shape
    top, left, bottom, right = op.padding
    rows, columns = (height + top + bottom - op.kernel) // op.stride + 1, (width + left + right - op.kernel) // op.stride + 1
    return target.features(count, rows, columns, channels), (height, width, rows, columns)


def _cut(pixels: int, outputs: int) -> tuple[int, int]:
    """Pixels and warps of a program: work for a hundred multiprocessors first."""
    block = 16 if pixels <= 2048 else 32 if pixels <= 8192 else 64
    return block, 8 if block * outputs >= 4096 else 4


def _whole(count: int, block: int) -> int:
    return _parts(count, block) * block


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def check_device(dtype: torch.dtype, device: torch.device) -> None:
    """Raises RuntimeError where Triton can't compute in `dtype` on the device."""
    name = str(dtype).removeprefix("torch.")
    if name not in _DTYPES:
        raise RuntimeError(f"Triton's kernels don't compute the network in {name}")
    if device.type == "cuda":
        if torch.version.hip is None and torch.cuda.get_device_capability(device) < _OLDEST:
            raise RuntimeError("the graphics card is too old for Triton's kernels")
    elif device.type != "cpu" or not triton.knobs.runtime.interpret:
        raise RuntimeError("Triton's kernels need a graphics card")
