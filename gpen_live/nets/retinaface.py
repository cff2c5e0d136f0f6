"""The face detector's network: RetinaFace (mobile0.25), its batch normalisations folded into the convolutions before them.

Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild", CVPR 2020 (arXiv 1905.00641), on MobileNet (Howard et
al. 2017) at a quarter of its width, built and named as facexlib does, whose files it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from gpen_live.nets.layers import (
    Array,
    Graph,
    Layer,
    Network,
    add,
    affine,
    concatenate,
    convolution,
    leaky_relu,
    picture,
    relu,
    rows,
    upsample,
)

MEAN_BGR: Final = (104.0, 117.0, 123.0)
"""What the network takes from each channel of a picture: padding of this colour is padding with zeros."""

STRIDE: Final = 32
"""Height and width of a picture must be multiples of this."""

_STAGES: Final = (
    ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
    ((128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1)),
    ((256, 2), (256, 1)),
)
"""Channels and stride of the depthwise-separable blocks of each stage."""

_ENTRY, _PYRAMID = 8, 64
_SLOPE, _ANCHORS = 0.1, 2
_EPSILON = 1e-5
"""Of PyTorch's batch normalisation."""


def graph() -> Graph:
    """Of all A anchors the boxes' offsets (N x A x 4), the classes' logits (N x A x 2), the landmarks' offsets (N x A x 10).

    The input is N x 3 x H x W, BGR, 0..255, sides multiples of `STRIDE`. Anchors go through the scales (steps of 8, 16 and 32
    pixels), line by line, two at each pixel.
    """
    x = picture("x", 3)
    features = affine(x, offset=tuple(-value for value in MEAN_BGR))
    features = _convolved("body.stage1.0.0", features, _ENTRY, stride=2)
    stages: list[Layer] = []
    for number, blocks in enumerate(_STAGES, 1):
        first = 1 if number == 1 else 0  # the entry is the first stage's number 0
        for index, (channels, stride) in enumerate(blocks, first):
            features = _separable(f"body.stage{number}.{index}", features, channels, stride)
        stages.append(features)
    contexts = [_context(f"ssh{number}", level) for number, level in enumerate(_pyramid(*stages), 1)]
    heads = (("BboxHead", 4), ("ClassHead", 2), ("LandmarkHead", 10))
    return Graph("retinaface", (x,), tuple(_head(name, width, contexts) for name, width in heads))


def fold(state: Mapping[str, Array]) -> Network:
    """The network with the parameters of a facexlib file (float32), whose normalisations are folded here.

    Raises:
        ValueError: parameters are missing, left over or of another shape.
    """
    found, weights = graph(), dict(state)
    for name in found.convolutions:
        block, _, index = name.rpartition(".")
        norm = f"{block}.{int(index) + 1}" if index.isdigit() else ""
        parts = [weights.pop(f"{norm}.{part}", None) for part in ("weight", "bias", "running_mean", "running_var")]
        weights.pop(f"{norm}.num_batches_tracked", None)
        scale, offset, mean, variance = parts
        weight = weights.get(f"{name}.weight")
        if scale is None or offset is None or mean is None or variance is None or weight is None:
            continue  # a head, which has none; or parameters are missing, which the graph tells
        if any(part.shape != weight.shape[:1] for part in (scale, offset, mean, variance)):
            raise ValueError("its parameters have other shapes")
        factor = scale / np.sqrt(variance + np.float32(_EPSILON))
        weights[f"{name}.weight"] = weight * factor.reshape(-1, 1, 1, 1)
        weights[f"{name}.bias"] = offset - mean * factor
    return Network(found, weights)


def _convolved(
    name: str, x: Layer, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1, active: bool = True
) -> Layer:
    out = convolution(name, x, outputs, kernel=kernel, stride=stride, padding=kernel // 2, groups=groups)
    return leaky_relu(out, _SLOPE) if active else out


def _separable(name: str, x: Layer, outputs: int, stride: int) -> Layer:
    return _convolved(f"{name}.3", _convolved(f"{name}.0", x, x.channels, stride=stride, groups=x.channels), outputs, kernel=1)


def _pyramid(*stages: Layer) -> tuple[Layer, Layer, Layer]:
    """The stages' features, the coarser ones led down into the finer ones. The finer level has exactly twice the pixels."""
    fine, middle, coarse = (_convolved(f"fpn.output{i}.0", stage, _PYRAMID, kernel=1) for i, stage in enumerate(stages, 1))
    middle = _convolved("fpn.merge2.0", add(middle, upsample(coarse, mode="nearest")), _PYRAMID)
    fine = _convolved("fpn.merge1.0", add(fine, upsample(middle, mode="nearest")), _PYRAMID)
    return fine, middle, coarse


def _context(name: str, x: Layer) -> Layer:
    """SSH's context module (Najibi et al. 2017): 3x3 convolutions in a row see as far as 5x5 and 7x7 ones."""
    near = _convolved(f"{name}.conv3X3.0", x, _PYRAMID // 2, active=False)
    wide = _convolved(f"{name}.conv5X5_1.0", x, _PYRAMID // 4)
    wider = _convolved(f"{name}.conv7X7_2.0", wide, _PYRAMID // 4)
    wide = _convolved(f"{name}.conv5X5_2.0", wide, _PYRAMID // 4, active=False)
    return relu(concatenate(near, wide, _convolved(f"{name}.conv7x7_3.0", wider, _PYRAMID // 4, active=False)))


def _head(name: str, width: int, features: list[Layer]) -> Layer:
    found = (convolution(f"{name}.{i}.conv1x1", x, _ANCHORS * width) for i, x in enumerate(features))
    return concatenate(*(rows(each, width) for each in found))
