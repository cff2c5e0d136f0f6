"""A graph of layers as OpenVINO's, built from its parameters: no file format and no converter between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpen_live.nets.layers import (
    Activation,
    Add,
    Affine,
    Array,
    Concatenate,
    Convolution,
    Dense,
    Flatten,
    Layer,
    Mean,
    Network,
    Pool,
    Rows,
    Shuffle,
    Unshuffle,
    Upsample,
)
from gpen_live.nets.quantised import Ranges, quantise_weight

_LEVELS = 256


def build(openvino: Any, network: Network, ranges: Ranges | None = None) -> Any:
    """The network as a model whose inputs and outputs are the graph's, float32, with N, H and W left open.

    Args:
        openvino: the library; see `gpen_live.inference.openvino.network.library`.
        network: the graph and its parameters.
        ranges: of what its convolutions get; those that are named compute in 8 bits, the others in float. None: all in float.
    """
    ops = openvino.opset13
    inputs = [ops.parameter([-1, layer.channels, -1, -1], np.float32, name=layer.name) for layer in network.graph.inputs]
    results = [ops.result(each) for each in nodes(ops, network, inputs, ranges)]
    return openvino.Model(results, inputs, network.graph.name)


def nodes(ops: Any, network: Network, inputs: Sequence[Any], ranges: Ranges | None = None) -> list[Any]:
    """The nodes of a graph's outputs, for a model of which it is a part.

    Args:
        ops: OpenVINO's operations. inputs: the nodes that the graph reads. network, ranges: as for `build`.
    """
    graph = network.graph
    builder = _Builder(ops, network.weights, ranges or {}, dict(zip(graph.inputs, inputs, strict=True)))
    for layer in graph.layers[len(inputs) :]:
        builder.add(layer)
    return [builder.values[layer] for layer in graph.outputs]


class _Builder:
    """Turns layers into nodes, in the order of the graph; `values`: those of its inputs."""

    def __init__(self, ops: Any, weights: Mapping[str, Array], ranges: Ranges, values: dict[Layer, Any]) -> None:
        self.ops, self.weights, self.ranges, self.values = ops, weights, ranges, values

    def add(self, layer: Layer) -> None:
        self.values[layer] = self._node(layer, [self.values[source] for source in layer.sources])

    def _node(self, layer: Layer, x: list[Any]) -> Any:
        ops = self.ops
        match layer.op:
            case Convolution() as op:
                return self._convolved(layer, op, x[0])
            case Dense():
                product = ops.matmul(x[0], ops.constant(self._weight(f"{layer.name}.weight")), False, True)
                return ops.add(product, ops.constant(self._weight(f"{layer.name}.bias").reshape(1, -1)))
            case Activation() as op:
                return self._activated(layer, op, x[0])
            case Affine(scale=scale, offset=offset):
                factors, terms = (np.array(each, np.float32).reshape(1, -1, 1, 1) for each in (scale, offset))
                scaled = x[0] if (factors == 1).all() else ops.multiply(x[0], ops.constant(factors))
                return scaled if (terms == 0).all() else ops.add(scaled, ops.constant(terms))
            case Add():
                return ops.add(*x)
            case Concatenate():
                return ops.concat(x, 1)
            case Upsample(factor=factor, mode=mode):
                return self._upsampled(x[0], factor, mode)
            case Shuffle(factor=factor):
                return ops.depth_to_space(x[0], "depth_first", factor)
            case Unshuffle(factor=factor):
                return ops.space_to_depth(x[0], "depth_first", factor)
            case Pool(mode="max", kernel=kernel, stride=stride):
                sides = ([stride] * 2, [1, 1], [0, 0], [0, 0], [kernel] * 2)
                return ops.max_pool(x[0], *sides, rounding_type="floor", index_element_type="i64").output(0)
            case Pool(kernel=kernel, stride=stride):
                return ops.avg_pool(x[0], [stride] * 2, [0, 0], [0, 0], [kernel] * 2, True, rounding_type="floor")
            case Mean():
                return ops.reduce_mean(x[0], np.array([2, 3], np.int64), False)
            case Flatten(width=width):
                return ops.reshape(x[0], np.array([-1, width], np.int64), special_zero=False)
            case Rows(width=width):
                last = ops.transpose(x[0], np.array([0, 2, 3, 1], np.int64))
                return ops.reshape(last, np.array([0, -1, width], np.int64), special_zero=True)
        raise TypeError(f"OpenVINO has no way to compute {layer.op}")

    def _weight(self, name: str) -> Array:
        return np.ascontiguousarray(self.weights[name], np.float32)  # OpenVINO takes the bytes as they lie

    def _activated(self, layer: Layer, op: Activation, x: Any) -> Any:
        if op.function == "relu":
            return self.ops.relu(x)
        if op.function == "sigmoid":
            return self.ops.sigmoid(x)
        slopes = self._weight(f"{layer.name}.weight") if op.function == "prelu" else np.array([op.slope], np.float32)
        return self.ops.prelu(x, self.ops.constant(slopes))

    def _upsampled(self, x: Any, factor: int, mode: str) -> Any:
        scales, axes = np.array([factor, factor], np.float32), np.array([2, 3], np.int64)
        if mode == "nearest":
            how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            return self.ops.interpolate(x, scales, "nearest", "scales", axes=axes, **how)
        return self.ops.interpolate(x, scales, "linear_onnx", "scales", coordinate_transformation_mode="half_pixel", axes=axes)

    def _convolved(self, layer: Layer, op: Convolution, x: Any) -> Any:
        """A convolution; one of 1x1 on the pixels of tiles and the unshuffling before it are one with a stride."""
        weight = self._weight(f"{layer.name}.weight")
        tiled = _tiles(layer.sources[0]) if (op.kernel, op.stride, op.padding, op.groups) == (1, 1, (0,) * 4, 1) else ()
        if tiled:
            parts = np.split(weight, np.cumsum([one.channels for one in tiled])[:-1].tolist(), axis=1)
            sources = [
                (self.values[one.sources[0]], part, factor) for (one, factor), part in zip(tiled.items(), parts, strict=True)
            ]
        else:
            sources = [(x, weight, 1)]
        out = None
        for source, part, tile in sources:
            more = self._multiplied(layer, op, source, part, tile)
            out = more if out is None else self.ops.add(out, more)
        if not op.bias:
            return out
        return self.ops.add(out, self.ops.constant(self._weight(f"{layer.name}.bias").reshape(1, -1, 1, 1)))

    def _multiplied(self, layer: Layer, op: Convolution, x: Any, weight: Array, tile: int) -> Any:
        """A convolution's sums, without its bias."""
        if layer.name in self.ranges:
            x = self._rounded(x, *self.ranges[layer.name])
            integers, scale = quantise_weight(weight)
            kernel = self._scaled(integers, scale, op.groups, tile)
        else:
            kernel = self.ops.constant(_shaped(weight, op.groups, tile))
        top, left, bottom, right = op.padding
        convolve = self.ops.convolution if op.groups == 1 else self.ops.group_convolution
        return convolve(x, kernel, [op.stride * tile] * 2, [top, left], [bottom, right], [1, 1])

    def _rounded(self, x: Any, low: float, high: float) -> Any:
        """`x` on one of 256 steps from `low` to `high`: OpenVINO turns this and the convolution after it to integers."""
        edges = [np.float32(low), np.float32(high)]
        return self.ops.fake_quantize(x, *(self.ops.constant(e) for e in (*edges, *edges)), _LEVELS)

    def _scaled(self, integers: Array, scale: Array, groups: int, tile: int) -> Any:
        ops = self.ops
        shaped = _shaped(integers, groups, tile)
        outputs = shaped.shape[:2] if groups > 1 else shaped.shape[:1]
        per_output = scale.reshape([*outputs, *[1] * (shaped.ndim - len(outputs))])
        return ops.multiply(ops.convert(ops.constant(shaped), np.float32), ops.constant(per_output))


def _tiles(source: Layer) -> dict[Layer, int]:
    """What a layer joins, with the sides of its tiles, if all of it is unshuffled."""
    joined = source.sources if isinstance(source.op, Concatenate) else (source,)
    tiles = {one: one.op.factor for one in joined if isinstance(one.op, Unshuffle)}
    return tiles if len(tiles) == len(joined) else {}


def _shaped(weight: Array, groups: int, tile: int) -> Array:
    """O x I x k x k as OpenVINO has it: G x O/G x I x k x k with groups; a 1x1 kernel over a tile's pixels as a tile's kernel."""
    outputs, inputs, *kernel = weight.shape
    shape = [outputs, inputs, *kernel]
    if groups > 1:
        shape = [groups, outputs // groups, inputs, *kernel]
    elif tile > 1:
        shape = [outputs, inputs // tile**2, tile, tile]
    return np.ascontiguousarray(weight.reshape(shape))  # OpenVINO takes the bytes as they lie
