"""Paints imperfections onto portraits and things before them, on the device: pictures with their layers as known truth.

Spots follow the skin's own optics: a colour is a change along the axes of melanin and haemoglobin in the logarithm of RGB
(Tsumura et al., "Image-based skin color and texture analysis/synthesis by extracting hemoglobin and melanin information in the
skin", SIGGRAPH 2003), so that they are right on every skin. A film is a face that is painted once and seen in some frames,
through its own webcam; something may come before it and go. N films of T frames; pictures N,T,3,S,S and layers N,T,5,S/2,S/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from gpen_live.facedata.degrade import Webcam, degrade, gaussian_blur, random_webcams
from gpen_live.facedata.pack import SIZE
from gpen_live.nets.retouch import DEPTH
from gpen_live.training.retouch_bank import Bank

_WINDOW = SIZE + 32
"""The crop with room for what a webcam's lens and grid mix in from outside."""
_LUMA = (0.299, 0.587, 0.114)
_HAEMOGLOBIN, _MELANIN = (0.16, 0.78, 0.6), (0.42, 0.56, 0.72)
_JITTER = 0.08
"""Standard deviation of the axes: of cameras' colours."""
_SEEN = (0.07, 0.2)
"""Change of the logarithm of a colour that is just and that is plainly seen on skin with its own texture. Less than that must not
count: a network that is to find what nobody sees learns to find nothing."""


@dataclass(frozen=True)
class Portraits:
    """Portraits and what is known of them, K of each; bytes on the device.

    Args:
        pictures: K,3,P,P, RGB, with no plain spots left.
        matte: K,1,P/2,P/2, bare skin.
        spots: K,1,P/2,P/2, where a spot of its own may be: nothing is taught there but for what is painted.
        maps: K,4,P/4,P/4: the portrait's own darkness below the eyes, where that is, its own shine, where skin may shine.
        valid: K,1,P/4,P/4, the photo, not the mirror beyond its border.
    """

    pictures: Tensor
    matte: Tensor
    spots: Tensor
    maps: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Films:
    """What a network sees and what it shall say."""

    seen: Tensor
    """N,T,3,S,S, RGB in [-1, 1]."""
    layers: Tensor
    """N,T,5,S/2,S/2, in [0, 1]."""
    weight: Tensor
    """N,T,5,S/2,S/2: how much a value counts."""


class Painter:
    """Endless films.

    Args:
        portraits, bank: what is painted on, and what is painted.
        kernels: blur kernels for `degrade`.
        generator: draws everything, on their device.
    """

    def __init__(self, portraits: Portraits, bank: Bank, kernels: Tensor, generator: Generator) -> None:
        self._portraits, self._kernels, self._generator, self._device = portraits, kernels, generator, generator.device
        self._bank = {
            name: torch.from_numpy(getattr(bank, name))
            .permute(0, 3, 1, 2)
            .to(self._device, memory_format=torch.contiguous_format)
            for name in ("blemishes", "moles", "freckles", "hands", "things", "worn")
        }

    @torch.no_grad()
    def films(self, count: int, frames: int) -> Films:
        """New ones."""
        chosen = self._integers(len(self._portraits.pictures), count)
        canvas, layers, weight, skin = self._painted(chosen)
        shown, labels = self._played(canvas, torch.cat([layers, weight], dim=1), skin, frames)
        webcams = random_webcams(count, len(self._kernels), self._generator, clean_share=0.45, quiet_share=0.5, raw_share=0.3)
        flat = degrade(shown.flatten(0, 1), _each(webcams, frames), self._kernels, self._generator)
        edge = (_WINDOW - SIZE) // 2
        seen = flat[..., edge : edge + SIZE, edge : edge + SIZE].contiguous().view(count, frames, 3, SIZE, SIZE) * 2 - 1
        labels = labels[..., edge : edge + SIZE, edge : edge + SIZE].flatten(0, 1)
        # The rim of a spot shall be within it: what heals takes its colours from outside.
        spots = F.max_pool2d(labels[:, 1:3], 3, 1, 1)
        found = F.avg_pool2d(torch.cat([labels[:, :1], spots, labels[:, 3:]], dim=1), 2).view(
            count, frames, -1, SIZE // 2, SIZE // 2
        )
        return Films(seen, found[:, :, :5].clamp(0, 1), found[:, :, 5:].clamp(0, 1))

    # --- chance ---

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=self._generator, device=self._device)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator, device=self._device)

    def _chance(self, p: float, count: int) -> Tensor:
        """N,1,1,1: 1 or 0."""
        return (self._uniform(0, 1, count, 1, 1, 1) < p).float()

    def _integers(self, end: int, count: int) -> Tensor:
        return torch.randint(end, (count,), generator=self._generator, device=self._device)

    def _clouds(self, count: int, channels: int, cells: int, side: int) -> Tensor:
        """Smooth noise of about unit variance."""
        return F.interpolate(self._normal(count, channels, cells, cells), (side, side), mode="bicubic") * 1.4

    # --- on the skin ---

    def _drawn(self, name: str, count: int, side: int) -> Tensor:
        """Drawings, mirrored, turned, shifted and scaled at random: N,C,P,P in [0, 1]."""
        drawn = self._bank[name][self._integers(len(self._bank[name]), count)].float() / 255
        flip = torch.where(self._uniform(0, 1, count) < 0.5, -1.0, 1.0)
        angle, scale = self._uniform(-0.5, 0.5, count), self._uniform(0.75, 1.25, count)
        move = self._uniform(-0.12, 0.12, count, 2)
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        theta = torch.stack([torch.stack([cos * flip, -sin, move[:, 0]], 1), torch.stack([sin * flip, cos, move[:, 1]], 1)], 1)
        grid = F.affine_grid(theta, [count, 1, side, side], align_corners=False)
        return F.grid_sample(drawn, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _axis(self, values: tuple[float, float, float], count: int) -> Tensor:
        return (torch.tensor(values, device=self._device) + _JITTER * self._normal(count, 3)).view(count, 3, 1, 1)

    def _painted(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Canvases (N,3,P,P in [0, 1]), their layers and weights (N,5,P,P), and the skin's mean colour (N,3)."""
        count, own = len(chosen), self._portraits
        side = own.pictures.shape[-1]

        def read(values: Tensor) -> Tensor:
            return F.interpolate(values[chosen].float() / 255, (side, side), mode="bilinear", align_corners=False)

        picture = own.pictures[chosen].float() / 255
        matte, spots, maps, valid = read(own.matte), read(own.spots), read(own.maps), read(own.valid)
        under_own, below_eyes, shine_own, glossy = torch.split(maps, 1, dim=1)
        skin = (picture * matte).sum((2, 3)) / matte.sum((2, 3)).clamp(min=1)

        # The middle band of the skin, from smooth to uneven: nothing that a layer is for.
        band = gaussian_blur(picture, self._uniform(2, 3, count)) - gaussian_blur(picture, self._uniform(7, 11, count))
        picture = picture + band * matte * self._uniform(-0.9, 1.4, count, 1, 1, 1) * self._chance(0.6, count)
        logs = torch.log(picture.clamp(min=1 / 255))

        haemoglobin, melanin = self._axis(_HAEMOGLOBIN, count), self._axis(_MELANIN, count)
        # Redness and unevenness in large patches: for another control, so not a layer either.
        patches = self._clouds(count, 2, 12, side) * self._uniform(0, 0.05, count, 2, 1, 1) * self._chance(0.7, count)
        flush = (self._clouds(count, 1, 5, side) - 0.6).clamp(min=0) * self._uniform(0, 0.25, count, 1, 1, 1) * glossy
        logs = logs - matte * (haemoglobin * (patches[:, :1] + flush * self._chance(0.3, count)) + melanin * patches[:, 1:])

        blemish = self._blemishes(count, side, haemoglobin, melanin) * self._chance(0.75, count)
        moles = self._drawn("moles", count, side) * self._uniform(0.8, 2.6, count, 1, 1, 1) * self._chance(0.55, count)
        freckles = self._drawn("freckles", count, side) * self._uniform(0.4, 1.2, count, 1, 1, 1) * self._chance(0.25, count)
        mole = -torch.maximum(moles, freckles) * melanin
        # Spots under a mole are the mole's.
        covered = _visible(mole)
        blemish = blemish * (1 - covered)
        logs = logs + matte * (blemish + mole)

        darkness = self._darkness(count, side, below_eyes)
        relieved = self._chance(0.4, count) * self._uniform(0.3, 1, count, 1, 1, 1) * under_own
        tint = (haemoglobin * self._uniform(0, 1, count, 1, 1, 1) + melanin).clamp(min=0.05)
        tint = tint / (tint * torch.tensor(_LUMA, device=self._device).view(1, 3, 1, 1)).sum(1, keepdim=True)
        logs = logs + DEPTH * (relieved - darkness * tint)
        under = under_own - relieved + darkness

        painted = logs.exp()
        light = self._uniform(0.75, 1.0, count, 1, 1, 1) * (1 + 0.06 * self._normal(count, 3, 1, 1))
        gloss = self._gloss(count, side, glossy)
        shone = painted + gloss * (light - painted).clamp(min=0)
        shine = shine_own + torch.log((_luma(shone) + 0.02) / (_luma(painted) + 0.02)).clamp(min=0) / DEPTH

        seen = matte * valid
        layers = torch.cat([matte, _visible(blemish) * matte, covered * matte, under.clamp(0, 1), shine.clamp(0, 1)], dim=1)
        # What the painter has not put there is unknown where a spot of the portrait's own may be.
        known = (1 - spots).clamp(min=0)
        known = torch.maximum(known, layers[:, 1:3])
        weight = torch.cat([valid, known, valid, valid], dim=1)
        canvas = torch.where(seen > 0, shone, picture).clamp(0, 1)
        canvas, layers = self._worn(canvas, layers)
        return canvas, layers, weight * valid, skin

    def _blemishes(self, count: int, side: int, haemoglobin: Tensor, melanin: Tensor) -> Tensor:
        """Change of the logarithm of the colour, N,3,P,P."""
        red, brown, height, pale = torch.split(self._drawn("blemishes", count, side), 1, dim=1)
        height = height * 2 - 1
        angle = self._uniform(0, 2 * math.pi, count, 1, 1, 1)
        slope_x = F.pad(height[..., 2:] - height[..., :-2], (1, 1)) / 2
        slope_y = F.pad(height[..., 2:, :] - height[..., :-2, :], (0, 0, 1, 1)) / 2
        relief = (slope_x * torch.cos(angle) + slope_y * torch.sin(angle)) * self._uniform(0.15, 0.8, count, 1, 1, 1)
        reddish, brownish = self._uniform(0.3, 1.0, count, 1, 1, 1), self._uniform(0.2, 1.0, count, 1, 1, 1)
        change = -red * reddish * haemoglobin - brown * brownish * melanin + relief
        yellowish = torch.tensor([0.9, 1.0, 0.6], device=self._device).view(1, 3, 1, 1)
        paler: Tensor = pale * self._uniform(0.05, 0.45, count, 1, 1, 1) * yellowish
        return change + paler

    def _darkness(self, count: int, side: int, below_eyes: Tensor) -> Tensor:
        """Under the eyes, each for itself, in DEPTH: N,1,P,P."""
        half = torch.arange(side, device=self._device).view(1, 1, 1, side) < side / 2
        amount = torch.where(half, self._uniform(0.05, 0.85, count, 1, 1, 1), self._uniform(0.05, 0.85, count, 1, 1, 1))
        both = self._uniform(0, 1, count, 1, 1, 1) < 0.75
        amount = torch.where(both, amount.amax(3, keepdim=True), amount)
        uneven = (1 + 0.35 * self._clouds(count, 1, 14, side)).clamp(0.2, 1.4)
        soft = below_eyes ** self._uniform(0.6, 2.5, count, 1, 1, 1)
        return (amount * uneven * soft).clamp(0, 1) * self._chance(0.55, count)

    def _gloss(self, count: int, side: int, glossy: Tensor) -> Tensor:
        """How much of the light's own colour the skin mirrors, N,1,P,P in [0, 1]."""
        broad = self._clouds(count, 1, 8, side) + 0.5 * self._clouds(count, 1, 26, side)
        spotted = (broad - self._uniform(0.2, 1.3, count, 1, 1, 1)).clamp(min=0) / self._uniform(0.5, 2.0, count, 1, 1, 1)
        fine = 1 + 0.3 * self._normal(count, 1, side, side) * self._chance(0.5, count)
        gloss = spotted.clamp(max=1) * glossy * fine.clamp(min=0) * self._uniform(0.15, 1.0, count, 1, 1, 1)
        return gloss * self._chance(0.5, count)

    # --- before the face ---

    def _worn(self, canvas: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
        """Glasses, hair and headsets stay with the face."""
        count = len(canvas)
        for share in (0.4, 0.12):
            drawn = self._bank["worn"][self._integers(len(self._bank["worn"]), count)].float() / 255
            drawn = torch.where(self._uniform(0, 1, count, 1, 1, 1) < 0.5, drawn.flip(3), drawn)
            cover = drawn[:, 3:] * self._chance(share, count)
            canvas = canvas.lerp(drawn[:, :3], cover)
            layers = layers * (1 - _hides(cover))
        return canvas, layers

    def _played(self, canvas: Tensor, labels: Tensor, skin: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Frames of each canvas: N,T,C,W,W, W the window. Faces move a little in their crops, things come and go."""
        count, side = len(canvas), canvas.shape[-1]
        flip = torch.where(self._uniform(0, 1, count) < 0.5, -1.0, 1.0)
        angle = self._uniform(-0.2, 0.2, count) * (self._uniform(0, 1, count) < 0.6)
        scale, place = self._uniform(0.88, 1.1, count), self._uniform(-9, 9, count, 2)
        gain = torch.exp(self._uniform(-0.9, 0.25, count, 1, 1, 1) * self._chance(0.6, count))
        gamma = torch.exp(self._uniform(-0.3, 0.3, count, 1, 1, 1))
        balance = torch.exp(0.1 * self._normal(count, 3, 1, 1) * self._chance(0.6, count))
        moving = self._uniform(0, 1, count) < 0.5
        held = self._held(canvas, skin)
        shown, told = [], []
        for _ in range(frames):
            grid = _grid(angle, scale, flip, place, side)
            picture = F.grid_sample(canvas, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(0, 1)
            seen_labels = F.grid_sample(labels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
            picture = (picture**gamma * gain * balance).clamp(0, 1)
            for cover, colour, there in held:
                at = there.next(moving)
                mask = F.grid_sample(cover, at, mode="bilinear", align_corners=False) * there.share
                over = F.grid_sample(colour, at, mode="bilinear", align_corners=False)
                picture = picture.lerp((over * gain * balance).clamp(0, 1), mask)
                layers, weight = torch.split(seen_labels, 5, dim=1)
                # What lies before the face is known for sure.
                seen_labels = torch.cat([layers * (1 - _hides(mask)), torch.maximum(weight, mask)], dim=1)
            shown.append((picture * 255).round() / 255)
            told.append(seen_labels)
            step = torch.where(moving[:, None], 1.2, 0.15)
            place = place + self._normal(count, 2) * step
            angle = angle + self._normal(count) * step[:, 0] * 0.006
            scale = scale * (1 + self._normal(count) * step[:, 0] * 0.006)
        return torch.stack(shown, 1), torch.stack(told, 1)

    def _held(self, canvas: Tensor, skin: Tensor) -> list[tuple[Tensor, Tensor, _Held]]:
        """What is held before faces: coverage, colours, and where."""
        count = len(canvas)
        hands = self._bank["hands"][self._integers(len(self._bank["hands"]), count)].float() / 255
        tone = torch.where((self._uniform(0, 1, count) < 0.75)[:, None], skin, skin.roll(1, 0))
        tone = tone * torch.exp(0.12 * self._normal(count, 1) + 0.04 * self._normal(count, 3))
        flesh = torch.exp(2.2 * (hands[:, :1] - 0.5)) * tone.view(count, 3, 1, 1)
        things = self._bank["things"][self._integers(len(self._bank["things"]), count)].float() / 255
        # A part of another photo, in a rectangle or an ellipse: any texture.
        side = things.shape[-1]
        other = F.interpolate(canvas.roll(1, 0), (side, side), mode="bilinear", align_corners=False)
        line = torch.linspace(-1, 1, side, device=self._device)
        power = torch.where(self._uniform(0, 1, count, 1, 1, 1) < 0.5, 2.0, 12.0)
        level = line.abs().view(1, 1, 1, side) ** power + line.abs().view(1, 1, side, 1) ** power
        cut = ((1 - level) * 20).clamp(0, 1)
        made = []
        for cover, colour, share in ((hands[:, 1:], flesh, 0.28), (things[:, 3:], things[:, :3], 0.2), (cut, other, 0.06)):
            there = _Held(
                angle=self._uniform(-math.pi, math.pi, count),
                scale=self._uniform(0.35, 1.0, count),
                place=self._normal(count, 2) * 0.35 + torch.tensor([0.0, 0.15], device=self._device),
                pace=self._normal(count, 2) * 0.03,
                share=self._chance(share, count),
            )
            made.append((cover, colour, there))
        return made


@dataclass
class _Held:
    """Where something is held, in `grid_sample`'s coordinates of the window."""

    angle: Tensor
    scale: Tensor
    place: Tensor
    pace: Tensor
    share: Tensor

    def next(self, moving: Tensor) -> Tensor:
        """Where the window's pixels lie in it, N,W,W,2; then it moves on, where the face does."""
        cos, sin = torch.cos(self.angle) / self.scale, torch.sin(self.angle) / self.scale
        rows = [torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)]
        turn = torch.stack(rows, 1)
        theta = torch.cat([turn, -(turn @ self.place[:, :, None])], dim=2)
        self.place = self.place + self.pace * moving[:, None]
        return F.affine_grid(theta, [len(theta), 1, _WINDOW, _WINDOW], align_corners=False)


def _grid(angle: Tensor, scale: Tensor, flip: Tensor, place: Tensor, side: int) -> Tensor:
    """Where the window's pixels lie in a canvas of `side`, N,W,W,2."""
    share = _WINDOW / side
    cos, sin = torch.cos(angle) * scale * share, torch.sin(angle) * scale * share
    move = place * 2 / side
    theta = torch.stack([torch.stack([cos * flip, -sin * flip, move[:, 0]], 1), torch.stack([sin, cos, move[:, 1]], 1)], 1)
    return F.affine_grid(theta, [len(angle), 1, _WINDOW, _WINDOW], align_corners=False)


def _luma(x: Tensor) -> Tensor:
    return (x * x.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _visible(change: Tensor) -> Tensor:
    """How plainly a change of the logarithm of the colour (N,3,H,W) is seen: N,1,H,W in [0, 1]."""
    t = ((change.abs().amax(1, keepdim=True) - _SEEN[0]) / (_SEEN[1] - _SEEN[0])).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _hides(cover: Tensor) -> Tensor:
    """What a tinted lens covers is still seen, and still skin."""
    return ((cover - 0.2) / 0.5).clamp(0, 1)


def _each(webcams: Webcam, frames: int) -> Webcam:
    """Each webcam for all frames of its film."""
    return Webcam(*(getattr(webcams, field.name).repeat_interleave(frames, 0) for field in fields(webcams)))
