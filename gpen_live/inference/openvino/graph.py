"""The light network as a graph of OpenVINO, built from its weights: no file format and no converter between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from gpen_live.nets.lite import Lite
from gpen_live.nets.quantised import quantise_weight

if TYPE_CHECKING:
    from torch import nn

Array = npt.NDArray[Any]
_LEVELS = 256


def build(openvino: Any, network: Lite, ranges: Mapping[str, tuple[float, float]] | None = None) -> Any:
    """What is to be added to a picture, as a graph: `Lite.correction` with N, H and W left open.

    Its inputs are N x 3 x H x W, RGB in [-1, 1], float32: the picture and, where the network has a memory, the picture before.
    Its output has the same shape.

    Args:
        openvino: the library; see `gpen_live.inference.openvino.network.library`.
        network: any light network on the CPU in float32.
        ranges: of what its convolutions get; those that are named compute in 8 bits, the others in float. None: all in float.
    """
    ops = openvino.opset13
    pictures = [ops.parameter([-1, 3, -1, -1], np.float32, name="x")]
    if network.memory:
        pictures.append(ops.parameter([-1, 3, -1, -1], np.float32, name="previous"))
    out = _Builder(ops, network, ranges or {}).correction(pictures)
    return openvino.Model([ops.result(out)], pictures, "lite")


class _Builder:
    """Mirrors the modules of `gpen_live.nets.lite`."""

    def __init__(self, ops: Any, network: Lite, ranges: Mapping[str, tuple[float, float]]) -> None:
        self.ops = ops
        self.network = network
        self.ranges = ranges
        self.modules = cast("dict[str, nn.Module]", dict(network.named_modules()))

    def correction(self, pictures: list[Any]) -> Any:
        ops, network = self.ops, self.network
        features = self._entry(pictures)
        skips: list[Any] = []
        for index, stage in enumerate(network.encoder):
            if index > 0:
                features = self._conv(f"down.{index - 1}", features)
            features = self._blocks(f"encoder.{index}", len(cast("nn.Sequential", stage)), features)
            skips.append(features)
        for index in reversed(range(len(network.decoder))):
            features = self._fuse(f"fuse.{index}", features, skips[index])
            features = self._blocks(f"decoder.{index}", len(cast("nn.Sequential", network.decoder[index])), features)
        return ops.depth_to_space(self._conv("exit", features), "depth_first", network.shuffle)

    def _entry(self, pictures: list[Any]) -> Any:
        """Unshuffling and the 1x1 convolution after it are one convolution with a stride."""
        both = pictures[0] if len(pictures) == 1 else self.ops.concat(pictures, 1)
        return self._conv("entry", both, tile=self.network.shuffle)

    def _blocks(self, name: str, count: int, features: Any) -> Any:
        for index in range(count):
            inner = self._conv(f"{name}.{index}.widen", self._conv(f"{name}.{index}.depthwise", features))
            features = self.ops.add(features, self._conv(f"{name}.{index}.narrow", self.ops.relu(inner)))
        return features

    def _fuse(self, name: str, coarse: Any, skip: Any) -> Any:
        ops = self.ops
        up = ops.interpolate(
            self._conv(f"{name}.reduce", coarse),
            np.array([2.0, 2.0], np.float32),
            "linear_onnx",
            "scales",
            coordinate_transformation_mode="half_pixel",
            axes=np.array([2, 3], np.int64),
        )
        return self._conv(f"{name}.mix", ops.concat([up, skip], 1))

    def _conv(self, name: str, x: Any, *, tile: int = 1) -> Any:
        """The convolution called `name`; `tile`: its input's channels are the pixels of tiles, which `x` still has as pixels."""
        module = cast("nn.Conv2d", self.modules[name])
        weight = module.weight.detach().numpy()
        assert module.bias is not None
        if name in self.ranges:
            x = self._rounded(x, *self.ranges[name])
            integers, scale = quantise_weight(module.weight.detach())
            kernel = self._scaled(integers.numpy(), scale.numpy(), module.groups, tile)
        else:
            kernel = self.ops.constant(_shaped(weight, module.groups, tile))
        pad = [int(p) for p in module.padding]
        stride = [tile, tile] if tile > 1 else [int(s) for s in module.stride]
        convolve = self.ops.convolution if module.groups == 1 else self.ops.group_convolution
        out = convolve(x, kernel, stride, pad, pad, [1, 1])
        return self.ops.add(out, self.ops.constant(module.bias.detach().numpy().reshape(1, -1, 1, 1)))

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


def _shaped(weight: Array, groups: int, tile: int) -> Array:
    """O x I x k x k as OpenVINO has it: G x O/G x I x k x k with groups; a 1x1 kernel over a tile's pixels as a tile's kernel."""
    outputs, inputs, *kernel = weight.shape
    shape = [outputs, inputs, *kernel]
    if groups > 1:
        shape = [groups, outputs // groups, inputs, *kernel]
    elif tile > 1:
        shape = [outputs, inputs // tile**2, tile, tile]
    return np.ascontiguousarray(weight.reshape(shape))  # OpenVINO takes the bytes as they lie
