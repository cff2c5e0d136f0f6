"""Convolutional networks as data: a graph of layers, written once, from which every runtime builds what it runs.

A network is its `Graph` and its parameters (`Network`). PyTorch runs and trains it (`gpen_live.nets.torch_graph`), OpenVINO runs
it on processors (`gpen_live.inference.openvino.graph`), Triton on graphics cards (`gpen_live.kernels.graph`). The number
of pictures and their height and width stay open; an input may be smaller than the others by a whole factor. Parameters are named
as in a PyTorch state dict: a layer's dotted name, then `weight` or `bias`. Imports no runtime.

Layers are made by the functions below, each from the layers that it reads::

    x = picture("x", 3)
    y = relu(convolution("first", x, 16, kernel=3, padding=1))
    graph = Graph("small", inputs=(x,), outputs=(add(y, convolution("second", y, 16)),))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

Form = Literal["map", "rows", "vector"]
"""The shape of what a layer gives: N x C x H x W, N x R x C, or N x C."""

Padding = tuple[int, int, int, int]
"""Rows and columns of zeros around a map: top, left, bottom, right."""


@dataclass(frozen=True)
class Input:
    """A picture that comes in; along a side, one pixel of it for each `step` pixels of the network's pictures."""

    step: int = 1


@dataclass(frozen=True)
class Convolution:
    """`name.weight` (outputs x inputs / groups x kernel x kernel) and, with `bias`, `name.bias` (outputs).

    `starts_at_zero`: both are zero before any training; else as PyTorch does it.
    """

    outputs: int
    kernel: int
    stride: int
    padding: Padding
    groups: int
    bias: bool
    starts_at_zero: bool


@dataclass(frozen=True)
class Dense:
    """`name.weight` (outputs x inputs) and `name.bias` (outputs)."""

    outputs: int


@dataclass(frozen=True)
class Activation:
    """Of each value. A leaky ReLU multiplies what is negative by `slope`, a PReLU by its channel's value in `name.weight`."""

    function: Literal["relu", "leaky", "prelu", "sigmoid"]
    slope: float = 0.0


@dataclass(frozen=True)
class Affine:
    """Each channel times its scale, plus its offset: constants."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True)
class Add:
    """The sum of two layers of one shape."""


@dataclass(frozen=True)
class Concatenate:
    """The channels of maps behind each other, or the rows of rows."""


@dataclass(frozen=True)
class Upsample:
    """A map with `factor` times the height and width: the nearest pixel, or bilinear between pixels' centres."""

    factor: int
    mode: Literal["nearest", "bilinear"]


@dataclass(frozen=True)
class Shuffle:
    """Channels become the pixels of tiles (PyTorch's `pixel_shuffle`)."""

    factor: int


@dataclass(frozen=True)
class Unshuffle:
    """The pixels of tiles become channels (PyTorch's `pixel_unshuffle`)."""

    factor: int


@dataclass(frozen=True)
class Pool:
    """The largest or the mean value of each window. Windows lie wholly within the map."""

    mode: Literal["max", "mean"]
    kernel: int
    stride: int


@dataclass(frozen=True)
class Mean:
    """The mean of each channel over the whole map: a vector."""


@dataclass(frozen=True)
class Flatten:
    """A map of known size as a vector of `width` numbers, channel by channel."""

    width: int


@dataclass(frozen=True)
class Rows:
    """A map as rows of `width` numbers: pixel by pixel (line by line), each pixel's channels cut into rows."""

    width: int


_Map = Convolution | Affine | Upsample | Shuffle | Unshuffle | Pool
Op = Input | _Map | Activation | Add | Concatenate | Mean | Flatten | Dense | Rows


@dataclass(frozen=True, eq=False)
class Layer:
    """One operation and what it reads.

    Args:
        op: what it does.
        sources: the layers that it reads.
        channels: of what it gives; of rows, the numbers in each.
        form: the shape of what it gives.
        name: what its parameters' names begin with, or an input's name; empty for other layers.
    """

    op: Op
    sources: tuple[Layer, ...]
    channels: int
    form: Form = "map"
    name: str = ""

    def __deepcopy__(self, _: object) -> Layer:
        return self

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Parameter's name -> shape."""
        match self.op:
            case Convolution(outputs=outputs, kernel=kernel, groups=groups, bias=bias):
                shapes = {f"{self.name}.weight": (outputs, self.sources[0].channels // groups, kernel, kernel)}
                return {**shapes, f"{self.name}.bias": (outputs,)} if bias else dict(shapes)
            case Dense(outputs=outputs):
                return {f"{self.name}.weight": (outputs, self.sources[0].channels), f"{self.name}.bias": (outputs,)}
            case Activation(function="prelu"):
                return {f"{self.name}.weight": (self.channels,)}
        return {}


def picture(name: str, channels: int, *, step: int = 1) -> Layer:
    """An input: N x channels x H / step x W / step. One of another step than 1 goes beside pictures of the full size."""
    return Layer(Input(step), (), channels, name=name)


def convolution(
    name: str,
    x: Layer,
    outputs: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    padding: int | Padding = 0,
    groups: int = 1,
    bias: bool = True,
    starts_at_zero: bool = False,
) -> Layer:
    """A convolution of square kernels; `padding`: of zeros, on all sides or on each (top, left, bottom, right)."""
    _need(x, "map")
    if x.channels % groups or outputs % groups:
        raise ValueError(f"{name}: {x.channels} channels to {outputs} can't be {groups} groups")
    sides = (padding,) * 4 if isinstance(padding, int) else padding
    return Layer(Convolution(outputs, kernel, stride, sides, groups, bias, starts_at_zero), (x,), outputs, name=name)


def dense(name: str, x: Layer, outputs: int) -> Layer:
    """A linear layer on vectors."""
    _need(x, "vector")
    return Layer(Dense(outputs), (x,), outputs, "vector", name)


def relu(x: Layer) -> Layer:
    """What is positive; zero for all else."""
    return Layer(Activation("relu"), (x,), x.channels, x.form)


def leaky_relu(x: Layer, slope: float) -> Layer:
    """What is positive, and `slope` times what is negative."""
    return Layer(Activation("leaky", slope), (x,), x.channels, x.form)


def prelu(name: str, x: Layer) -> Layer:
    """A leaky ReLU with a learnt slope for each channel."""
    if x.form == "rows":
        raise ValueError(f"{name}: rows have no channels")
    return Layer(Activation("prelu"), (x,), x.channels, x.form, name)


def sigmoid(x: Layer) -> Layer:
    """1 / (1 + exp(-x))."""
    return Layer(Activation("sigmoid"), (x,), x.channels, x.form)


def affine(x: Layer, *, scale: tuple[float, ...] | float = 1.0, offset: tuple[float, ...] | float = 0.0) -> Layer:
    """`x * scale + offset`; one number is that of all channels."""
    _need(x, "map")
    scales, offsets = ((each,) * x.channels if isinstance(each, (int, float)) else each for each in (scale, offset))
    if len(scales) != x.channels or len(offsets) != x.channels:
        raise ValueError(f"an affine layer needs {x.channels} scales and offsets")
    return Layer(Affine(scales, offsets), (x,), x.channels)


def add(a: Layer, b: Layer) -> Layer:
    """The sum of two layers of one shape."""
    if (a.channels, a.form) != (b.channels, b.form):
        raise ValueError(f"{a.form} of {a.channels} channels and {b.form} of {b.channels} can't be added")
    return Layer(Add(), (a, b), a.channels, a.form)


def concatenate(*parts: Layer) -> Layer:
    """The channels of maps or vectors behind each other; of rows of one width, the rows."""
    form = parts[0].form
    if any(part.form != form for part in parts) or (form == "rows" and len({part.channels for part in parts}) > 1):
        raise ValueError("what is concatenated must be of one form, rows of one width")
    channels = parts[0].channels if form == "rows" else sum(part.channels for part in parts)
    return Layer(Concatenate(), parts, channels, form)


def upsample(x: Layer, factor: int = 2, *, mode: Literal["nearest", "bilinear"] = "bilinear") -> Layer:
    """N x C x H x W to N x C x factor H x factor W; see `Upsample`."""
    _need(x, "map")
    return Layer(Upsample(factor, mode), (x,), x.channels)


def shuffle(x: Layer, factor: int) -> Layer:
    """N x C factor^2 x H x W to N x C x factor H x factor W."""
    _need(x, "map")
    if x.channels % factor**2:
        raise ValueError(f"{x.channels} channels can't become tiles of {factor} x {factor}")
    return Layer(Shuffle(factor), (x,), x.channels // factor**2)


def unshuffle(x: Layer, factor: int) -> Layer:
    """N x C x factor H x factor W to N x C factor^2 x H x W."""
    _need(x, "map")
    return Layer(Unshuffle(factor), (x,), x.channels * factor**2)


def pool(x: Layer, kernel: int, *, stride: int | None = None, mode: Literal["max", "mean"] = "max") -> Layer:
    """`stride`: None: `kernel`."""
    _need(x, "map")
    return Layer(Pool(mode, kernel, kernel if stride is None else stride), (x,), x.channels)


def mean(x: Layer) -> Layer:
    """N x C x H x W to N x C."""
    _need(x, "map")
    return Layer(Mean(), (x,), x.channels, "vector")


def flatten(x: Layer, width: int) -> Layer:
    """N x C x H x W to N x width, where C H W is `width`."""
    _need(x, "map")
    return Layer(Flatten(width), (x,), width, "vector")


def rows(x: Layer, width: int) -> Layer:
    """N x C x H x W to N x H W C / width x width, for heads that give several rows at each pixel."""
    _need(x, "map")
    if x.channels % width:
        raise ValueError(f"{x.channels} channels can't be cut into rows of {width}")
    return Layer(Rows(width), (x,), width, "rows")


def _need(x: Layer, form: Form) -> None:
    if x.form != form:
        raise ValueError(f"a {form} is needed, not {x.form}")


@dataclass(frozen=True, eq=False)
class Graph:
    """A network without its parameters.

    Args:
        name: of the architecture.
        inputs: in the order in which pictures are given.
        outputs: in the order in which they are given back.

    Raises:
        ValueError: two layers share a name, or read an input that is not among `inputs`.
    """

    name: str
    inputs: tuple[Layer, ...]
    outputs: tuple[Layer, ...]

    def __post_init__(self) -> None:
        named = [layer.name for layer in self.layers if layer.name]
        if len(set(named)) < len(named):
            raise ValueError(f"two layers of {self.name} share a name")
        if any(isinstance(layer.op, Input) and layer not in self.inputs for layer in self.layers):
            raise ValueError(f"{self.name} reads an input that nobody gives it")

    def __deepcopy__(self, _: object) -> Graph:
        return self

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, inputs first, each after those that it reads; always in the same order."""
        found: dict[Layer, None] = dict.fromkeys(self.inputs)
        waiting = list(reversed(self.outputs))
        while waiting:
            layer = waiting[-1]
            missing = [source for source in reversed(layer.sources) if source not in found]
            waiting += missing
            if not missing:
                waiting.pop()
                found[layer] = None
        return tuple(found)

    @cached_property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Parameter's name -> shape."""
        return {name: shape for layer in self.layers for name, shape in layer.parameters.items()}

    @cached_property
    def convolutions(self) -> dict[str, Layer]:
        """The convolutions by name."""
        return {layer.name: layer for layer in self.layers if isinstance(layer.op, Convolution)}

    @cached_property
    def steps(self) -> dict[Layer, Fraction]:
        """Pixels of the pictures, along a side, for each pixel of a layer's map."""
        found: dict[Layer, Fraction] = {}
        for layer in self.layers:
            step = max((found[source] for source in layer.sources), default=Fraction(1))
            match layer.op:
                case Input(step=factor) | Convolution(stride=factor) | Pool(stride=factor) | Unshuffle(factor=factor):
                    step *= factor
                case Upsample(factor=factor) | Shuffle(factor=factor):
                    step /= factor
            found[layer] = step
        return found

    @cached_property
    def stride(self) -> int:
        """Height and width of the pictures must be multiples of this."""
        return lcm(*(step.numerator for step in self.steps.values()))

    def misfit(self, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
        """What is wrong with parameters of these names and shapes, for the end of a sentence; None: nothing."""
        if any(shapes.get(name, shape) != shape for name, shape in self.parameters.items()):
            return "its parameters have other shapes"
        if missing := next((name for name in self.parameters if name not in shapes), None):
            return f"{missing} is missing"
        if unexpected := next((name for name in shapes if name not in self.parameters), None):
            return f"{unexpected} is left over"
        return None


@dataclass(frozen=True, eq=False)
class Network:
    """A graph with its parameters.

    Args:
        graph: what is computed.
        weights: parameter's name -> values, float32.

    Raises:
        ValueError: the parameters do not fit the graph.
    """

    graph: Graph
    weights: Mapping[str, Array]

    def __post_init__(self) -> None:
        if wrong := self.graph.misfit({name: values.shape for name, values in self.weights.items()}):
            raise ValueError(wrong)
        if any(values.dtype != np.float32 for values in self.weights.values()):
            raise ValueError("a network's parameters must be float32")
