"""The look in PyTorch: as `gpen_live.beauty.host` draws it, on the crops of several faces, without waiting for the device.

Everything is drawn every time, however little: what is not asked for has the amount 0, and then changes no bit. Shapes don't
depend on values, so that all of it can be recorded in a CUDA graph. Colours are in the order red, green, blue. Outlines are
filled exactly: the integral of a Gaussian over a polygon is one along its edges (the divergence theorem).

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gpen_live.beauty import constants as c
from gpen_live.beauty.fields import SHIFTS, canonical, grid, reach
from gpen_live.beauty.resampling import blurring, boxing, resizing
from gpen_live.beauty.torch import FADE, FIRST_DIAL, LIPS, NEW, ROW, SCLERA, STEP, Rows
from gpen_live.beauty.values import AT
from gpen_live.engine.result import Change
from gpen_live.faces import mesh
from gpen_live.faces.mesh import CANONICAL
from gpen_live.look import CONTROLS

_LUMA = c.LUMA[::-1]
_TINY = 1e-4
_NODES, _WEIGHTS = (values / 2 for values in np.polynomial.legendre.leggauss(4))  # type: ignore[no-untyped-call]
_NODES = _NODES + 0.5
_FEATURES = (mesh.LEFT_EYE, mesh.RIGHT_EYE, mesh.LEFT_BROW, mesh.RIGHT_BROW, mesh.LIPS_OUTER)
_EYES = ((mesh.LEFT_EYE, mesh.LEFT_IRIS, mesh.LEFT_PUPIL), (mesh.RIGHT_EYE, mesh.RIGHT_IRIS, mesh.RIGHT_PUPIL))
_EYE_PATCH, _LIPS_PATCH, _BROW_PATCH = (0.16, 0.26), (0.38, 0.42), (0.22, 0.34)
"""Height and width of the parts of a crop in which features are drawn, as fractions of its side."""

LASHES = (8, 9, 10, 11, 12, 13, 14, 15, 0)
"""Of an eye's edge: the upper lashes, from the inner corner to the outer one."""
GROWN = 0.5 / 1024
"""By how much outlines grow: as OpenCV's do, which fills every pixel that they touch."""


@dataclass
class Known:
    """What is known of N faces from their frames so far; brought up to the frame by `Look.draw`.

    Args:
        lips: N x 2, the lips' running log of blue and of red over green. around: N x 1, how much skin is seen around at most.
        sclera: N, running luma of the eyes' white. seen: N x 2, above 0 where there are such values of lips and sclera.
        shares: N x 2, of the frame in them.
    """

    lips: Tensor
    around: Tensor
    sclera: Tensor
    seen: Tensor
    shares: Tensor


FindsMeshes = Callable[[Tensor], "tuple[Tensor, Tensor]"]
"""The meshes and scores of N crops (N x 3 x S x S, RGB, 0..255), see `gpen_live.inference.torch_face_mesh`."""

FindsLayers = Callable[[Tensor, Tensor], Tensor]
"""The layers of N crops, given those of the frame before, zeros without; see `gpen_live.inference.torch_retouch`."""


class TorchDraws:
    """See `gpen_live.beauty.torch.Draws`."""

    def __init__(self, meshes: FindsMeshes, layers: FindsLayers, device: torch.device) -> None:
        self._meshes, self._layers, self._look = meshes, layers, Look(device)
        self._by_found, self._by_frontal = (torch.tensor([name in some for name in AT], device=device) for some in fading())
        self._smoother = _Smoother(device)

    def look(self, seen: Tensor, told: Tensor, rows: Rows) -> None:
        at, fresh = told[:, ROW].long(), told[:, STEP] > 0
        levels = seen * 127.5 + 127.5
        points, scores = self._meshes(levels)
        told_apart = torch.isfinite(points).all(2).all(1)
        points, scores = torch.where(told_apart[:, None, None], points, rows.points[at]), torch.where(told_apart, scores, 0.0)
        points = self._smoother(points, at, told[:, STEP], rows)
        rows.found[at, 0], rows.found[at, 1] = _step(scores, *c.FOUND), _frontality(points)
        before = torch.where(fresh.view(-1, 1, 1, 1), rows.layers[at], 0.0)
        rows.layers[at] = self._layers(levels, before)

    def draw(self, seen: Tensor, change: Change, told: Tensor, rows: Rows) -> None:
        at, new, fade = told[:, ROW].long(), told[:, NEW, None] > 0, told[:, FADE, None]
        found = rows.found[at]
        faded = found[:, 2:] + (found[:, :2] - found[:, 2:]).clamp(-fade, fade)
        rows.found[at, 2:] = faded
        dials = told[:, FIRST_DIAL:]
        dials = dials * torch.where(self._by_found, faded[:, :1], 1.0) * torch.where(self._by_frontal, faded[:, 1:], 1.0)
        colours = torch.where(new, 0.0, rows.colours[at])
        lips, around, sclera, so_far = (colours[:, first:last].clone() for first, last in ((0, 2), (2, 3), (3, 4), (4, 6)))
        known = Known(lips, around, sclera[:, 0], so_far, told[:, LIPS : SCLERA + 1])
        moves = change.displacement is not None
        added, moved = self._look.draw(seen, change.added, rows.points[at], rows.layers[at], dials, known, moves=moves)
        rows.colours[at] = torch.cat([known.lips, known.around, known.sclera[:, None], known.seen], dim=1)
        change.added.copy_(added)
        if moved is not None and change.displacement is not None:
            change.displacement.copy_(moved)


def fading() -> tuple[set[str], set[str]]:
    """The dials that fade with how far a face is there, and those that do with how far it looks this way."""
    numbers = [one for one in CONTROLS if one.number]
    return {one.name for one in numbers if one.name != "lips_gloss"}, {one.name for one in numbers if one.group != "skin"}


class _Smoother:
    """See `gpen_live.faces.mesh.MeshFilter`."""

    def __init__(self, device: torch.device) -> None:
        part_of = torch.from_numpy(mesh.PART_OF.copy()).to(device)
        self._parts = torch.nn.functional.one_hot(part_of).float()
        self._shares = (self._parts / self._parts.sum(0)).T

    def __call__(self, points: Tensor, at: Tensor, step: Tensor, rows: Rows) -> Tensor:
        """The smoothed points; all is kept in the rows. `step`: seconds, 0 for a fresh start."""
        step = step.view(-1, 1, 1)
        fresh, step = step <= 0, step.clamp(min=1e-3)
        velocity = rows.velocity[at]
        velocity = velocity + _gain(mesh.SPEED_CUTOFF, step) * ((points - rows.measured[at]) / step - velocity)
        speeds = (self._shares @ (velocity[..., :2] ** 2).sum(2)[..., None]).sqrt()
        cutoffs = mesh.MIN_CUTOFF + mesh.BETA * (self._parts @ speeds)
        value = rows.points[at]
        value = torch.where(fresh, points, value + _gain(cutoffs, step) * (points - value))
        rows.points[at], rows.measured[at] = value, points
        rows.velocity[at] = torch.where(fresh, 0.0, velocity)
        return value


def _gain(cutoff: Tensor | float, step: Tensor) -> Tensor:
    return 1 / (1 + 1 / (2 * math.pi * cutoff * step))


def _frontality(points: Tensor) -> Tensor:
    """See `gpen_live.faces.mesh.frontality`."""
    left, right, nose = (points[:, index, :2] for index in (*mesh.EARS, mesh.NOSE_TIP))
    across = right - left
    share = ((nose - left) * across).sum(1) / (across * across).sum(1).clamp(min=1e-12)
    return ((torch.minimum(share, 1 - share) - mesh.HIDDEN) / (mesh.SEEN - mesh.HIDDEN)).clamp(0, 1)


class Look:
    """The drawing, with its masks on a device."""

    def __init__(self, device: torch.device) -> None:
        made = canonical()
        self._device = device
        self._guides = self._here(made.guides.astype(np.int64))
        self._places = self._here(CANONICAL[made.guides, :2].T)
        self._carry, self._turning = self._here(made.carry), self._here(made.turning)
        self._masks = self._here(made.masks.transpose(2, 0, 1))[None]
        self._shifts = self._here(made.shifts.transpose(0, 3, 1, 2))
        self._nodes = self._here(grid(c.WIDE).transpose(2, 0, 1))
        self._reach = self._here(reach())
        self._sharing = self._here(np.array([AT[name] for name in SHIFTS]))
        self._luma = self._here(np.array(_LUMA, np.float32)).view(1, 3, 1, 1)
        self._features = [self._here(np.array(one)) for one in _FEATURES]
        self._oval = self._here(np.array(mesh.FACE_OVAL))
        self._mirror = self._here(np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]], np.float32))
        self._density = self._here(np.array(c.BROW_DENSITY[::-1], np.float32)).view(1, 3, 1)
        along = np.linspace(0, 1, len(LASHES), dtype=np.float32) ** 2
        self._thick = self._here(c.LINER_WIDTH[0] + (c.LINER_WIDTH[1] - c.LINER_WIDTH[0]) * along)
        self._matrices: dict[Any, Tensor] = {}
        self._indices: dict[tuple[int, ...], Tensor] = {}

    def _here(self, values: Any) -> Tensor:
        return torch.from_numpy(np.array(values)).to(self._device)

    def _some(self, points: Tensor, indices: tuple[int, ...]) -> Tensor:
        """Some of the points' x and y; their indices lie on the device from the first call on."""
        if indices not in self._indices:
            self._indices[indices] = self._here(np.array(indices))
        return points.index_select(1, self._indices[indices])[..., :2]

    def _around(self, maps: Tensor, made: np.ndarray[Any, Any], key: Any) -> Tensor:
        """`made` on both sides of the maps (... x n x n)."""
        if key not in self._matrices:
            self._matrices[key] = self._here(made)
        matrix = self._matrices[key]
        return matrix @ maps @ matrix.T

    def resized(self, maps: Tensor, side: int) -> Tensor:
        """See `gpen_live.beauty.maps.resized`; maps are N x K x n x n."""
        before = maps.shape[-1]
        if before == side:
            return maps
        if side > before > 32:
            return F.interpolate(maps, (side, side), mode="bilinear", align_corners=False)
        return self._around(maps, resizing(before, side), (before, side))

    def _luma_of(self, picture: Tensor) -> Tensor:
        """N x 1 x H x W."""
        return (picture * self._luma).sum(1, keepdim=True)

    def draw(
        self, seen: Tensor, added: Tensor, points: Tensor, layers: Tensor, dials: Tensor, known: Known, *, moves: bool
    ) -> tuple[Tensor, Tensor | None]:
        """What the crops change by with their look.

        Args:
            seen: N x 3 x S x S, RGB in [-1, 1]. added: what they change by so far, levels.
            points: the meshes, N x 478 x 3. layers: N x 5 x MAP x MAP.
            dials: N x len(DIALS), see `gpen_live.beauty.values`. moves: a dial of the shape may be above 0.

        Returns:
            What they change by now, N x 3 x S x S, and with `moves` the displacement, N x 2 x S x S, in pixels.
        """
        amount = {name: dials[:, at].view(-1, 1, 1, 1) for name, at in AT.items()}
        side = seen.shape[-1]
        before = seen * 127.5 + 127.5
        now = (before + added).clamp(min=0)  # a change of the frame before may take more than there is
        small = self.resized(now, c.MAP)
        depth = torch.stack([self._depth(points, feature) for feature in self._features]).amax(0)
        within = self._reach * self._free(depth, c.FEATURE_GROW)
        matte, skin = layers[:, :1] * within, _step(layers[:, :1], *c.SURE) * within
        tone = self._tone(small, skin)
        there = self._carried(points)
        delta, heal, log = self._skin_maps(small, skin, layers, amount)
        log = self.resized(log, c.MAP) * skin
        masks = F.grid_sample(
            self._masks.expand(len(points), -1, -1, -1),
            self.resized(there, c.FIELD).permute(0, 2, 3, 1) * 2 - 1, padding_mode="border", align_corners=False,
        )  # fmt: skip
        coarse = self.resized(small, c.FIELD)
        level = self._luma_of(coarse)
        strong = (coarse.amax(1, keepdim=True) + level) / 2
        level, strong = (self._around(one, boxing(c.FIELD, 5), "box") / 255 for one in (level, strong))
        lit = torch.maximum(self.resized(masks[:, :1], c.MAP), matte)
        log = log + self.resized(self._lamp(strong, masks, points, amount), c.MAP) * lit
        log = log + self.resized(_blush(level, masks, self._tinted("blush", tone, amount), amount), c.MAP) * skin
        drawn = now + self.resized(delta, side)
        drawn = drawn - self.resized(heal, side) * (now - self.resized(small, side))
        drawn = (drawn * self.resized(log.exp(), side)).clamp(min=0).contiguous()
        uncovered = self._uncovered(layers[:, :1], self._free(depth, c.COVER_FROM), points)
        self._eyes_and_teeth(drawn, points, tone, uncovered, amount, known)
        self._lips(drawn, points, tone, uncovered, amount, known)
        self._lines(drawn, points, tone, uncovered, amount)
        added = added + (drawn - now)
        if not moves:
            return added, None
        shifts = torch.einsum("nk,kdhw->ndhw", dials[:, self._sharing], self._shifts)
        shifts = _sampled(shifts, there)
        moved = self.resized(shifts, side) * side
        line = torch.arange(side, device=seen.device, dtype=torch.float32)
        x, y = moved[:, 0] + line, moved[:, 1] + line[:, None]
        at = (torch.stack([x, y], dim=3) + 0.5) * (2 / side) - 1
        return F.grid_sample(added, at, padding_mode="border", align_corners=False), moved

    def _free(self, depth: Tensor, distance: float) -> Tensor:
        """See `gpen_live.beauty.sight.free_of_features`: N x 1 x MAP x MAP. depth: within all features, see `_depth`."""
        covered = (depth + round(2 * distance * c.MAP) / 2 + 1.5).clamp(0, 1)  # as wide as OpenCV draws it
        return 1 - self._around(covered, boxing(c.MAP, 3), "three")

    def _depth(self, points: Tensor, outline: Tensor) -> Tensor:
        """How many of the maps' pixels each lies within an outline, below 0 outside: N x 1 x MAP x MAP."""
        line = (torch.arange(c.MAP, device=points.device, dtype=torch.float32) + 0.5) / c.MAP
        x, y = line.repeat(c.MAP)[None], line.repeat_interleave(c.MAP)[None]
        return _signed_distance(points[:, outline, :2], x, y).view(-1, 1, c.MAP, c.MAP) * c.MAP

    def _uncovered(self, matte: Tensor, free: Tensor, points: Tensor) -> Tensor:
        """See `gpen_live.beauty.sight.uncovered`: N x 1 x MAP x MAP."""
        expected = free * (self._depth(points, self._oval) > -0.5)
        around = torch.cat([matte * expected, expected], dim=1)
        around = self._blurred(around, c.COVER_SIGMA) + _TINY
        return around[:, :1] / around[:, 1:]

    def _tone(self, small: Tensor, skin: Tensor) -> dict[str, Tensor]:
        """The skin's mean luma (0..255), log of blue and of red over green, and colourfulness: N x 1 x 1 x 1 each."""
        mean = (skin * small).sum((2, 3), keepdim=True) / (skin.sum((2, 3), keepdim=True) + 1e-3)
        red, green, blue = (mean + 4).log().split_with_sizes((1, 1, 1), dim=1)
        most, least = mean.amax(1, keepdim=True), mean.amin(1, keepdim=True)
        return {
            "luma": self._luma_of(mean), "blue": blue - green, "red": red - green, "colourful": (most - least) / (most + 1)
        }  # fmt: skip

    def _carried(self, points: Tensor) -> Tensor:
        """See `gpen_live.beauty.fields.carried`: N x 2 x WIDE x WIDE."""
        moved = points[:, self._guides, :2].transpose(1, 2) - self._places
        shift = (moved @ self._carry).view(-1, 2, c.WIDE, c.WIDE)
        there = self._nodes - shift
        for _ in range(c.CARRY_STEPS):
            there = self._nodes - _sampled(shift, there)
        return there

    def _skin_maps(self, small: Tensor, skin: Tensor, layers: Tensor, amount: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """See `gpen_live.beauty.skin.skin_maps`: delta, heal (MAP) and log (FIELD)."""
        keep, moles = amount["keep_moles"], layers[:, 2:3]
        traces = torch.maximum(layers[:, 1:2] * (1 - keep * moles), moles * (1 - keep))
        traces = traces * skin * (amount["blemish"] > 0)
        spots = _step(traces, *c.SPOT_SURE)
        weight = skin * (1 - spots)
        level = self._luma_of(small)
        own = self.resized(torch.cat([small * weight, weight, level * level * weight], dim=1), c.FIELD)
        near = self._blurred(own, c.SMOOTH_SIGMA)
        own, near, squares = own[:, :4], near[:, :4], near[:, 4:]
        wide = self.resized(self._blurred(self.resized(own, c.WIDE), c.EVEN_SIGMA), c.FIELD)
        near = near + wide * _TINY
        share, squares = own[:, 3:], squares / (near[:, 3:] + _TINY)
        near, wide = _normalised(near), _normalised(wide)
        own = (own[:, :3] + near * _TINY) / (share + (_TINY + _TINY * _TINY))
        mean = self._luma_of(near)
        contrast = (squares - mean * mean).clamp(min=0) / (128 * (mean + c.SHINY))
        texture = c.SMOOTH_KEPT**2 / (contrast + c.SMOOTH_KEPT**2)
        shadow = self.resized(layers[:, 3:4], c.FIELD)
        toward = torch.maximum(texture * (amount["smooth"] * c.SMOOTH_MOST), shadow * (amount["under_eye"] * c.UNDER_EYE_SMOOTH))
        log = self._evening(near, wide, amount["even"] * c.EVEN_MOST)
        room = ((self._luma_of(wide) + 1) / (mean + 1)).log().clamp(min=0)
        log = log + torch.minimum(shadow * (amount["under_eye"] * (c.UNDER_EYE_MOST * c.LAYER_LOG)), room)
        log = log + self._dulling(near, self.resized(layers[:, 4:5], c.FIELD) * (amount["shine"] * c.SHINE_MOST))
        after = (own + toward * (near - own)) * log.exp()
        share = share * _step(self.resized(layers[:, :1], c.FIELD), *c.SURELY_SKIN)
        was, became = ((share * one).sum((2, 3), keepdim=True) for one in (own, after))
        log = log + ((was + 1) / (became + 1)).log()
        apart = self.resized(near, c.MAP) - small
        odd = self._luma_of(apart) ** 2 * (128 / c.SMOOTH_ODD**2 / (level + c.SHINY))
        delta = apart * (self.resized(toward, c.MAP) * skin / (1 + odd * odd))
        heal = spots * amount["blemish"]
        return self._healed(small, weight, traces * spots) * amount["blemish"] + delta * (1 - heal), heal, log

    def _healed(self, small: Tensor, weight: Tensor, traces: Tensor) -> Tensor:
        """See `gpen_live.beauty.skin`: N x 3 x MAP x MAP."""
        weighted = torch.cat([small * weight, weight], dim=1)
        coarse = self.resized(weighted, c.FIELD)
        rim = self._blurred(weighted, c.HEAL_RIM)
        for times_as_far, share in ((2, 1e-2), (4, 1e-4)):
            rim = rim + self.resized(self._blurred(coarse, times_as_far * c.HEAL_RIM), c.MAP) * share
        further = self.resized(_normalised(self._blurred(coarse, c.HEAL_FAR)), c.MAP)
        rim = _normalised(rim)
        apart = rim + (rim - further) * c.HEAL_SLOPE - small
        fit = self._blurred(torch.cat([apart * traces, traces * traces], dim=1), c.HEAL_FIT)
        return fit[:, :3] * (traces / (fit[:, 3:] + c.HEAL_LEAST))

    def _blurred(self, maps: Tensor, sigma: float) -> Tensor:
        """See `gpen_live.beauty.maps.blurred`; `sigma`: a fraction of the side."""
        side = maps.shape[-1]
        return self._around(maps, blurring(side, sigma * side), ("blur", side, sigma))

    def _evening(self, near: Tensor, wide: Tensor, amount: Tensor) -> Tensor:
        apart = (wide + 1).log() - (near + 1).log()
        log = (apart - apart[:, 1:2]).clamp(*(math.log(one) for one in c.EVEN_LIMITS)) * amount
        return log - self._luma_of(log * near) / (self._luma_of(near) + 1)

    def _dulling(self, near: Tensor, amount: Tensor) -> Tensor:
        lost = 1 - (amount * -c.LAYER_LOG).exp()
        left = 1 - 0.5 * lost * (1 + (self._luma_of(near) + 1) / (near + 1))
        return left.clamp(min=0.3).log()

    def _tinted(self, name: str, tone: dict[str, Tensor], amount: dict[str, Tensor]) -> Tensor:
        """See `gpen_live.beauty.tone.Tone.tinted`: N x 3 x 1 x 1."""
        colour = torch.cat([amount[f"{name}_color_{one}"] for one in "rgb"], dim=1)
        share = (tone["colourful"] / c.VIVID).clamp(c.PALEST, 1)
        grey = self._luma_of(colour)
        return grey + share * (colour - grey)

    def _lamp(self, strong: Tensor, masks: Tensor, points: Tensor, amount: dict[str, Tensor]) -> Tensor:
        """See `gpen_live.beauty.light.lamp_light`: N x 3 x FIELD x FIELD."""
        turned = points.transpose(1, 2) @ self._turning
        mirrored = turned * self._mirror
        x, y = masks[:, 2:3], masks[:, 3:4]
        normals = torch.cat([x, y, (1 - x * x - y * y).clamp(min=0).sqrt()], dim=1)
        normals = torch.einsum("nij,njhw->nihw", mirrored, normals)
        normals = normals / ((normals * normals).sum(1, keepdim=True) + 1e-6).sqrt()

        def half_lambert(lamp: Sequence[float], grey: float, turn: Tensor | float = 1.0) -> Tensor:
            """1 where the surface looks at the lamp, 0 where the light is `grey`."""
            a, b, d = (one / math.hypot(*lamp) / 2 for one in lamp)
            half = normals[:, :1] * (turn * a) + normals[:, 1:2] * b + normals[:, 2:] * d + 0.5
            return (half * half - grey) / (1 - grey)

        light = amount["light"]
        side = half_lambert(c.LIGHT_FROM, c.LIGHT_GREY, torch.where(light > 0, 1.0, -1.0))
        side = torch.where(side > 0, side, side * c.LIGHT_BACK)
        lamp = half_lambert(c.BRIGHTEN_FROM, c.BRIGHTEN_GREY) * (amount["brighten"] * c.BRIGHTEN_MOST)
        lamp = lamp + side * (light.abs() * c.LIGHT_MOST)
        warm = amount["warmth"] * c.WARM_MOST
        more = warm * (_LUMA[0] - _LUMA[2])
        dark = c.LAMP_ON_DARK + (1 - c.LAMP_ON_DARK) * (2 * strong).clamp(max=1)
        return (lamp * ((1 - strong * strong) * dark)) + torch.cat([warm - more, -more, -warm - more], dim=1)

    def _eyes_and_teeth(
        self,
        drawn: Tensor,
        points: Tensor,
        tone: dict[str, Tensor],
        uncovered: Tensor,
        amount: dict[str, Tensor],
        known: Known,
    ) -> None:
        """See `gpen_live.beauty.features`."""
        tone = {name: one.flatten(1) for name, one in tone.items()}
        strength = amount["eyes"].flatten(1)
        weight = total = torch.zeros_like(known.sclera)
        for edge, iris, pupil in _EYES:
            outline = self._some(points, edge)
            patch = _Patch(outline, _EYE_PATCH, drawn.shape[-1])
            across = (outline[:, 8] - outline[:, 0]).norm(dim=1)
            high = (outline[:, 9:, 1].mean(1) - outline[:, 1:8, 1].mean(1)).abs()
            is_open = _step(high / across.clamp(min=1e-6), *c.EYE_OPEN)[:, None]
            seen = patch.of(drawn)
            level = (seen * self._luma[:, :, 0]).sum(1) / 255
            lid = patch.within(outline, c.EDGE) * _step(patch.sampled(uncovered), *c.COVER_SEEN) * is_open
            centre = points[:, pupil, :2]
            radius = (self._some(points, iris) - centre[:, None]).norm(dim=2).mean(1, keepdim=True).clamp(min=1e-4)
            far = ((patch.x - centre[:, :1]) ** 2 + (patch.y - centre[:, 1:]) ** 2).sqrt() / radius
            white = lid * _step(far, *c.IRIS_EDGE)
            most, least = seen.amax(1), seen.amin(1)
            colourful = tone["colourful"].clamp(min=c.SKIN_COLOURFUL)
            white = white * (1 - _stepped((most - least) / (most + 1), *(one * colourful for one in c.WHITE_LESS)))
            bright = white * level * level
            total, weight = total + (bright * level).sum(1), weight + bright.sum(1)
            patch.put(drawn, _drawn_eye(seen, level, white, lid * (1 - _step(far, *c.IRIS_DISC)), strength))
        sclera = total / weight.clamp(min=1e-6)
        share = torch.where(known.seen[:, 1] > 0, known.shares[:, 1], 1.0)
        sclera = known.sclera + share * (sclera - known.sclera)
        limit = torch.where(known.seen[:, 1] > 0, known.sclera, (c.SCLERA_UNSEEN / 255 * tone["luma"][:, 0]).clamp(max=1))
        found = weight > 0.05
        known.sclera.copy_(torch.where(found, sclera, known.sclera))
        known.seen[:, 1] = torch.where(found, 1.0, known.seen[:, 1])
        limit = torch.where(found, sclera, limit)
        self._teeth(drawn, points, tone, limit[:, None], amount["teeth"].flatten(1))

    def _teeth(self, drawn: Tensor, points: Tensor, tone: dict[str, Tensor], sclera: Tensor, amount: Tensor) -> None:
        outline = self._some(points, mesh.LIPS_INNER)
        patch = _Patch(outline, _LIPS_PATCH, drawn.shape[-1])
        across = (outline[:, 10] - outline[:, 0]).norm(dim=1).clamp(min=1e-6)
        is_open = _step((outline[:, 15] - outline[:, 5]).norm(dim=1) / across, *c.MOUTH_OPEN)[:, None]
        seen = patch.of(drawn)
        level = (seen * self._luma[:, :, 0]).sum(1)
        teeth = patch.within(outline, c.EDGE) * _step(level / (tone["luma"] + 1), *c.TOOTH_LEVEL)
        red, green, blue = seen.unbind(1)
        redder = ((red + 1) / (green + 1)).log() - tone["red"]
        teeth = teeth * (1 - _step(redder, *c.TOOTH_RED)) * (is_open * amount)
        level = level / 255
        room = (sclera - level).clamp(min=0)
        lighter = torch.minimum(c.TOOTH_LIGHTER * level * (1 - level), room) / (level + 0.01)
        blue = blue + teeth * c.TOOTH_YELLOW * (torch.minimum(red, green) - blue).clamp(min=0)
        patch.put(drawn, torch.stack([red, green, blue], dim=1) * (1 + teeth * lighter)[:, None])

    def _lips(
        self,
        drawn: Tensor,
        points: Tensor,
        tone: dict[str, Tensor],
        uncovered: Tensor,
        amount: dict[str, Tensor],
        known: Known,
    ) -> None:
        """See `gpen_live.beauty.makeup.draw_lips`."""
        outer, inner = self._some(points, mesh.LIPS_OUTER), self._some(points, mesh.LIPS_INNER)
        patch = _Patch(outer, _LIPS_PATCH, drawn.shape[-1])
        seen = patch.of(drawn)
        lips = (patch.within(outer, c.LIP_EDGE) - patch.within(inner, c.EDGE)).clamp(min=0)
        total = lips.sum(1)[:, None]
        some = total.clamp(min=1e-6)
        around = patch.sampled(uncovered)
        around_now = (lips * around).sum(1)[:, None] / some
        red, green, blue = (patch.of(_softened(drawn, c.LIP_BLUR)) + 4).log().unbind(1)
        ratios = torch.stack([blue - green, red - green], dim=1)
        is_known = known.seen[:, :1] > 0
        colour = torch.where(is_known, known.lips, (lips[:, None] * ratios).sum(2) / some)
        share = torch.where(is_known, known.shares[:, :1], 1.0)
        before = torch.where(is_known, known.around, around_now)
        most = torch.maximum(around_now, before + share * (around_now - before) / c.LIP_BEARD)
        around = around / (most + _step(most, *c.LIP_BARE) * (1 - most).clamp(min=0) + 0.02)
        near = lips * _step(around, *c.LIP_SEEN)
        doubt = 1 - _step(around, *c.LIP_DOUBT)
        near = near * (1 - doubt * (1 - _unlike_skin(ratios, colour, tone)))
        near = near * (((ratios - colour[:, :, None]) ** 2).sum(1) / -(c.LIP_COLOUR**2)).exp()
        held = near.sum(1)[:, None]
        found = held / some
        mean = (near[:, None] * ratios).sum(2) / held.clamp(min=1e-6)
        seen_now = total > 0
        moved = colour + torch.where(found > c.LIP_FOUND, share * found, 0.0) * (mean - colour)
        known.lips.copy_(torch.where(seen_now, moved, known.lips))
        known.around.copy_(torch.where(seen_now, most, known.around))
        known.seen[:, :1] = torch.where(seen_now, 1.0, known.seen[:, :1])
        patch.put(drawn, self._painted(seen, near, patch, points, tone, amount))

    def _painted(
        self, seen: Tensor, lips: Tensor, patch: _Patch, points: Tensor, tone: dict[str, Tensor], amount: dict[str, Tensor]
    ) -> Tensor:
        colour = self._tinted("lips", tone, amount)[..., 0]
        gloss, strength = amount["lips_gloss"].flatten(1), amount["lips"].flatten(1)
        linear = (seen / 255).clamp(1e-3, 1) ** 2.2
        level = (linear * self._luma[:, :, 0]).sum(1)
        mean = (lips * level).sum(1, keepdim=True) / (lips.sum(1, keepdim=True) + 1e-3) + 1e-4
        detail = level / mean
        falling = (tone["luma"].flatten(1) / 255) ** 2.2 / c.LIP_ALBEDO
        own = (colour * self._luma[:, :, 0]).sum(1) + 1e-4
        aim = mean**c.LIP_OWN * (own * falling).clamp(max=1) ** (1 - c.LIP_OWN)
        exponent = c.LIP_MATT + (c.LIP_GLOSSY - c.LIP_MATT) * gloss
        paint = (detail**exponent * (aim / own))[:, None] * colour
        shine = _highlight(patch, points) * c.GLOSS_STREAK + _step(detail, *c.GLOSS_DETAIL)
        paint = paint + (shine * (gloss * c.LIP_GLOSS * falling.clamp(max=1)))[:, None]
        cover = (lips * (strength * c.LIP_COVER))[:, None]
        painted = (linear + cover * (paint.clamp(0, 1) - linear)) ** (1 / 2.2) * 255
        return seen + torch.where(cover > 0, painted - seen.clamp(255e-3, 255), 0)

    def _lines(
        self, drawn: Tensor, points: Tensor, tone: dict[str, Tensor], uncovered: Tensor, amount: dict[str, Tensor]
    ) -> None:
        """See `gpen_live.beauty.makeup.draw_brows` and `draw_liner`."""
        level = tone["luma"].flatten(1) + 1
        for brow in (mesh.LEFT_BROW, mesh.RIGHT_BROW):
            outline = self._some(points, brow)
            patch = _Patch(outline, _BROW_PATCH, drawn.shape[-1])
            seen = patch.of(drawn)
            hair = (c.BROW_LEVEL - (seen * self._luma[:, :, 0]).sum(1) / level).clamp(0, c.BROW_MOST)
            bare = _step(patch.sampled(uncovered), *c.COVER_SEEN)
            dark = patch.within(outline, c.BROW_EDGE) * (c.BROW_FILL + c.BROW_HAIR * hair) * bare
            patch.put(drawn, seen * (-(dark * amount["brows"].flatten(1))[:, None] * self._density).exp())
        for eye in (mesh.LEFT_EYE, mesh.RIGHT_EYE):
            outline = self._some(points, eye)
            patch = _Patch(outline, _EYE_PATCH, drawn.shape[-1])
            bare = _step(patch.sampled(uncovered), *c.COVER_SEEN)
            dark = patch.within(self._liner(outline), c.LINER_EDGE) * bare * (amount["liner"].flatten(1) * c.LINER_DENSITY)
            patch.put(drawn, patch.of(drawn) * (-dark).exp()[:, None])

    def _liner(self, eye: Tensor) -> Tensor:
        """The outline, N x 19 x 2, of the line along the upper lashes of eyes (N x 16 x 2)."""
        x, y = self._some(eye, LASHES).unbind(2)
        outward = eye[:, 0] - eye[:, 8]
        outward = outward / (outward.norm(dim=1, keepdim=True) + 1e-6)
        tip_x, tip_y = x[:, -1] + c.LINER_WING * outward[:, 0], y[:, -1] + c.LINER_WING * (outward[:, 1] - c.LINER_RISE)
        lower = y + 0.5 * c.LINER_WIDTH[0]
        x = torch.cat([x, tip_x[:, None], x.flip(1)], dim=1)
        return torch.stack([x, torch.cat([lower, tip_y[:, None], (y - self._thick).flip(1)], dim=1)], dim=2)


class _Patch:
    """A part of crops around outlines (N x E x 2), of fixed size; its pixels lie in one row, N x P."""

    def __init__(self, outline: Tensor, part: tuple[float, float], side: int) -> None:
        high, wide = (min(side, math.ceil(one * side)) for one in part)
        middle = (outline.amin(1) + outline.amax(1)) / 2 * side
        x = (middle[:, 0] - wide / 2).round().long().clamp(0, side - wide)[:, None, None]
        y = (middle[:, 1] - high / 2).round().long().clamp(0, side - high)[:, None, None]
        x = (x + torch.arange(wide, device=x.device)).expand(-1, high, -1).flatten(1)
        y = (y + torch.arange(high, device=y.device)[:, None]).expand(-1, -1, wide).flatten(1)
        self._at = (y * side + x)[:, None].expand(-1, 3, -1)
        self._side = side
        self.x, self.y = (x + 0.5) / side, (y + 0.5) / side

    def of(self, picture: Tensor) -> Tensor:
        """N x 3 x P."""
        return picture.flatten(2).gather(2, self._at)

    def put(self, picture: Tensor, values: Tensor) -> None:
        """Back into the picture, which must be contiguous."""
        picture.view(*picture.shape[:2], -1).scatter_(2, self._at, values)

    def sampled(self, coarse: Tensor) -> Tensor:
        """A coarser map (N x 1 x n x n) at the pixels, bilinear: N x P."""
        at = torch.stack([self.x, self.y], dim=2)[:, None] * 2 - 1
        return F.grid_sample(coarse, at, padding_mode="border", align_corners=False)[:, 0, 0]

    def within(self, outline: Tensor, soft: float) -> Tensor:
        """How far each pixel lies within an outline, N x P, 0..1: the integral of a Gaussian around it."""
        sigma = math.hypot(soft, math.sqrt(1 / 12) / self._side)  # a pixel is a square
        ax, ay = (outline[:, :, axis, None] - at[:, None] for axis, at in ((0, self.x), (1, self.y)))
        ax, ay = ax / sigma, ay / sigma
        edge_x, edge_y = ax.roll(-1, 1) - ax, ay.roll(-1, 1) - ay
        total, near = torch.zeros_like(ax), torch.zeros_like(ax)
        for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
            square = ((ax + node * edge_x) ** 2 + (ay + node * edge_y) ** 2).clamp(min=1e-6)
            less = torch.expm1(square * -0.5)
            total -= weight * less / square
            near += weight * (1 + less)
        inside = ((ax * edge_y - ay * edge_x) * total).sum(1).abs()
        grown = ((edge_x * edge_x + edge_y * edge_y).sqrt() * near).sum(1) * (GROWN / sigma)
        return (inside + grown) / (2 * math.pi)


def _signed_distance(outline: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """How far pixels (1 x P each) lie within outlines (N x E x 2), below 0 outside: N x P, fractions of the side."""
    ax, ay = (outline[:, :, axis, None] - at[:, None] for axis, at in ((0, x), (1, y)))
    bx, by = ax.roll(-1, 1), ay.roll(-1, 1)
    edge_x, edge_y = bx - ax, by - ay
    along = -(ax * edge_x + ay * edge_y) / (edge_x * edge_x + edge_y * edge_y).clamp(min=1e-12)
    along = along.clamp(0, 1)
    distance = ((ax + along * edge_x) ** 2 + (ay + along * edge_y) ** 2).amin(1).sqrt()
    crosses = ((ay > 0) != (by > 0)) & ((ax - ay * edge_x / torch.where(edge_y == 0, 1.0, edge_y)) > 0)
    return torch.where(crosses.sum(1) % 2 == 1, distance, -distance)


def _sampled(maps: Tensor, at: Tensor) -> Tensor:
    """Maps (N x K x n x n) where `at` (N x 2 x h x w, fractions) says."""
    places = at.permute(0, 2, 3, 1) * 2 - 1
    return F.grid_sample(maps, places, padding_mode="border", align_corners=False)


def _normalised(weighted: Tensor) -> Tensor:
    """The colours of weighted sums, N x 4 x n x n."""
    return weighted[:, :3] / (weighted[:, 3:] + _TINY * _TINY)


def _blush(level: Tensor, masks: Tensor, colour: Tensor, amount: dict[str, Tensor]) -> Tensor:
    """See `gpen_live.beauty.light.blush_log`: N x 3 x FIELD x FIELD."""
    density = colour.clamp(min=0.01).log()
    density = density.amax(1, keepdim=True) - density
    density = density / density.amax(1, keepdim=True).clamp(min=c.BLUSH_PALE)
    return masks[:, 1:2] * (1 + c.BLUSH_DARK * (1 - level)) * (amount["blush"] * c.BLUSH_MOST) * -density


def _drawn_eye(seen: Tensor, level: Tensor, white: Tensor, iris: Tensor, amount: Tensor) -> Tensor:
    white = white * amount
    mean = (iris * level).sum(1, keepdim=True) / (iris.sum(1, keepdim=True) + 1e-3)
    iris = iris * amount
    contrast = c.IRIS_CONTRAST * (level - mean) / (level + 0.08) + c.IRIS_LIFT
    gain = 1 + white * c.WHITE_LIGHTER * (1 - level) + iris * contrast.clamp(*c.IRIS_GAIN)
    drawn = (seen + (white * c.WHITE_PALER)[:, None] * ((level * 255)[:, None] - seen)) * gain[:, None]
    catch = iris * _step(level - mean, *c.CATCH_FROM) * c.CATCH_MOST
    return drawn + catch[:, None] * (255 - drawn).clamp(min=0)


def _softened(picture: Tensor, blur: float) -> Tensor:
    """Means of boxes about that wide, a fraction of the side."""
    reach = round(blur * picture.shape[-1] / 2)
    return F.avg_pool2d(F.pad(picture, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)


def _unlike_skin(ratios: Tensor, lips: Tensor, tone: dict[str, Tensor]) -> Tensor:
    """See `gpen_live.beauty.makeup`: N x P. ratios: N x 2 x P. lips: N x 2, their running colour."""
    skin = torch.cat([tone["blue"], tone["red"]], dim=1)[..., 0, 0]
    apart = lips - skin
    far = (apart * apart).sum(1, keepdim=True)
    along = ((ratios - skin[:, :, None]) * apart[:, :, None]).sum(1) / far.clamp(min=1e-12)
    return 1 - _step(far.sqrt(), *c.LIP_APART) * (1 - _step(along, *c.LIP_ALONG))


def _highlight(patch: _Patch, points: Tensor) -> Tensor:
    total = torch.zeros_like(patch.x)
    for outer, inner, wide in ((17, 14, 0.03), (0, 13, 0.016)):
        middle = 0.55 * points[:, inner, :2] + 0.45 * points[:, outer, :2]
        high = (0.2 * (points[:, outer, 1] - points[:, inner, 1]).abs()).clamp(min=0.003)[:, None]
        x, y = (patch.x - middle[:, :1]) / wide, (patch.y - middle[:, 1:]) / high
        total = total + (-x * x - y * y).exp()
    return total


def _step(value: Tensor, least: float, most: float) -> Tensor:
    """0 up to `least`, 1 from `most` on, smooth between."""
    t = ((value - least) * (1 / (most - least))).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _stepped(value: Tensor, least: Tensor, most: Tensor) -> Tensor:
    """The same, with limits for each face."""
    t = ((value - least) / (most - least)).clamp(0, 1)
    return t * t * (3 - 2 * t)
