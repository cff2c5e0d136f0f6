"""The parameters of a GPEN arranged for its fused kernels. Imports torch: import this module late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor

from gpen_live.kernels.gpen_plan import Layer, Plan
from gpen_live.nets.gpen import Gpen

if TYPE_CHECKING:
    from torch import nn

BLOCK: Final = 16
"""Outputs of one row of `Styles.table`."""

_WORTH_FOLDING = 5_000_000
"""Weights of a convolution with its filter folded in. It computes four times as much: larger ones have never been faster."""


@dataclass
class Level:
    """The decoder's parameters of one size."""

    side: int
    channels: int
    up: Modulated | None
    conv: Modulated
    colours: Colours
    up_bias: Tensor | None
    conv_bias: Tensor
    strengths: Tensor  # of the encoder's features in the widening convolution and in the other

    @property
    def layer(self) -> Layer:
        """The convolution that keeps this size."""
        return Layer("same", self.side, self.channels if self.up is None else 2 * self.channels, self.channels)


@dataclass
class Modulated:
    """One modulated convolution: its weights, and where its factors lie."""

    weight: Tensor | None  # taps x in x out; None: only the other form is needed
    doubled: Tensor | None  # taps x in x 4 out: with the filter folded in
    before: int
    after: int


@dataclass
class Colours:
    """What the features of one size contribute to the picture."""

    weight: Tensor  # 3 x in
    bias: Tensor
    before: int
    after: int


class GpenWeights:
    """A network's parameters as the kernels want them, on `device`.

    Convolutions are taps x in x out in `dtype`; biases, styles, demodulation and colours are in float32.

    Args:
        network: in float32, on any device; copied, not kept.
        plan: tells which filters are folded into their convolutions.
        both: keep those convolutions in both forms, to find out which is faster.

    Raises:
        RuntimeError: the network's widths don't suit the kernels.
    """

    def __init__(self, network: Gpen, dtype: torch.dtype, device: torch.device, plan: Plan, *, both: bool = False) -> None:
        self.dtype, self.device = dtype, device
        self.size = network.size
        self.sides = [4 << level for level in range(network.size.bit_length() - 2)]
        self._plan, self._both = plan, both
        generator = network.generator
        named = dict(network.named_modules())
        self.styles = Styles(device)

        entry: Any = named["ecd0.0.0"]
        self.entry = self._exact(entry.weight[:, :, 0, 0].t())
        self.entry_bias = self._exact(cast(Any, named["ecd0.0.1"]).bias)
        self.channels = {network.size: int(entry.weight.shape[0])}
        self.encoder: dict[int, tuple[Tensor, Tensor]] = {}
        for level, side in enumerate(reversed(self.sides[:-1]), start=1):
            conv: Any = named[f"ecd{level}.0.1"]
            self.channels[side] = int(conv.weight.shape[0])
            self.encoder[side] = (self._taps(conv.weight), self._exact(cast(Any, named[f"ecd{level}.0.2"]).bias))
        for width in self.channels.values():
            if width % 16 or width & (width - 1):
                raise RuntimeError(f"maps of {width} channels don't suit the kernels")

        final: Any = named["final_linear.0"]
        coarse = self.channels[4]
        self.code_weight = self._rounded(final.weight.reshape(-1, coarse, 16).transpose(1, 2).reshape(-1, 16 * coarse))
        self.code_bias = self._exact(final.bias)
        mapping: list[Any] = list(generator.style)[1:]
        self.mapping = [(self._exact(layer.weight), self._exact(layer.bias)) for layer in mapping]
        self.constant = self._exact(generator.input.input[0].permute(1, 2, 0).reshape(16, coarse))

        self.levels = [self._level(4, None, generator.conv1, generator.to_rgb1)]
        for i, side in enumerate(self.sides[1:]):
            up, conv, colours = generator.convs[2 * i], generator.convs[2 * i + 1], generator.to_rgbs[i]
            self.levels.append(self._level(side, up, conv, colours))
        self.styles.finish(dtype)

    def layers(self) -> list[Layer]:
        """Every convolution, in the order in which they run; of those that widen, the forms that are there."""
        found = []
        finer = self.size
        for side in reversed(self.sides[:-1]):
            found.append(Layer("halve", side, self.channels[finer], self.channels[side]))
            finer = side
        for level in self.levels:
            low = level.side // 2
            if level.up is not None and level.up.weight is not None:
                found.append(Layer("phases", low, 2 * self.channels[low], level.channels))
            if level.up is not None and level.up.doubled is not None:
                found.append(Layer("double", low, 2 * self.channels[low], 4 * level.channels))
            found.append(level.layer)
        return found

    def _level(self, side: int, up: nn.Module | None, conv: nn.Module, colours: nn.Module) -> Level:
        own = cast(Any, conv)
        strength = own.noise.weight
        first = cast(Any, up).noise.weight if up is not None else strength
        colour = cast(Any, colours)
        return Level(
            side=side,
            channels=self.channels[side],
            up=None if up is None else self._widening(cast(Any, up).conv, self._plan.doubles(side // 2)),
            conv=self._modulated(own.conv),
            colours=self._colours(colour),
            up_bias=None if up is None else self._exact(cast(Any, up).activate.bias),
            conv_bias=self._exact(own.activate.bias),
            strengths=self._exact(torch.cat([first.reshape(1), strength.reshape(1)])),
        )

    def _modulated(self, conv: Any) -> Modulated:
        before, after = self.styles.add(conv.modulation)
        return Modulated(self._taps(conv.rearrange(conv.weight)[0]), None, before, after)

    def _widening(self, conv: Any, doubled: bool) -> Modulated:
        before, after = self.styles.add(conv.modulation)
        weight = self._exact(conv.rearrange(conv.weight)[0])
        worth = 4 * weight.numel() <= _WORTH_FOLDING
        return Modulated(
            self._taps(weight) if self._both or not (doubled and worth) else None,
            self._rounded(with_filter(weight)) if worth and (self._both or doubled) else None,
            before,
            after,
        )

    def _colours(self, to_rgb: Any) -> Colours:
        weight = to_rgb.conv.rearrange(to_rgb.conv.weight)[0, :, :, 0, 0]
        before, after = self.styles.add(to_rgb.conv.modulation)
        return Colours(self._exact(weight), self._exact(to_rgb.bias.reshape(3)), before, after)

    def _taps(self, weight: Tensor) -> Tensor:
        """From out x in x 3 x 3 to taps x in x out."""
        return self._rounded(self._exact(weight).permute(2, 3, 1, 0).reshape(9, weight.shape[1], weight.shape[0]))

    def _exact(self, tensor: Tensor) -> Tensor:
        return tensor.detach().to(self.device, torch.float32).contiguous()

    def _rounded(self, tensor: Tensor) -> Tensor:
        return tensor.detach().to(self.device, self.dtype).contiguous()


class Styles:
    """All modulations of a network as one linear layer, and one table for the factors that follow from it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._modulations: list[Any] = []
        self.inputs = self.outputs = 0

    def add(self, modulation: Any) -> tuple[int, int]:
        """Returns where the factors on the input and those on the output begin."""
        at = self.inputs, self.outputs
        self._modulations.append(modulation)
        self.inputs += modulation.weight.shape[0]
        self.outputs += modulation.energy.shape[0]
        return at

    def finish(self, dtype: torch.dtype) -> None:
        all_of = self._modulations
        self.weight = torch.cat([m.weight.detach() for m in all_of]).to(self._device, dtype).contiguous()
        self.bias = torch.cat([m.bias.detach().float() for m in all_of]).to(self._device).contiguous()
        self.stride = max(self.inputs, self.outputs)
        self.most = max(int(m.weight.shape[0]) for m in all_of)
        table, gains, energies = [], [], []
        inputs_at = outputs_at = energy_at = 0
        for m in all_of:
            outputs, inputs = m.energy.shape
            for first in range(0, outputs, BLOCK):
                count = min(BLOCK, outputs - first)
                table.append([inputs_at, inputs, outputs_at + first, count, energy_at + first * inputs, int(first == 0)])
                gains.append(float(m.gain) if m.demodulate else 0.0)
            if m.demodulate:
                energies.append(m.energy.detach().float().reshape(-1))
                energy_at += outputs * inputs
            inputs_at, outputs_at = inputs_at + inputs, outputs_at + outputs
        self.table = torch.tensor(table, dtype=torch.int32, device=self._device)
        self.gains = torch.tensor(gains, dtype=torch.float32, device=self._device)
        self.energy = torch.cat(energies).to(self._device)
        self._modulations = []


def with_filter(weight: Tensor) -> Tensor:
    """A transposed convolution of stride 2 and the low-pass filter after it, as one convolution with four times the outputs.

    Each parity of the output's rows sees three of the input's: tap a of the filter and tap k of the kernel meet on row
    y + (parity + a - 1 - k) / 2. Likewise for columns.

    Args:
        weight: out x in x 3 x 3, float32.

    Returns:
        taps (9) x in x (4 parities, then out).
    """
    outputs, inputs = weight.shape[:2]
    fold = torch.zeros(2, 3, 3)  # parity, row of the input, row of the kernel
    for parity in range(2):
        for a in range(4):
            for k in range(3):
                distance = parity + a - 1 - k
                if distance % 2 == 0:
                    fold[parity, distance // 2 + 1, k] += (0.25, 0.75, 0.75, 0.25)[a]
    fold = fold.to(weight.device)
    folded = torch.einsum("pyk,qxl,oikl->yxipqo", fold, fold, weight)
    return folded.reshape(9, inputs, 4 * outputs)
