"""GPEN as a graph of OpenVINO, built from its weights: no file format and no converter between.

The low-pass filters stay convolutions of their own. Multiplied into the weights they would save a pass over memory for four times
the arithmetic; measured on two cores, that gains nothing in bf16 and doubles the time in fp32. The small filter also evens out
what bf16 rounds before it, and the larger weights would round more: down-sampling layers then differ twice as much from fp32.

In bf16 the convolutions alone compute in 16 bits. Styles and demodulation decide about whole channels, and the colours are summed
over all scales: they stay in fp32. So do the encoder's last scales, small ones that the styles are made from. Together that takes
a third to a half off the picture's error for a tenth more time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from gpen_live.nets.gpen import SLOPE, Gpen

if TYPE_CHECKING:
    from torch import Tensor

_TINY = np.float32(1e-8)
_EXACT_SIDE = 16
"""Encoder's scales of so many pixels, and smaller ones, stay in fp32."""


def build(openvino: Any, network: Gpen, *, bf16: bool = False) -> Any:
    """The restored face as a graph: `Gpen.forward` for one picture.

    Its input and its output are 1 x 3 x size x size, RGB, about [-1, 1], float32. All precisions are in the graph: the plugin's
    own choice ("bf16" as its hint) would round styles too.

    Args:
        openvino: the library; see `gpen_live.inference.openvino.network.library`.
        network: any GPEN on the CPU in float32; its weights are copied.
        bf16: convolutions and what lies between them in bfloat16.
    """
    ops, types = openvino.opset13, openvino.Type
    picture = ops.parameter([1, 3, network.size, network.size], np.float32, name="x")
    restored = _Builder(openvino, network, types.bf16 if bf16 else types.f32).restored(picture)
    return openvino.Model([ops.result(restored)], [picture], "gpen")


class _Builder:
    """Mirrors the modules of `gpen_live.nets.gpen`, found by the names of their parameters."""

    def __init__(self, openvino: Any, network: Gpen, low: Any) -> None:
        """`low`: the type of convolutions."""
        self.ops = openvino.opset13
        self.low, self.full = low, openvino.Type.f32
        self.exact = self if low == self.full else _Builder(openvino, network, self.full)
        self.size = network.size
        self.tensors: dict[str, Tensor] = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        self.gains = {name: float(module.gain) for name, module in network.named_modules() if hasattr(module, "gain")}

    def restored(self, picture: Any) -> Any:
        *features, coarsest = self._encoded(picture)
        code = self._code(coarsest)
        x = self._styled("generator.conv1", self._constant("generator.input.input"), coarsest, code)
        out = self._coloured("generator.to_rgb1", x, code)
        for level, feature in enumerate(reversed(features)):
            for index in (2 * level, 2 * level + 1):
                x = self._styled(f"generator.convs.{index}", x, feature, code)
            out = self.ops.add(self._coloured(f"generator.to_rgbs.{level}", x, code), self._doubled(level, out))
        return out

    def _encoded(self, picture: Any) -> list[Any]:
        """The encoder's features, from full size to 4 px."""
        x = self._activated(self._raised(self._convolved(picture, "ecd0.0.0.weight")), "ecd0.0.1.bias")
        features = [self._lowered(x)]
        while (side := self.size >> len(features)) >= 4:
            builder = self if side > _EXACT_SIDE else self.exact
            x = builder._reduced(f"ecd{len(features)}.0", x)
            features.append(builder._lowered(x))
        return features

    def _reduced(self, name: str, x: Any) -> Any:
        """One block of the encoder, which halves the side."""
        x = self._convolved(self._filtered(x, f"{name}.0.kernel", padding=2), f"{name}.1.weight", stride=2)
        return self._activated(self._raised(x), f"{name}.2.bias")

    def _code(self, coarsest: Any) -> Any:
        """What the styles are made of, 1 x style_dim."""
        ops = self.ops
        code = self._activated(self._mapped(self._raised(self._reshaped(coarsest, [1, -1])), "final_linear.0"))
        mean = ops.reduce_mean(ops.multiply(code, code), self._axis(1), keep_dims=True)
        code = ops.divide(code, ops.sqrt(ops.add(mean, ops.constant(_TINY))))
        layer = 1
        while f"generator.style.{layer}.weight" in self.tensors:
            code = self._activated(self._mapped(code, f"generator.style.{layer}"))
            layer += 1
        return code

    def _styled(self, name: str, x: Any, feature: Any, code: Any) -> Any:
        """Modulated convolution, beside it the encoder's features, then bias and leaky ReLU."""
        ops = self.ops
        before, after = self._modulation(f"{name}.conv.modulation", code)
        x = ops.multiply(self._raised(x), before)
        kernel, taps = f"{name}.conv.weight", f"{name}.conv.blur.kernel"
        if taps in self.tensors:
            wide = ops.convolution_backprop_data(self._lowered(x), self._kernel(self.tensors[kernel]), [2, 2])
            own = self._filtered(wide, taps, padding=1)
        else:
            own = self._convolved(x, kernel, padding=1)
        own_bias, feature_bias = self.tensors[f"{name}.activate.bias"].chunk(2)
        strength = ops.constant(self._values(self.tensors[f"{name}.noise.weight"]).reshape(1, 1, 1, 1))
        own = self._activated(ops.multiply(self._raised(own), after), own_bias)
        feature = self._activated(ops.multiply(self._raised(feature), strength), feature_bias)
        return ops.concat([self._lowered(own), self._lowered(feature)], 1)

    def _coloured(self, name: str, x: Any, code: Any) -> Any:
        """What the features contribute to the picture."""
        before, after = self._modulation(f"{name}.conv.modulation", code, demodulate=False)
        x = self.ops.multiply(self._raised(x), before)
        colours = self._raised(self._convolved(x, f"{name}.conv.weight"))
        return self.ops.add(self.ops.multiply(colours, after), self._constant(f"{name}.bias"))

    def _doubled(self, level: int, picture: Any) -> Any:
        """The picture so far at twice its side."""
        kernel = self.ops.constant(self._values(self.tensors[f"generator.to_rgbs.{level}.upsample.kernel"][:, None]))
        return self.ops.group_convolution_backprop_data(picture, kernel, [2, 2], pads_begin=[1, 1], pads_end=[1, 1])

    def _modulation(self, name: str, code: Any, *, demodulate: bool = True) -> tuple[Any, Any]:
        """Factors on the input and on the output of a convolution, each 1 x channels x 1 x 1."""
        ops = self.ops
        style = self._mapped(code, name)
        peak = ops.maximum(ops.reduce_max(ops.abs(style), self._axis(1), keep_dims=True), ops.constant(_TINY))
        after = ops.multiply(peak, ops.constant(np.float32(self.gains[name])))
        if demodulate:
            energy = ops.matmul(ops.multiply(style, style), self._constant(f"{name}.energy"), False, True)
            after = ops.divide(after, ops.sqrt(ops.add(energy, ops.constant(_TINY))))
        return self._reshaped(ops.divide(style, peak), [1, -1, 1, 1]), self._reshaped(after, [1, -1, 1, 1])

    def _mapped(self, x: Any, name: str) -> Any:
        """A linear layer: 1 x in to 1 x out."""
        bias = self._values(self.tensors[f"{name}.bias"]).reshape(1, -1)
        return self.ops.add(self.ops.matmul(x, self._constant(f"{name}.weight"), False, True), self.ops.constant(bias))

    def _activated(self, x: Any, bias: str | Tensor | None = None) -> Any:
        """Leaky ReLU, after a bias per channel if there is one."""
        if bias is not None:
            values = self._values(self.tensors[bias] if isinstance(bias, str) else bias)
            x = self.ops.add(x, self.ops.constant(values.reshape(1, -1, 1, 1)))
        return self.ops.prelu(x, self.ops.constant(np.array([SLOPE], np.float32)))

    def _convolved(self, x: Any, weight: str, *, stride: int = 1, padding: int = 0) -> Any:
        pad = [padding, padding]
        return self.ops.convolution(self._lowered(x), self._kernel(self.tensors[weight]), [stride, stride], pad, pad, [1, 1])

    def _filtered(self, x: Any, taps: str, *, padding: int) -> Any:
        """Depthwise convolution; OpenVINO has its kernel as channels x 1 x 1 x 4 x 4."""
        pad = [padding, padding]
        return self.ops.group_convolution(self._lowered(x), self._kernel(self.tensors[taps][:, None]), [1, 1], pad, pad, [1, 1])

    def _kernel(self, weight: Tensor) -> Any:
        """A convolution's weight. Rounded here, to the nearest: OpenVINO cuts off instead."""
        rounded = weight if self.low == self.full else weight.bfloat16()
        return self.ops.constant(self._values(rounded), dtype=self.low)

    def _lowered(self, x: Any) -> Any:
        """For a convolution; what is in its type already stays as it is."""
        return x if x.get_element_type() == self.low else self.ops.convert(x, self.low)

    def _raised(self, x: Any) -> Any:
        """For all other arithmetic."""
        return x if x.get_element_type() == self.full else self.ops.convert(x, self.full)

    def _constant(self, name: str) -> Any:
        return self.ops.constant(self._values(self.tensors[name]))

    def _values(self, tensor: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.ascontiguousarray(tensor.detach().float().numpy(), np.float32)  # OpenVINO takes the bytes as they lie

    def _reshaped(self, x: Any, shape: Iterable[int]) -> Any:
        return self.ops.reshape(x, self.ops.constant(np.array(list(shape), np.int64)), special_zero=False)

    def _axis(self, axis: int) -> Any:
        return self.ops.constant(np.array([axis], np.int64))
