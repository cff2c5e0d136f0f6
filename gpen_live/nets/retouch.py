"""The retouch network: where a face's bare skin is and what lies on it, as layers that sliders scale.

It predicts what to do, not a picture (as does ABPN, Lei et al., "ABPN: Adaptive Blend Pyramid Network for Real-Time Local
Retouching of Ultra High-Resolution Photo", CVPR 2022), one layer for each cause. It is a U-Net (Ronneberger et al., MICCAI 2015)
of the light network's blocks and sees its own last layers of the same face, so that they hold still.
"""

from __future__ import annotations

from typing import Final

from gpen_live.nets import layers
from gpen_live.nets.layers import Graph, Layer

LAYERS: Final = ("skin", "blemish", "mole", "under_eye", "shine")
"""What the network gives, each in [0, 1]:

* `skin`: the matte of this face's bare skin, from forehead to hairline, ears and neck; without eyes, brows, lips, the nostrils'
  holes, hair, beard, glasses, a hand, a microphone.
* `blemish`: spots, scratches, scars: 1 where they are plain to see.
* `mole`: moles and freckles, likewise.
* `under_eye`: how much darker it is below the eyes: the logarithm of the luminance falls by `DEPTH` times the layer.
* `shine`: how much lighter a highlight is: it rises by `DEPTH` times the layer.
"""

DEPTH: Final = 0.7
"""Change of luminance (natural logarithm, gamma-coded values) that `under_eye` and `shine` count as 1."""

SIZE: Final = 256
"""Side of the crop that it is trained for, in pixels."""

LAYER_STEP: Final = 2
"""Pixels of the crop, along a side, for each pixel of a layer."""

_STEM: Final = 16
_HEAD: Final = 48
_COLOURS: Final = 12
_SPOTS: Final = 40
_CHANNELS: Final = (24, 40, 64, 96)
"""Per scale, from a quarter of the picture's size on; each has half the size of the one before."""
_ENCODER: Final = (1, 1, 2, 2)
_KERNEL: Final = 5


def graph() -> Graph:
    """N x 3 x H x W (RGB in [-1, 1]) and its own last layers (N x 5 x H/2 x W/2, zeros where there are none) to layers.

    H and W are multiples of 32.
    """
    picture = layers.picture("x", 3)
    previous = layers.picture("previous", len(LAYERS), step=LAYER_STEP)
    # Spots are as small as two pixels: few features at the layers' own size, which the head sees again beside all the rest.
    fine = layers.relu(layers.convolution("entry", picture, _STEM, kernel=3, stride=LAYER_STEP, padding=(0, 0, 1, 1)))
    seen = layers.convolution("see", fine, _CHANNELS[0], kernel=2, stride=2)
    features = layers.add(seen, layers.convolution("remember", previous, _CHANNELS[0], kernel=2, stride=2))
    skips: list[Layer] = []
    for scale, (width, blocks) in enumerate(zip(_CHANNELS, _ENCODER, strict=True)):
        if scale:
            features = layers.convolution(f"down.{scale - 1}", features, width, kernel=2, stride=2)
        for index in range(blocks):
            features = _block(f"encoder.{scale}.{index}", features)
        skips.append(features)
    for scale in reversed(range(len(_CHANNELS) - 1)):
        # The 1x1 convolution commutes with the upsampling and is four times cheaper before it.
        up = layers.upsample(layers.convolution(f"up.{scale}", features, _CHANNELS[scale]), 2)
        features = _block(f"decoder.{scale}", layers.add(skips[scale], up))
    detail = layers.convolution("head.detail", fine, _HEAD, kernel=2, stride=2)
    head = layers.relu(layers.add(detail, layers.convolution("head.meaning", features, _HEAD)))
    tile = 2**2  # values of a layer for each pixel of the features
    skin = layers.convolution("exit.skin", head, tile)
    spots = layers.convolution("exit.spots", _spots(picture, features), 2 * tile)
    light = layers.convolution("exit.light", head, 2 * tile)
    found = layers.sigmoid(layers.concatenate(skin, spots, light))
    return Graph("retouch", (picture, previous), (layers.shuffle(found, 2),))


def _spots(picture: Layer, features: Layer) -> Layer:
    """What differs from its surroundings, in some colours, at the layers' own size, with the features: these know where it is."""
    colours = layers.convolution("spots.colours", picture, _COLOURS, kernel=3, stride=LAYER_STEP, padding=(0, 0, 1, 1))
    apart = layers.relu(layers.convolution("spots.apart", colours, _COLOURS, kernel=7, padding=3, groups=_COLOURS))
    detail = layers.convolution("spots.detail", apart, _SPOTS, kernel=2, stride=2)
    return layers.relu(layers.add(detail, layers.convolution("spots.meaning", features, _SPOTS)))


def _block(name: str, x: Layer) -> Layer:
    """Residual block: depthwise convolution, then two 1x1 convolutions with a ReLU between."""
    mixed = layers.convolution(f"{name}.depthwise", x, x.channels, kernel=_KERNEL, padding=_KERNEL // 2, groups=x.channels)
    hidden = layers.relu(layers.convolution(f"{name}.widen", mixed, x.channels * 2))
    return layers.add(x, layers.convolution(f"{name}.narrow", hidden, x.channels, starts_at_zero=True))
