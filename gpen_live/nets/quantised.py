"""A network in 8 bits: its weights as whole numbers, and the ranges of what its convolutions get.

Weights have 7 bits in their 8: where a processor lacks VNNI its instruction adds two products in 16 bits, and two products of a
full 8-bit weight would not fit. The seventh bit costs less than 0.01 dB. Arithmetic and memory layout are the runtime's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gpen_live.nets.layers import Array, Graph, Network

BITS = 7
_MOST = 2 ** (BITS - 1) - 1

Ranges = Mapping[str, tuple[float, float]]
"""Convolution's name -> lowest and highest value of its input, which is put on 256 steps between; 0 is one of them."""


@dataclass(frozen=True)
class Quantised:
    """How a network computes in 8 bits.

    Args:
        network: the network with its rounded weights, in float32.
        ranges: convolutions that are not named stay in float.
        source: SHA-256 (hex) of the file of float weights that it was made from.
    """

    network: Network
    ranges: Ranges
    source: str = ""


def quantise_weight(weight: Array) -> tuple[Array, Array]:
    """A convolution's weight (O,I,k,k) as whole numbers (int8, same shape) and their scale per output (O, float32).

    A weight that was rounded already comes out as it went in.
    """
    scale = (np.maximum(np.abs(weight).max((1, 2, 3)), np.float32(1e-12)) / np.float32(_MOST)).astype(np.float32)
    return np.clip(np.round(weight / scale.reshape(-1, 1, 1, 1)), -_MOST, _MOST).astype(np.int8), scale


def pack_state(weights: Mapping[str, Array], ranges: Ranges) -> dict[str, Array]:
    """A network's parameters as a file holds them.

    The convolutions in `ranges` become int8 `weight`, `scale` and `range`; all else stays float32.
    """
    state: dict[str, Array] = dict(weights)
    for name, limits in ranges.items():
        state[f"{name}.weight"], state[f"{name}.scale"] = quantise_weight(weights[f"{name}.weight"])
        state[f"{name}.range"] = np.array(limits, np.float32)
    return state


def unpack_state(packed: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, tuple[float, float]]]:
    """The inverse of `pack_state`: parameters in float32 with rounded weights, and the ranges.

    Other parameters come back as they are, without ranges.

    Raises:
        ValueError: scale, range and weights do not belong together.
    """
    state = {name: value for name, value in packed.items() if not name.endswith((".scale", ".range"))}
    ranges: dict[str, tuple[float, float]] = {}
    for name in packed:
        layer, _, kind = name.rpartition(".")
        if kind == "weight" and packed[name].dtype == np.int8:
            weight, scale, limits = (packed.get(f"{layer}.{part}") for part in ("weight", "scale", "range"))
            if weight is None or scale is None or limits is None:
                raise ValueError(f"{layer} lacks its scale or its range")
            if weight.ndim != 4 or scale.shape != weight.shape[:1] or limits.shape != (2,) or not bool((scale > 0).all()):
                raise ValueError(f"the scale or the range of {layer} does not fit")
            low, high = (float(limit) for limit in limits)
            if not low <= 0 <= high or low == high:
                raise ValueError(f"the range of {layer} does not hold zero")
            state[name] = weight.astype(np.float32) * scale.astype(np.float32).reshape(-1, 1, 1, 1)
            ranges[layer] = (low, high)
    if len(packed) - len(state) != 2 * len(ranges):
        raise ValueError("a scale or a range has no weight in whole numbers")
    return state, ranges


def lite_convolutions(graph: Graph) -> list[str]:
    """The convolutions of a light network that compute in 8 bits.

    The 1x1 ones of all blocks below the finest scale. Depthwise ones are no faster in 8 bits. The finest scale and what leads
    from scale to scale carry the picture itself, and a network that looks at its own last picture adds up what is lost there:
    0.7 dB, where the blocks alone lose 0.03 (at level 0.5, after some frames).
    """
    finest = ("encoder.0.", "decoder.0.")
    return [name for name in graph.convolutions if name.endswith((".widen", ".narrow")) and not name.startswith(finest)]
