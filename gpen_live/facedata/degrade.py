"""Webcam degradations in batch, on any device: what a cheap camera, its processing and its compression do to a face.

Every function is deterministic by the `torch.Generator` that it is given (on the device of the pictures). Pictures are N,3,H,W
float32 RGB in [0, 1] throughout, unless said otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

LADDER = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The levels that validation reports."""


# --- building blocks ------------------------------------------------------------------------------


def _frequencies(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.fft.fftfreq(height, device=device), torch.fft.rfftfreq(width, device=device)


def gaussian_transfer(sigma: Tensor, height: int, width: int) -> Tensor:
    """Transfer function of a Gaussian blur: `sigma` (N, pixels) to N,1,H,W/2+1, for multiplication with `torch.fft.rfft2`."""
    fy, fx = _frequencies(height, width, sigma.device)
    radius = fy[:, None] ** 2 + fx[None, :] ** 2
    transfer: Tensor = torch.exp(-2 * math.pi**2 * sigma[:, None, None] ** 2 * radius)
    return transfer[:, None]


def gaussian_blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of each picture by its own `sigma` (N, pixels); mirrored at the border."""
    return _filtered(x, None, sigma)


def _filtered(x: Tensor, kernels: Tensor | None, sigma: Tensor) -> Tensor:
    """Convolves each picture with its own kernel (N,k,k, odd k, sum 1) and Gaussian; mirrored at the border."""
    margin = 16
    height, width = x.shape[-2:]
    padded = F.pad(x, (margin, margin, margin, margin), mode="reflect")
    ph, pw = padded.shape[-2:]
    transfer = gaussian_transfer(sigma, ph, pw)
    if kernels is not None:
        half = kernels.shape[-1] // 2
        spread = F.pad(kernels, (0, pw - kernels.shape[-1], 0, ph - kernels.shape[-2])).roll((-half, -half), (-2, -1))
        transfer = transfer * torch.fft.rfft2(spread)[:, None]
    out: Tensor = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer, s=(ph, pw))
    return out[..., margin : margin + height, margin : margin + width]


def grain(shape: tuple[int, int, int, int], sigma: Tensor, generator: Generator) -> Tensor:
    """Gaussian noise of unit variance whose grains have the size `sigma` (N, pixels; 0 = white)."""
    n, _, height, width = shape
    white = torch.randn(shape, generator=generator, device=sigma.device)
    fy, fx = torch.fft.fftfreq(height, device=sigma.device), torch.fft.fftfreq(width, device=sigma.device)
    power = [torch.exp(-4 * math.pi**2 * sigma[:, None] ** 2 * f**2).mean(1) for f in (fy, fx)]
    transfer = gaussian_transfer(sigma, height, width) / (power[0] * power[1]).sqrt().view(n, 1, 1, 1)
    noise: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * transfer, s=(height, width))
    return noise


JPEG_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luma, ITU-T T.81, annex K."""

_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


@cache
def _constant(values: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    """Made once: a copy to the device would break a CUDA graph's capture."""
    return torch.tensor(values, device=device, dtype=torch.float32)


def _recolour(x: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("ij,njhw->nihw", _constant(matrix, x.device), x)


def _quantised(plane: Tensor, table: Tensor) -> Tensor:
    """Rounds the 8x8 DCT coefficients of N,C,H,W (multiples of 8) to multiples of `table` (N,8,8)."""
    n, c, height, width = plane.shape
    k = torch.arange(8, device=plane.device, dtype=torch.float32)
    dct = torch.cos((2 * k[None, :] + 1) * k[:, None] * math.pi / 16) * 0.5
    dct[0] *= math.sqrt(0.5)
    both = torch.kron(dct, dct)  # of a block as a vector of 64: one large matrix product instead of many small ones
    blocks = plane.view(n, c, height // 8, 8, width // 8, 8).transpose(3, 4).reshape(n, -1, 64)
    steps = table.view(n, 1, 64)
    blocks = torch.round(blocks @ both.T / steps) * steps @ both
    return blocks.view(n, c, height // 8, width // 8, 8, 8).transpose(3, 4).reshape(n, c, height, width)


_VIDEO_STEP = 0.16
"""Quantiser step of a video codec per percent of JPEG's scale: about the same bits."""


def _deblocked(plane: Tensor, step: Tensor) -> Tensor:
    """Smooths across the edges of 8x8 blocks where they jump by less than the quantiser's `step` (N,1,1)."""
    for dim in (2, 3):
        before, after = plane.roll(1, dim), plane.roll(-1, dim)
        place = torch.arange(plane.shape[dim], device=plane.device) % 8
        shape = [1, 1, -1, 1] if dim == 2 else [1, 1, 1, -1]
        first = (place == 0).view(shape) & ((plane - before).abs() < step[..., None])
        last = (place == 7).view(shape) & ((plane - after).abs() < step[..., None])
        plane = torch.where(first, 0.65 * plane + 0.35 * before, torch.where(last, 0.65 * plane + 0.35 * after, plane))
    return plane


def jpeg(x: Tensor, quality: Tensor, video: Tensor | None = None) -> Tensor:
    """What JPEG (ITU-T T.81, baseline, 4:2:0, libjpeg's tables and quality scale) leaves of each picture.

    Args:
        x: N,3,H,W, RGB in [0, 1], any size.
        quality: N, 1 to 100.
        video: N, 1 where a video codec's key frame is meant instead: all frequencies quantised alike (as H.264 does without
            scaling matrices), the edges of the blocks smoothed.
    """
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).view(-1, 1, 1)
    luma_table, chroma_table = (((_constant(t, x.device) * scale + 50) / 100).floor().clamp(1, 255) for t in (JPEG_LUMA, _CHROMA))
    if video is not None:
        is_video = video.view(-1, 1, 1) > 0
        flat = (scale * _VIDEO_STEP).clamp(1, 96).expand_as(luma_table)
        luma_table, chroma_table = (torch.where(is_video, flat, t) for t in (luma_table, chroma_table))
    ycc = _recolour((x.clamp(0, 1) * 255).round(), _TO_YCC)
    luma = _quantised(ycc[:, :1] - 128, luma_table) + 128
    small = _quantised(F.avg_pool2d(ycc[:, 1:], 2), chroma_table)
    if video is not None:
        luma, small = (torch.where(is_video[..., None], _deblocked(plane, flat[:, :1, :1]), plane) for plane in (luma, small))
    chroma = F.interpolate(small, scale_factor=2, mode="bilinear")
    out = _recolour(torch.cat([luma, chroma], dim=1), _TO_RGB)
    return (out[..., :height, :width] / 255).clamp(0, 1)


def _to_8_bits(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round() / 255


# --- the ladder: fixed levels for validation ------------------------------------------------------


def ladder(x: Tensor, level: float, generator: Generator) -> Tensor:
    """The validation degradation at `level` in [0, 1]; level 0 leaves the picture as it is.

    Blur (Gaussian, sigma 0.2 to 2.2), downscale by 1 to 3.2 (area) and back (bilinear), white noise plus coarse (a quarter of the
    resolution, bicubic) colour noise of the same standard deviation, 0 to 0.07 each, JPEG 95 to 30.
    """
    if level <= 0:
        return _to_8_bits(x)
    n, _, height, width = x.shape
    per_picture = torch.ones(n, device=x.device)
    x = gaussian_blur(x, per_picture * (0.2 + 2.0 * level))
    small = [max(1, round(side / (1 + 2.2 * level))) for side in (height, width)]
    x = F.interpolate(F.interpolate(x, small, mode="area"), (height, width), mode="bilinear")
    sigma = 0.07 * level
    coarse = torch.randn((n, 3, math.ceil(height / 4), math.ceil(width / 4)), generator=generator, device=x.device)
    noise = torch.randn(x.shape, generator=generator, device=x.device) + F.interpolate(coarse, (height, width), mode="bicubic")
    return _to_8_bits(jpeg(x + sigma * noise, per_picture * (95 - 65 * level)))


# --- the virtual webcam: random degradations for training -----------------------------------------


@dataclass(frozen=True, slots=True)
class Webcam:
    """A batch of random webcams: one entry per picture in every field."""

    kernel: Tensor
    """Index of the lens's blur kernel in the bank (int64)."""
    kernel_mix: Tensor
    """Share of the kernel, the rest is a perfect lens, 0 to 1."""
    scale: Tensor
    """Pixels of the crop per pixel of the camera, at least 1."""
    angle: Tensor
    """Roll between camera and crop in radians."""
    shift: Tensor
    """N,2: offset of the camera's pixel grid in camera pixels."""
    early_upscale: Tensor
    """1 where the driver scales the picture up before noise and compression, 0 where the crop's resampling does it, last."""
    fine: Tensor
    """Standard deviation of the fine noise."""
    fine_grain: Tensor
    """Its grain in pixels."""
    coarse: Tensor
    """Standard deviation of the coarse, blotchy noise."""
    coarse_grain: Tensor
    """Its grain in pixels."""
    coarse_luma: Tensor
    """How much of the coarse noise is in the luma too, 0 (chroma alone) to 1."""
    shot: Tensor
    """Share of the noise that grows with the light, 0 to 1."""
    sharpen: Tensor
    """Strength of the camera's sharpening; above 0 it draws halos."""
    sharpen_radius: Tensor
    """Its Gaussian's sigma in pixels."""
    quality: Tensor
    """JPEG quality."""
    video: Tensor
    """1 where a video codec compresses instead of JPEG."""
    raw: Tensor
    """1 where nothing compresses, so that each pixel keeps a noise of its own, in colour too."""
    clean: Tensor
    """1 where nothing at all is done to the picture."""

    def repeat(self, times: int) -> Webcam:
        """The same webcams, `times` over."""
        return Webcam(*(torch.cat([getattr(self, f.name)] * times) for f in fields(self)))


def random_webcams(
    count: int,
    kernels: int,
    generator: Generator,
    *,
    clean_share: float = 0.1,
    quiet_share: float = 0.3,
    raw_share: float = 0.25,
) -> Webcam:
    """Draws webcams from nearly perfect to hardly bearable.

    Each picture draws one level; every fault follows it loosely, or is absent, so that the network also meets noise without blur
    and blur without noise.

    Args:
        kernels: size of the bank of blur kernels, sorted from sharp to soft.
        clean_share: share of pictures that are left as they are.
        quiet_share: share of pictures whose noise is mostly gone while their blur stays.
        raw_share: share of pictures that nothing compresses.
    """
    device = generator.device

    def uniform(low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator, device=device)

    def chance(p: float) -> Tensor:
        return (uniform() < p).float()

    level = uniform(0.0, 1.05)

    def fault(p: float) -> Tensor:
        return (level * uniform(0.6, 1.25)).clamp(0, 1.15) * chance(p)

    blur, noise, coarse = fault(0.9), fault(0.92), fault(0.8)
    # The camera's own denoising, or a codec's, leaves a soft picture with hardly any noise.
    quiet = torch.where(uniform() < quiet_share, 0.35 * uniform(), 1.0)
    noise, coarse = noise * quiet, coarse * quiet
    geometry, early, scale = chance(0.6), chance(0.5), 1 + 2.2 * fault(0.85)
    enlarged = torch.where(early > 0, torch.ones_like(scale), scale)  # how much the noise itself is scaled up in the end
    return Webcam(
        kernel=((blur.clamp(0, 1) + uniform(-0.04, 0.04)).clamp(0, 1) * (kernels - 1)).round().long(),
        kernel_mix=(blur > 0).float(),
        scale=scale,
        angle=geometry * uniform(-0.3, 0.3),
        shift=torch.stack([geometry * uniform(-0.5, 0.5), geometry * uniform(-0.5, 0.5)], dim=1),
        early_upscale=early,
        fine=0.07 * noise * torch.where(enlarged > 1.3, 0.75, 1.0),
        fine_grain=chance(0.4) * uniform(0.2, 0.9),
        coarse=0.06 * coarse,
        coarse_grain=uniform(1.0, 2.6) / enlarged,
        coarse_luma=torch.maximum(uniform(), chance(0.4)),
        shot=uniform(),
        sharpen=chance(0.3) * uniform(0.2, 1.5),
        sharpen_radius=uniform(0.6, 1.6),
        quality=(98 - 66 * fault(0.9)).clamp(25, 98),
        video=chance(0.3),
        raw=chance(raw_share),
        clean=chance(clean_share),
    )


def _warp(x: Tensor, scale: Tensor, angle: Tensor, shift: Tensor, mode: str) -> Tensor:
    """Samples `x` where out(p) = x(scale * R(angle) (p + shift)), p in pixels from the picture's centre; mirrored outside."""
    height, width = x.shape[-2:]
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    dx = cos * shift[:, 0] - sin * shift[:, 1]
    dy = sin * shift[:, 0] + cos * shift[:, 1]
    theta = torch.stack(
        [
            torch.stack([cos, -sin * height / width, dx * 2 / width], dim=1),
            torch.stack([sin * width / height, cos, dy * 2 / height], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode=mode, padding_mode="reflection", align_corners=False)


def jitter(x: Tensor, generator: Generator) -> Tensor:
    """Other takes of the same faces: mirrored, turned, moved, scaled, under other light and white balance.

    Half of the pictures keep their pixels' grid, so that their finest detail survives. N,3,H,W in [0, 1] in and out, in steps
    of 1/255.
    """
    n, device = len(x), x.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((n, *shape), generator=generator, device=device)

    x = torch.where(uniform(0, 1, 1, 1, 1) < 0.5, x.flip(3), x)
    moved = (uniform(0, 1) < 0.5).float()
    whole = uniform(-6, 6, 2).round()
    free = moved[:, None] * uniform(-0.5, 0.5, 2)
    x = _warp(x, 1 + moved * uniform(-0.1, 0.06), moved * uniform(-0.2, 0.2), whole + free, "bicubic")
    dark = uniform(0, 1) < 0.3
    gain = torch.where(dark, uniform(0.25, 1.0), uniform(0.8, 1.15)).view(-1, 1, 1, 1)
    balance = 1 + (uniform(0, 1, 1) < 0.5) * uniform(-0.15, 0.15, 3)
    gamma = uniform(-0.3, 0.3).exp().view(-1, 1, 1, 1)
    return _to_8_bits(x.clamp(0, 1) ** gamma * gain * balance.view(-1, 3, 1, 1))


def degrade(x: Tensor, webcams: Webcam, bank: Tensor, generator: Generator, *, upscale: str = "bilinear") -> Tensor:
    """Looks at pictures through webcams: lens, sensor grid, noise, sharpening, compression, and back onto the crop's grid.

    Args:
        x: N,3,H,W, RGB in [0, 1]. About 16 pixels at the border become unreliable.
        webcams: N of them.
        bank: K,k,k blur kernels, odd k up to 31, each of sum 1, sorted from sharp to soft.
        generator: draws the noise; another state gives another frame of the same still scene.
        upscale: `bilinear` or `bicubic`.

    Returns:
        N,3,H,W in steps of 1/255.
    """
    w = webcams
    one = torch.ones_like(w.scale)
    kernels = bank[w.kernel]
    half = kernels.shape[-1] // 2
    mix = w.kernel_mix.view(-1, 1, 1)
    kernels = kernels * mix
    kernels[:, half, half] += 1 - w.kernel_mix
    # A camera pixel gathers light over its area: the low-pass filter before a coarser grid.
    seen = _filtered(x, kernels, 0.45 * (w.scale**2 - 1).clamp(min=0).sqrt())
    seen = _warp(seen, w.scale, w.angle, w.shift, "bilinear")
    early, late = w.early_upscale, 1 - w.early_upscale

    def back(y: Tensor, when: Tensor) -> Tensor:
        """The inverse warp where `when` is 1, nothing where it is 0."""
        scale = torch.where(when > 0, 1 / w.scale, one)
        angle = -w.angle * when
        cos, sin = w.scale * torch.cos(w.angle), w.scale * torch.sin(w.angle)
        shift = -torch.stack([cos * w.shift[:, 0] - sin * w.shift[:, 1], sin * w.shift[:, 0] + cos * w.shift[:, 1]], dim=1)
        return _warp(y, scale, angle, shift * when[:, None], upscale)

    seen = back(seen, early)

    shape = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    light = ((1 - w.shot).view(-1, 1, 1, 1) + w.shot.view(-1, 1, 1, 1) * 2 * seen.clamp(0, 1)).sqrt()
    blotches = grain(shape, w.coarse_grain, generator)
    luma = blotches.mean(1, keepdim=True)
    blotches = blotches - luma * (1 - w.coarse_luma).view(-1, 1, 1, 1)
    noise = grain(shape, w.fine_grain, generator) * w.fine.view(-1, 1, 1, 1) + blotches * w.coarse.view(-1, 1, 1, 1)
    seen = (seen + noise * light).clamp(0, 1)
    seen = seen + w.sharpen.view(-1, 1, 1, 1) * (seen - gaussian_blur(seen, w.sharpen_radius))
    seen = torch.where(w.raw.view(-1, 1, 1, 1) > 0, seen.clamp(0, 1), jpeg(seen, w.quality, w.video))

    seen = back(seen, late)
    return _to_8_bits(torch.where(w.clean.view(-1, 1, 1, 1) > 0, x, seen))
