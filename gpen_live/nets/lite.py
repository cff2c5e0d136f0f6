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

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Settings = dict[str, int | list[int]]

_LATER: dict[str, object] = {"exit_kernel": 3, "memory": False}
"""Settings that files of the first version lack."""

_LIMITS = {"shuffle": 4, "kernel": 9, "expansion": 4, "exit_kernel": 5}
_MAX_SCALES, _MAX_CHANNELS, _MAX_BLOCKS = 6, 512, 16


class Block(nn.Module):
    """Residual block: depthwise convolution, then two 1x1 convolutions with a ReLU between. N,C,H,W in and out."""

    def __init__(self, *, channels: int, kernel: int, expansion: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.widen = nn.Conv2d(channels, channels * expansion, 1)
        self.narrow = nn.Conv2d(channels * expansion, channels, 1)
        nn.init.zeros_(self.narrow.weight)  # each block starts as the identity: trains deep without normalisation
        nn.init.zeros_(self.narrow.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.narrow(F.relu(self.widen(self.depthwise(x))))
        return x + out


class Fuse(nn.Module):
    """Brings the coarser features up to a skip connection's size and mixes both: N,C,H/2,W/2 and N,S,H,W to N,S,H,W."""

    def __init__(self, *, coarse: int, skip: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(coarse, skip, 1)
        self.mix = nn.Conv2d(2 * skip, skip, 1)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        # Bilinear, not transposed: no checkerboard. The 1x1 convolution commutes with it and is four times cheaper before it.
        up = F.interpolate(self.reduce(coarse), scale_factor=2, mode="bilinear", align_corners=False)
        out: Tensor = self.mix(torch.cat([up, skip], dim=1))
        return out


class Lite(nn.Module):
    """Light encoder-decoder with a residual output.

    Args:
        shuffle: pixels of a shuffle x shuffle tile become channels at the entry and come back at the exit; 1 to 4.
        channels: channels per scale, finest first; each scale has half the size of the one before.
        encoder: blocks per scale on the way down, as many as `channels`; the last are the bottleneck.
        decoder: blocks per scale on the way up, finest first, one fewer than `channels`.
        kernel: side of the depthwise kernel, odd.
        expansion: factor of the 1x1 convolutions' inner width.
        exit_kernel: side of the last convolution's kernel, odd.
        memory: whether the network sees its last picture too.

    Raises:
        ValueError: settings outside these ranges.
    """

    def __init__(
        self,
        *,
        shuffle: int,
        channels: list[int],
        encoder: list[int],
        decoder: list[int],
        kernel: int = 5,
        expansion: int = 2,
        exit_kernel: int = 3,
        memory: bool = False,
    ) -> None:
        super().__init__()
        self.settings: Settings = {
            "shuffle": shuffle,
            "channels": list(channels),
            "encoder": list(encoder),
            "decoder": list(decoder),
            "kernel": kernel,
            "expansion": expansion,
            "exit_kernel": exit_kernel,
            "memory": memory,
        }
        _check(self.settings)
        self.shuffle = shuffle
        self.memory = memory
        """Whether `forward` makes use of a last picture."""
        self.stride = shuffle * 2 ** (len(channels) - 1)
        """Height and width must be multiples of this; the caller pads."""

        def blocks(count: int, width: int) -> nn.Sequential:
            return nn.Sequential(*(Block(channels=width, kernel=kernel, expansion=expansion) for _ in range(count)))

        pixels = 3 * shuffle * shuffle
        self.entry = nn.Conv2d(2 * pixels if memory else pixels, channels[0], 1)
        self.encoder = nn.ModuleList(blocks(count, width) for count, width in zip(encoder, channels, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in zip(channels[:-1], channels[1:], strict=True))
        self.fuse = nn.ModuleList(Fuse(coarse=b, skip=a) for a, b in zip(channels[:-1], channels[1:], strict=True))
        self.decoder = nn.ModuleList(blocks(count, width) for count, width in zip(decoder, channels[:-1], strict=True))
        self.exit = nn.Conv2d(channels[0], pixels, exit_kernel, padding=exit_kernel // 2)
        nn.init.zeros_(self.exit.weight)  # the untrained network is the identity; zero is also a shuffle without a grid (ICNR)
        nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Lite:
        """The network that `settings` (of a `Lite`, as it lies in a weights file's metadata) describes, with random weights.

        Raises:
            ValueError: keys are missing or unknown, or values are of another type or out of range.
        """
        checked: dict[str, object] = {**_LATER, **settings}
        _check(checked)
        return cls(**checked)  # type: ignore[arg-type]

    def correction(self, x: Tensor, previous: Tensor | None = None) -> Tensor:
        """What is to be added to the picture `x` (N,3,H,W, RGB in [-1, 1]); same shape, in the dtype of the weights."""
        if self.memory:
            x = torch.cat([x, x if previous is None else previous.to(x.dtype)], dim=1)
        features = self.entry(F.pixel_unshuffle(x.to(self.entry.weight.dtype), self.shuffle))
        skips: list[Tensor] = []
        for index, stage in enumerate(self.encoder):
            features = stage(features if index == 0 else self.down[index - 1](features))
            skips.append(features)
        for index in reversed(range(len(self.decoder))):
            features = self.decoder[index](self.fuse[index](features, skips[index]))
        return F.pixel_shuffle(self.exit(features), self.shuffle)

    def forward(self, x: Tensor, previous: Tensor | None = None) -> Tensor:
        """Cleans a picture.

        Args:
            x: N,3,H,W, RGB in [-1, 1], H and W multiples of `stride`, any float dtype. The layers compute in the dtype of the
                weights; the sum keeps that of `x`, so a float32 picture loses nothing through bfloat16 weights where it is clean.
            previous: what the network made of the frame before, aligned alike, in the shape of `x`; None, or `x` itself, where
                there is none. Only a network with a memory looks at it.

        Returns:
            N,3,H,W in the dtype of `x`, about [-1, 1], not clamped.
        """
        return x + self.correction(x, previous).to(x.dtype)


def lite_256() -> Lite:
    """The architecture of the shipped `lite-256` and `lite-512`, with random weights."""
    return Lite(shuffle=4, channels=[48, 96, 160, 256], encoder=[1, 1, 2, 2], decoder=[1, 1, 1], memory=True)


def _check(settings: Mapping[str, object]) -> None:
    known = {"shuffle", "channels", "encoder", "decoder", "kernel", "expansion", "exit_kernel", "memory"}
    if set(settings) != known:
        raise ValueError(
            f"settings of a light network are {', '.join(sorted(known))}; got {', '.join(sorted(map(str, settings)))}"
        )
    for name, most in _LIMITS.items():
        value = settings[name]
        if not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"{name} must be a whole number from 1 to {most}")
    for name in ("kernel", "exit_kernel"):
        if settings[name] % 2 == 0:  # type: ignore[operator]
            raise ValueError(f"{name} must be odd")
    if not isinstance(settings["memory"], bool):
        raise ValueError("memory must be true or false")
    for name, least, most in (("channels", 1, _MAX_CHANNELS), ("encoder", 0, _MAX_BLOCKS), ("decoder", 0, _MAX_BLOCKS)):
        values = settings[name]
        if not isinstance(values, list) or not all(isinstance(v, int) and least <= v <= most for v in values):
            raise ValueError(f"{name} must be a list of whole numbers from {least} to {most}")
    scales = len(settings["channels"])  # type: ignore[arg-type]
    if not 1 <= scales <= _MAX_SCALES:
        raise ValueError(f"channels must have 1 to {_MAX_SCALES} entries")
    if len(settings["encoder"]) != scales or len(settings["decoder"]) != scales - 1:  # type: ignore[arg-type]
        raise ValueError("encoder needs as many entries as channels, decoder one fewer")
