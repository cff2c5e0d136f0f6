"""GPEN: a U-shaped network whose decoder is a StyleGAN2 generator, written for inference.

Yang et al., "GAN Prior Embedded Network for Blind Face Restoration in the Wild", CVPR 2021. The decoder follows Karras et al.,
"Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, with one change: where StyleGAN2 adds noise, GPEN concatenates
the encoder's features of the same resolution.

State dicts have the names, shapes and values of the published files. Inside, three identities make the forward pass cheap:

* The constant factors of equalised learning rates and the sqrt(2) of the activations are multiplied into the parameters when they
  are loaded (leaky ReLU is positively homogeneous), and divided out when they are saved.
* A modulated convolution scales its *input* by the style and its *output* by the demodulation instead of making new weights for
  every picture. The weights stay constant, which is what autotuning, channels-last kernels, CUDA graphs and compilers need.
* Demodulation needs only sum_k W^2 of each pair of channels, computed once after loading.

Styles, demodulation and the sum of the colours stay in float32 when the network is cast to float16 or bfloat16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpen_live.nets.gpen_variants import widths_of

SLOPE: Final = 0.2
"""Negative slope of every leaky ReLU."""

GAIN: Final = math.sqrt(2)
"""What every activation is multiplied by, so that it keeps the variance of its input."""


class Gpen(nn.Module):
    """Restores a face aligned to GPEN's template.

    Deterministic: the same picture gives the same result. Built under `torch.device("meta")` it takes no time and no memory; then
    load its weights with `load_state_dict(..., assign=True)`. Parameters changed by other means need a `prepare()` afterwards.

    Args:
        size: side of the square input and output, in pixels; a power of two from 8.
        channel_multiplier: widens the layers above 32 px.
        narrow: factor on all widths.
        style_dim: length of the latent code.
        n_mlp: layers that map the code to the styles' space.
    """

    def __init__(self, *, size: int, channel_multiplier: int, narrow: float, style_dim: int = 512, n_mlp: int = 8) -> None:
        super().__init__()
        if size < 8 or size & (size - 1):
            raise ValueError(f"size must be a power of two from 8, not {size}")
        self.size = size
        widths = widths_of(size, channel_multiplier, narrow)
        fine_to_coarse = sorted(widths, reverse=True)
        blocks = [nn.Sequential(_Conv(3, widths[size], 1), _Activation(widths[size]))]
        for finer, side in pairwise(fine_to_coarse):
            blur, conv = _Fir(widths[finer], padding=2), _Conv(widths[finer], widths[side], 3, stride=2)
            blocks.append(nn.Sequential(blur, conv, _Activation(widths[side])))
        self._encoder = [f"ecd{level}" for level in range(len(blocks))]
        for name, block in zip(self._encoder, blocks, strict=True):
            self.add_module(name, nn.Sequential(block))
        self.final_linear = nn.Sequential(_Linear(widths[4] * 4 * 4, style_dim))
        self.generator = _Generator(widths, style_dim, n_mlp)

    def forward(self, x: Tensor) -> Tensor:
        """The restored faces.

        Args:
            x: N x 3 x size x size, RGB in [-1, 1]; cast to the network's precision.

        Returns:
            Tensor of the same shape in float32, RGB, about [-1, 1] but not clipped.

        Raises:
            ValueError: the picture has another shape.
        """
        if x.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"expected N x 3 x {self.size} x {self.size}, got {tuple(x.shape)}")
        x = x.to(self.generator.input.input.dtype)
        features = []
        for name in self._encoder:
            x = getattr(self, name)(x)
            features.append(x)
        code: Tensor = self.final_linear(x.flatten(1))
        picture: Tensor = self.generator(code, features[::-1])
        return picture

    def prepare(self) -> None:
        """Recompute what is derived from the weights. Loading a state dict does it by itself."""
        for module in self.modules():
            if isinstance(module, _ModulatedConv):
                module.prepare()


def _random(*shape: int, scale: float = 1.0) -> Tensor:
    """Normally distributed values; on the meta device none, as making them there takes PyTorch seconds, to import compilers."""
    values = torch.empty(shape)
    return values if values.is_meta else values.normal_(std=scale)


class _Layer(nn.Module):
    """Keeps its parameters as its kernels want them, while state dicts hold them as published.

    Args:
        factors: parameter's name -> the constant that a published value is multiplied by.
    """

    def __init__(self, **factors: float) -> None:
        super().__init__()
        self.factors = factors
        self.register_load_state_dict_pre_hook(_fold_factors)  # type: ignore[no-untyped-call]
        self.register_state_dict_post_hook(_unfold_factors)  # type: ignore[no-untyped-call]

    def arrange(self, published: Tensor) -> Tensor:
        """From the published layout of `weight` to the kernel's."""
        return published

    def rearrange(self, arranged: Tensor) -> Tensor:
        """The inverse of `arrange`."""
        return arranged


def _fold_factors(layer: _Layer, state: dict[str, Tensor], prefix: str, *others: Any) -> None:
    """Before loading; the arguments are those of `nn.Module.register_load_state_dict_pre_hook`."""
    errors: list[str] = others[-1]
    for name, factor in layer.factors.items():
        if (value := state.pop(prefix + name, None)) is None:
            continue
        if value.shape != (expected := _published(layer, name).shape):
            errors.append(f"size mismatch for {prefix}{name}: {tuple(value.shape)} instead of {tuple(expected)}.")
            continue
        value = value.to(torch.promote_types(value.dtype, torch.float32)) * factor
        state[prefix + name] = layer.arrange(value) if name == "weight" else value


def _unfold_factors(layer: _Layer, state: dict[str, Tensor], prefix: str, _metadata: object) -> None:
    """After a state dict was made."""
    for name, factor in layer.factors.items():
        state[prefix + name] = _published(layer, name).detach() / factor


def _published(layer: _Layer, name: str) -> Tensor:
    """A parameter in its published layout, its factor still in it."""
    parameter = layer.get_parameter(name)
    return layer.rearrange(parameter) if name == "weight" else parameter


class _FullPrecision(nn.Module):
    """Stays in float32 when the network around it is cast to 16 bits: sums of squared styles leave float16's range."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        def keep_precision(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return tensor.to(moved.device) if moved.dtype in (torch.float16, torch.bfloat16) else moved

        return super()._apply(keep_precision, recurse)  # type: ignore[no-untyped-call]


class _Linear(_FullPrecision, _Layer):
    """Equalised linear layer with leaky ReLU: N x in -> N x out."""

    def __init__(self, channels_in: int, channels_out: int, learning_rate: float = 1.0) -> None:
        factor = GAIN * learning_rate
        super().__init__(weight=factor / math.sqrt(channels_in), bias=factor)
        self.weight = nn.Parameter(_random(channels_out, channels_in, scale=GAIN / math.sqrt(channels_in)))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(F.linear(x.to(self.weight.dtype), self.weight, self.bias), SLOPE)


class _PixelNorm(nn.Module):
    """Scales each code to a root mean square of one."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class _Fir(nn.Module):
    """The low-pass filter [1, 3, 3, 1] in both directions, on each channel.

    Its taps are constants: state dicts may hold them (published files do) or not.

    Args:
        gain: the sum of the taps.
        padding: zeros added on each side; the output is 2 * padding - 3 pixels larger than the input.
    """

    def __init__(self, channels: int, *, gain: float = 1.0, padding: int = 0) -> None:
        super().__init__()
        self.padding = padding
        # Constants have values even when the network is built on the meta device.
        device = "cpu" if torch.get_default_device().type == "meta" else None
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=device)
        kernel = (torch.outer(taps, taps) * (gain / 64)).expand(channels, 1, 4, 4).contiguous()
        self.register_buffer("kernel", kernel, persistent=False)
        self.kernel: Tensor
        self.register_load_state_dict_pre_hook(_drop_taps)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, padding=self.padding, groups=x.shape[1])


def _drop_taps(fir: _Fir, state: dict[str, Tensor], prefix: str, *others: Any) -> None:
    """Before loading; the arguments are those of `nn.Module.register_load_state_dict_pre_hook`."""
    errors: list[str] = others[-1]
    taps = state.pop(prefix + "kernel", None)
    if taps is not None and not (taps.shape == (4, 4) and torch.allclose(taps.float(), fir.kernel[0, 0].to(taps.device).float())):
        errors.append(f"size mismatch for {prefix}kernel: the filter is not [1, 3, 3, 1].")


class _Upsample(_FullPrecision, _Fir):
    """Doubles a picture's side: zeros between the pixels, then the filter."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, gain=4.0, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, self.kernel, stride=2, padding=self.padding, groups=x.shape[1])


class _Conv(_Layer):
    """Equalised convolution without a bias; halves the side if `stride` is 2."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1) -> None:
        factor = GAIN / math.sqrt(channels_in * kernel**2)
        super().__init__(weight=factor)
        self.stride = stride
        self.weight = nn.Parameter(_random(channels_out, channels_in, kernel, kernel, scale=factor))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, stride=self.stride)


class _Activation(_Layer):
    """Adds a bias, then leaky ReLU; works in place."""

    def __init__(self, channels: int) -> None:
        super().__init__(bias=GAIN)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu_(x.add_(self.bias[:, None, None]), SLOPE)


class _Modulation(_FullPrecision, _Layer):
    """From the style code to what a modulated convolution multiplies its input and its output by.

    With style s and weights W, StyleGAN2 convolves with W' = s W / |s W|, the norm of an output taken over inputs and taps. That
    is conv(x * s, W) / |s W|, and |s W|^2 = sum_i s_i^2 energy_oi with energy_oi = sum_k W_oik^2. The largest |s_i| is moved from
    the first factor to the second, which keeps the convolution in float16's range.

    Args:
        demodulate: False leaves the norm out.
        gain: a further factor on the output.
    """

    def __init__(self, style_dim: int, channels_in: int, channels_out: int, *, demodulate: bool, gain: float) -> None:
        factor = 1 / math.sqrt(style_dim)
        super().__init__(weight=factor, bias=1.0)
        self.demodulate = demodulate
        self.gain = gain
        self.weight = nn.Parameter(_random(channels_in, style_dim, scale=factor))
        self.bias = nn.Parameter(torch.ones(channels_in))
        self.register_buffer("energy", torch.ones(channels_out, channels_in), persistent=False)
        self.energy: Tensor

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Factors on the input, N x in x 1 x 1, and on the output, N x out x 1 x 1."""
        style = F.linear(code, self.weight, self.bias)
        peak = style.abs().amax(dim=1, keepdim=True).clamp_min(1e-8)
        after = peak * self.gain
        if self.demodulate:
            after = after * torch.rsqrt(F.linear(style.square(), self.energy) + 1e-8)
        else:
            after = after.expand(-1, self.energy.shape[0])
        return (style / peak)[:, :, None, None], after[:, :, None, None]


class _ModulatedConv(_Layer):
    """Convolution whose weights a style scales, see `_Modulation`.

    With `upsample` it is a transposed convolution of stride 2 followed by the low-pass filter, which doubles the side.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        style_dim: int,
        *,
        gain: float,
        upsample: bool = False,
        demodulate: bool = True,
    ) -> None:
        factor = 1 / math.sqrt(channels_in * kernel**2)
        super().__init__(weight=factor)
        self.upsample = upsample
        self.padding = kernel // 2
        self.modulation = _Modulation(style_dim, channels_in, channels_out, demodulate=demodulate, gain=gain)
        if upsample:
            self.blur = _Fir(channels_out, gain=4.0, padding=1)
        self.weight = nn.Parameter(self.arrange(_random(1, channels_out, channels_in, kernel, kernel, scale=factor)))
        self.prepare()
        self.register_load_state_dict_post_hook(_prepare)  # type: ignore[no-untyped-call]

    def arrange(self, published: Tensor) -> Tensor:
        """1 x out x in x k x k to the convolution's layout."""
        return published[0].transpose(0, 1).contiguous() if self.upsample else published[0]

    def rearrange(self, arranged: Tensor) -> Tensor:
        return (arranged.transpose(0, 1) if self.upsample else arranged)[None]

    @torch.no_grad()
    def prepare(self) -> None:
        """Recompute the energy of the weights, once there are any."""
        if self.weight.is_meta:
            return
        weight = self.rearrange(self.weight)[0].to(self.modulation.energy.dtype)
        self.modulation.energy = weight.square().sum(dim=(2, 3))

    def forward(self, x: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """The features, and the factor (N x out x 1 x 1, float32) that the caller still has to multiply them by."""
        before, after = self.modulation(code)
        x = x * before.to(x.dtype)
        if self.upsample:
            return self.blur(F.conv_transpose2d(x, self.weight, stride=2)), after
        return F.conv2d(x, self.weight, padding=self.padding), after


def _prepare(conv: _ModulatedConv, _keys: object) -> None:
    """After loading."""
    conv.prepare()


class _Injection(_Layer):
    """The strength of the encoder's features; in the place of StyleGAN2's noise."""

    def __init__(self) -> None:
        super().__init__(weight=GAIN)
        self.weight = nn.Parameter(torch.zeros(1))


class _StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, beside it the encoder's features, then bias and leaky ReLU."""

    def __init__(self, channels_in: int, channels_out: int, style_dim: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.conv = _ModulatedConv(channels_in, channels_out, 3, style_dim, gain=GAIN, upsample=upsample)
        self.noise = _Injection()
        self.activate = _Activation(2 * channels_out)

    def forward(self, x: Tensor, feature: Tensor, code: Tensor) -> Tensor:
        """Returns 2 * out channels: the decoder's own, then the encoder's."""
        own, factor = self.conv(x, code)
        own_bias, feature_bias = self.activate.bias[:, None, None].chunk(2)
        own = torch.addcmul(own_bias, own, factor.to(own.dtype))
        feature = torch.addcmul(feature_bias, feature, self.noise.weight)
        return F.leaky_relu_(torch.cat((own, feature), dim=1), SLOPE)


class _ToRgb(nn.Module):
    """Adds what the features contribute to the picture, in float32."""

    def __init__(self, channels_in: int, style_dim: int, *, upsample: bool = True) -> None:
        super().__init__()
        self.conv = _ModulatedConv(channels_in, 3, 1, style_dim, gain=1.0, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        if upsample:
            self.upsample = _Upsample(3)

    def forward(self, x: Tensor, code: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Returns N x 3 x H x W; `coarse` is the picture so far, at half the side."""
        colours, factor = self.conv(x, code)
        picture = torch.addcmul(self.bias.to(factor.dtype), colours.to(factor.dtype), factor)
        return picture if coarse is None else picture + self.upsample(coarse)


class _Constant(nn.Module):
    """What the generator starts from, whatever the style."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(_random(1, channels, 4, 4))


class _Generator(nn.Module):
    """StyleGAN2's mapping and synthesis networks, with the encoder's features in the place of noise."""

    def __init__(self, widths: dict[int, int], style_dim: int, n_mlp: int) -> None:
        super().__init__()
        mapping = [_Linear(style_dim, style_dim, learning_rate=0.01) for _ in range(n_mlp)]
        self.style = nn.Sequential(_PixelNorm(), *mapping)
        self.input = _Constant(widths[4])
        self.conv1 = _StyledConv(widths[4], widths[4], style_dim)
        self.to_rgb1 = _ToRgb(2 * widths[4], style_dim, upsample=False)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        channels = 2 * widths[4]
        for side in sorted(widths)[1:]:
            self.convs.append(_StyledConv(channels, widths[side], style_dim, upsample=True))
            channels = 2 * widths[side]
            self.convs.append(_StyledConv(channels, widths[side], style_dim))
            self.to_rgbs.append(_ToRgb(channels, style_dim))

    def forward(self, code: Tensor, features: list[Tensor]) -> Tensor:
        """The picture from the encoder's code (N x style_dim) and its features, from 4 px to full size."""
        style = self.style(code)
        x = self.conv1(self.input.input.expand(len(code), -1, -1, -1), features[0], style)
        picture: Tensor = self.to_rgb1(x, style)
        layers = zip(self.convs[::2], self.convs[1::2], self.to_rgbs, features[1:], strict=True)
        for widen, refine, to_rgb, feature in layers:
            x = refine(widen(x, feature, style), feature, style)
            picture = to_rgb(x, style, picture)
        return picture
