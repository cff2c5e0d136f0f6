"""The light network: a small fully convolutional encoder-decoder that cleans a face picture.

After GPEN (Yang et al., "GAN Prior Embedded Network for Blind Face Restoration in the Wild", CVPR 2021) its decoder gets the
encoder's features concatenated at every scale; the generator's prior is left out, so that nothing is invented and a CPU keeps up.
Blocks are depthwise-separable (MobileNet, Howard et al. 2017; large kernel first as in ConvNeXt, Liu et al. 2022) without any
normalisation, so that a picture's far side never changes its near side and half precision is safe.

With a memory the network also sees its own last picture of the same face (recurrent, as in Sajjadi et al., "Frame-Recurrent Video
Super-Resolution", CVPR 2018; the alignment to the face does the warping): noise averages out over time and nothing flickers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from gpen_live.nets import layers
from gpen_live.nets.layers import Graph, Layer

Settings = dict[str, Any]
"""What a weights file's metadata says of its network, as JSON; see `graph`."""

_LATER: Final = {"kernel": 5, "expansion": 2, "exit_kernel": 3, "memory": False}
"""Settings that may be left out: files of the first version lack the last two."""

_ORDER: Final = ("shuffle", "channels", "encoder", "decoder", "kernel", "expansion", "exit_kernel", "memory")
_LIMITS: Final = {"shuffle": 4, "kernel": 9, "expansion": 4, "exit_kernel": 5}
_MAX_SCALES, _MAX_CHANNELS, _MAX_BLOCKS = 6, 512, 16

LITE_256: Final[Settings] = {
    "shuffle": 4,
    "channels": [48, 96, 160, 256],
    "encoder": [1, 1, 2, 2],
    "decoder": [1, 1, 1],
    "kernel": 5,
    "expansion": 2,
    "exit_kernel": 3,
    "memory": True,
}
"""The architecture of the shipped `lite-256` and `lite-512`."""


def graph(settings: Mapping[str, object]) -> Graph:
    """What is to be added to a picture (N x 3 x H x W, RGB in [-1, 1]): the same shape.

    Inputs are the picture and, with a memory, the one that was made of the frame before, aligned alike, or the picture itself
    where there is none. Before any training the network gives zero: it leaves the picture as it is.

    Args:
        settings:
            shuffle: pixels of a shuffle x shuffle tile become channels at the entry and come back at the exit; 1 to 4.
            channels: channels per scale, finest first; each scale has half the size of the one before.
            encoder: blocks per scale on the way down, as many as `channels`; the last are the bottleneck.
            decoder: blocks per scale on the way up, finest first, one fewer than `channels`.
            kernel: side of the depthwise kernel, odd.
            expansion: factor of the 1x1 convolutions' inner width.
            exit_kernel: side of the last convolution's kernel, odd.
            memory: whether the network sees its last picture too.

    Raises:
        ValueError: keys are missing or unknown, or values are of another type or out of range.
    """
    given = checked(settings)
    shuffle, channels, kernel = (given[key] for key in ("shuffle", "channels", "kernel"))

    def blocks(name: str, count: int, x: Layer) -> Layer:
        for index in range(count):
            x = _block(f"{name}.{index}", x, kernel=kernel, expansion=given["expansion"])
        return x

    inputs = tuple(layers.picture(name, 3) for name in (("x", "previous") if given["memory"] else ("x",)))
    seen = layers.concatenate(*inputs) if given["memory"] else inputs[0]
    features = layers.convolution("entry", layers.unshuffle(seen, shuffle), channels[0])
    skips: list[Layer] = []
    for index, width in enumerate(channels):
        if index > 0:
            features = layers.convolution(f"down.{index - 1}", features, width, kernel=2, stride=2)
        features = blocks(f"encoder.{index}", given["encoder"][index], features)
        skips.append(features)
    for index in reversed(range(len(channels) - 1)):
        features = blocks(f"decoder.{index}", given["decoder"][index], _fuse(f"fuse.{index}", features, skips[index]))
    exit_kernel = given["exit_kernel"]
    # Zero is also a shuffle without a grid (ICNR).
    out = layers.convolution("exit", features, 3 * shuffle**2, kernel=exit_kernel, padding=exit_kernel // 2, starts_at_zero=True)
    return Graph("lite", inputs, (layers.shuffle(out, shuffle),))


def _block(name: str, x: Layer, *, kernel: int, expansion: int) -> Layer:
    """Residual block: depthwise convolution, then two 1x1 convolutions with a ReLU between."""
    mixed = layers.convolution(f"{name}.depthwise", x, x.channels, kernel=kernel, padding=kernel // 2, groups=x.channels)
    hidden = layers.relu(layers.convolution(f"{name}.widen", mixed, x.channels * expansion))
    # Each block starts as the identity: it trains deep without normalisation.
    return layers.add(x, layers.convolution(f"{name}.narrow", hidden, x.channels, starts_at_zero=True))


def _fuse(name: str, coarse: Layer, skip: Layer) -> Layer:
    """Brings the coarser features up to a skip connection's size and mixes both: N,C,H/2,W/2 and N,S,H,W to N,S,H,W."""
    # Bilinear, not transposed: no checkerboard. The 1x1 convolution commutes with it and is four times cheaper before it.
    up = layers.upsample(layers.convolution(f"{name}.reduce", coarse, skip.channels), 2)
    return layers.convolution(f"{name}.mix", layers.concatenate(up, skip), skip.channels)


def checked(settings: Mapping[str, object]) -> Settings:
    """All settings of a light network, in one order, those that may be left out included.

    Raises:
        ValueError: as `graph`.
    """
    full: dict[str, object] = {**_LATER, **settings}
    if set(full) != set(_ORDER):
        raise ValueError(f"settings of a light network are {', '.join(sorted(_ORDER))}; got {', '.join(sorted(map(str, full)))}")
    for name, most in _LIMITS.items():
        value = full[name]
        if not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"{name} must be a whole number from 1 to {most}")
    for name in ("kernel", "exit_kernel"):
        if cast("int", full[name]) % 2 == 0:
            raise ValueError(f"{name} must be odd")
    if not isinstance(full["memory"], bool):
        raise ValueError("memory must be true or false")
    for name, least, most in (("channels", 1, _MAX_CHANNELS), ("encoder", 0, _MAX_BLOCKS), ("decoder", 0, _MAX_BLOCKS)):
        values = full[name]
        if not isinstance(values, list) or not all(isinstance(v, int) and least <= v <= most for v in values):
            raise ValueError(f"{name} must be a list of whole numbers from {least} to {most}")
    scales, encoder, decoder = (len(cast("list[int]", full[name])) for name in ("channels", "encoder", "decoder"))
    if not 1 <= scales <= _MAX_SCALES:
        raise ValueError(f"channels must have 1 to {_MAX_SCALES} entries")
    if encoder != scales or decoder != scales - 1:
        raise ValueError("encoder needs as many entries as channels, decoder one fewer")
    return {name: list(value) if isinstance(value, list) else value for name, value in ((key, full[key]) for key in _ORDER)}
