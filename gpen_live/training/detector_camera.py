"""What a webcam and its driver do to a scene before a detector sees it: light, blur, noise, JPEG; by the batch, on the device."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from gpen_live.facedata.degrade import JPEG_LUMA


@dataclass(frozen=True)
class Camera:
    """One camera for each of B pictures; all tensors lead with B."""

    gain: Tensor
    gamma: Tensor
    saturation: Tensor
    kernel: Tensor
    noise: Tensor
    chroma: Tensor
    quality: Tensor

    def shared_with(self, other: Camera) -> Camera:
        """Every second picture's camera from here, the rest from `other`."""
        mine = torch.arange(len(self.quality), device=self.quality.device) % 2 == 0
        pairs = [(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)]
        return Camera(*(torch.where(mine.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))


def draw_cameras(count: int, random: torch.Generator, *, severity: float = 1.0) -> Camera:
    """Draws cameras; `severity` 0..1 scales all but the picture's tone."""
    device = random.device

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(*shape, generator=random, device=device) * (high - low) + low

    def often(share: float, *shape: int) -> Tensor:
        return uniform(*shape) < share

    dark = often(0.25, count, 1, 1, 1)
    exposure = torch.where(
        dark, uniform(count, 1, 1, 1, low=math.log(0.12), high=math.log(0.5)), uniform(count, 1, 1, 1, low=-0.45, high=0.35)
    )
    balance = uniform(count, 3, 1, 1, low=-0.2, high=0.2)
    grey = often(0.04, count, 1, 1, 1)
    noise = uniform(count, 1, 1, 1) ** 2 * torch.where(dark, 18.0, 11.0) * often(0.8, count, 1, 1, 1) * severity
    return Camera(
        gain=(exposure + balance).exp(),
        gamma=uniform(count, 1, 1, 1, low=math.log(0.65), high=math.log(1.5)).exp(),
        saturation=torch.where(grey, 0.0, uniform(count, 1, 1, 1, low=0.5, high=1.35)),
        kernel=_kernels(count, random, severity),
        noise=noise,
        chroma=noise * uniform(count, 1, 1, 1, high=1.2),
        quality=torch.where(often(0.4 * severity, count), uniform(count, low=25.0, high=95.0), 100.0),
    )


def photograph(images: Tensor, camera: Camera, random: torch.Generator) -> Tensor:
    """Pictures (B x 3 x H x W, 0..255) as those cameras deliver them: whole levels 0..255. Only the noise is drawn anew."""
    count, _, height, width = images.shape
    side = camera.kernel.shape[-1]
    padded = F.pad(images, [side // 2] * 4, mode="reflect").reshape(1, count * 3, height + side - 1, width + side - 1)
    weights = camera.kernel[:, None].expand(-1, 3, -1, -1).reshape(count * 3, 1, side, side)
    x = F.conv2d(padded, weights, groups=count * 3).reshape(count, 3, height, width)
    x = (x.clamp(0, 255) / 255).pow(camera.gamma) * 255 * camera.gain
    luma = (x * x.new_tensor([0.114, 0.587, 0.299]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    x = luma + (x - luma) * camera.saturation
    fine = torch.randn(count, 1, height, width, generator=random, device=x.device)
    coarse = torch.randn(count, 3, -(-height // 2), -(-width // 2), generator=random, device=x.device)
    coarse = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    x = (x + fine * camera.noise + coarse * camera.chroma).clamp(0, 255)
    return jpeg(x, camera.quality).round().clamp(0, 255)


def _kernels(count: int, random: torch.Generator, severity: float, side: int = 9) -> Tensor:
    """Blur kernels, B x side x side: a turned Gaussian, long and thin for motion, a point for a sharp camera."""
    device = random.device
    draw = torch.rand(count, 4, generator=random, device=device)
    angle = draw[:, 0, None, None] * math.pi
    wide = 0.05 + 1.5 * draw[:, 1, None, None] ** 1.5 * severity
    moving = (draw[:, 2, None, None] < 0.15 * severity).float()
    long = wide + moving * 2.5 * draw[:, 3, None, None]
    steps = torch.arange(side, device=device) - side // 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernel = (-0.5 * ((along / long) ** 2 + (across / wide) ** 2)).exp()
    return kernel / kernel.sum(dim=(1, 2), keepdim=True)


YCC_OF_BGR = ((0.114, 0.587, 0.299), (0.5, -0.331264, -0.168736), (-0.081312, -0.418688, 0.5))
BGR_OF_YCC = ((1.0, 1.772, 0.0), (1.0, -0.344136, -0.714136), (1.0, 0.0, 1.402))
"""Colour transforms of JFIF (full range), rows and columns in the order B, G, R and Y, Cb, Cr."""


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """The quantisation of JPEG on B x 3 x H x W, without chroma subsampling, one table for all; quality (B) 100 does nothing.

    Scaling of the table by quality as in libjpeg.
    """
    height, width = images.shape[-2:]
    to_ycc, to_bgr = images.new_tensor(YCC_OF_BGR), images.new_tensor(BGR_OF_YCC)
    x = torch.einsum("yc,bchw->byhw", to_ycc, images - 128)
    x = F.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = x.unfold(2, 8, 8).unfold(3, 8, 8)
    k = torch.arange(8, device=images.device, dtype=images.dtype)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
    basis = torch.cat([basis[:1] / math.sqrt(2), basis[1:]])
    table = images.new_tensor(JPEG_LUMA)
    factor = torch.where(quality < 50, 50 / quality.clamp(min=1), 2 - quality / 50).view(-1, 1, 1, 1, 1, 1)
    steps = (table * factor).clamp(min=1.0).flatten(-2)
    # Both passes of the cosine transform as one product with 64 x 64 numbers, which suits a GPU better than many of 8 x 8.
    both = torch.kron(basis, basis)
    spectrum = blocks.flatten(-2) @ both.T
    restored = (((spectrum / steps).round() * steps) @ both).view(*blocks.shape)
    rows, columns = blocks.shape[2:4]
    y = restored.permute(0, 1, 2, 4, 3, 5).reshape(*x.shape[:2], rows * 8, columns * 8)[..., :height, :width]
    back = torch.einsum("cy,byhw->bchw", to_bgr, y) + 128
    return torch.where((quality < 100).view(-1, 1, 1, 1), back, images)
