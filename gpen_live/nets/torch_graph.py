"""A graph of layers in PyTorch: runs everywhere, trains, and is what other runtimes are compared with. Imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    Layer,
    Mean,
    Network,
    Pool,
    Rows,
    Shuffle,
    Unshuffle,
    Upsample,
)


class TorchGraph(nn.Module):
    """A graph's layers as modules: a layer "a.0.b" is the module `a[0].b`, and so its parameters have the names of the graph's.

    Layers without parameters are functions.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        makers = {layer.name: layer for layer in graph.layers if layer.parameters}
        for name in _in_order(makers):
            *path, last = name.split(".")
            parent: nn.Module = self
            for part in path:
                if part not in parent._modules:
                    parent.add_module(part, _Folder())
                parent = cast("nn.Module", parent._modules[part])
            parent.add_module(last, _module(makers[name]))
        last_use = {source: layer for layer in graph.layers for source in layer.sources}
        self._over = {
            layer: [source for source in layer.sources if last_use[source] is layer and source not in graph.outputs]
            for layer in graph.layers
        }
        """What no later layer reads: let go of at once."""

    @classmethod
    def of(cls, network: Network) -> TorchGraph:
        """The network, ready for inference, in float32 on the CPU. Its parameters are copied."""
        module = cls(network.graph)
        module.load_state_dict(tensors(network.weights))
        return module.eval().requires_grad_(False)

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs, in the dtype of the parameters."""
        dtype = next(self.parameters()).dtype
        values = {layer: each.to(dtype) for layer, each in zip(self.graph.inputs, inputs, strict=True)}
        for layer in self.graph.layers[len(inputs) :]:
            values[layer] = self._computed(layer, [values[source] for source in layer.sources])
            for source in self._over[layer]:
                values.pop(source, None)
        return tuple(values[output] for output in self.graph.outputs)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...] | Tensor:
        """As `run`."""
        return self.run(*inputs)

    def _computed(self, layer: Layer, x: list[Tensor]) -> Tensor:
        if layer.parameters:
            sides = layer.op.padding if isinstance(layer.op, Convolution) else (0,) * 4
            padded = x[0] if len(set(sides)) == 1 else F.pad(x[0], (sides[1], sides[3], sides[0], sides[2]))
            out: Tensor = self.get_submodule(layer.name)(padded)
            return out
        match layer.op:
            case Activation(function="relu"):
                return F.relu(x[0])
            case Activation(function="leaky", slope=slope):
                return F.leaky_relu(x[0], slope)
            case Activation(function="sigmoid"):
                return torch.sigmoid(x[0])
            case Affine(scale=scale, offset=offset):
                factors, terms = (x[0].new_tensor(each).view(1, -1, 1, 1) for each in (scale, offset))
                return x[0] * factors + terms
            case Add():
                return x[0] + x[1]
            case Concatenate():
                return torch.cat(x, dim=1)
            case Upsample(factor=factor, mode="nearest"):
                return F.interpolate(x[0], scale_factor=factor, mode="nearest")
            case Upsample(factor=factor):
                return F.interpolate(x[0], scale_factor=factor, mode="bilinear", align_corners=False)
            case Shuffle(factor=factor):
                return F.pixel_shuffle(x[0], factor)
            case Unshuffle(factor=factor):
                return F.pixel_unshuffle(x[0], factor)
            case Pool(mode="max", kernel=kernel, stride=stride):
                return F.max_pool2d(x[0], kernel, stride)
            case Pool(kernel=kernel, stride=stride):
                return F.avg_pool2d(x[0], kernel, stride)
            case Mean():
                return x[0].mean((2, 3))
            case Flatten():
                return x[0].flatten(1)
            case Rows(width=width):
                return x[0].permute(0, 2, 3, 1).reshape(len(x[0]), -1, width)
        raise TypeError(f"PyTorch has no way to compute {layer.op}")


class _Folder(nn.Module):
    """A part of the layers' dotted names; its modules are taken by name, or by number as from a list."""

    def __getitem__(self, index: int) -> nn.Module:
        return cast("nn.Module", self._modules[str(index)])

    def __len__(self) -> int:
        return len(self._modules)


def _in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of a state dict: the parts that are numbers by number, all others as they first appear."""
    seen: dict[str, int] = {}

    def key(name: str) -> list[int]:
        parts = name.split(".")
        prefixes = [".".join(parts[: i + 1]) for i in range(len(parts))]
        return [
            int(part) if part.isdigit() else seen.setdefault(prefix, len(seen))
            for part, prefix in zip(parts, prefixes, strict=True)
        ]

    return sorted(names, key=key)


def _module(layer: Layer) -> nn.Module:
    match layer.op:
        case Convolution(outputs=outputs, kernel=kernel, stride=stride, padding=padding, groups=groups, bias=bias):
            even = padding[0] if len(set(padding)) == 1 else 0
            made = nn.Conv2d(layer.sources[0].channels, outputs, kernel, stride, even, groups=groups, bias=bias)
            if layer.op.starts_at_zero:
                for parameter in made.parameters():
                    nn.init.zeros_(parameter)
            return made
        case Dense(outputs=outputs):
            return nn.Linear(layer.sources[0].channels, outputs)
        case Activation(function="prelu"):
            return nn.PReLU(layer.channels)
    raise TypeError(f"{layer.op} has no parameters")


class Residual(TorchGraph):
    """A network that says what is to be added to its picture, with that sum.

    `memory`: whether it also looks at its last picture. `stride`: height and width must be multiples of it; the caller pads.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.memory = len(graph.inputs) > 1
        self.stride = graph.stride

    def correction(self, x: Tensor, previous: Tensor | None = None) -> Tensor:
        """What is to be added to the picture `x` (N,3,H,W, RGB in [-1, 1]); same shape, in the dtype of the weights."""
        before = x if previous is None else previous
        return self.run(*((x, before) if self.memory else (x,)))[0]

    def forward(self, x: Tensor, previous: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """The enhanced picture.

        Args:
            x: N,3,H,W, RGB in [-1, 1], H and W multiples of `stride`, any float dtype. The layers compute in the dtype of the
                weights; the sum keeps that of `x`, so a float32 picture loses nothing through bfloat16 weights where it is clean.
            previous: what the network made of the frame before, aligned alike, in the shape of `x`; None, or `x` itself, where
                there is none. Only a network with a memory looks at it.

        Returns:
            N,3,H,W in the dtype of `x`, about [-1, 1], not clamped.
        """
        return x + self.correction(x, previous).to(x.dtype)


def tensors(weights: Any) -> dict[str, Tensor]:
    """Parameters as tensors that share their memory."""
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in weights.items()}


def arrays(module: nn.Module) -> dict[str, Array]:
    """A module's parameters as float32 on the host; those that are so already are not copied."""
    return {name: value.detach().float().cpu().contiguous().numpy() for name, value in module.state_dict().items()}


def network(module: TorchGraph) -> Network:
    """What a module runs, with the parameters that it has now."""
    return Network(module.graph, arrays(module))
