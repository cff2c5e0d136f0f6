"""Synthetic scenes with known faces: photos pasted into backgrounds by the batch, on the device that trains.

A scene is first planned (`SceneMaker.plan`: who, where, how large, how turned, what is in front) and then rendered, so that one
plan can be rendered twice with a sub-pixel shift. Coordinates are pixels with centres at integers, colours are BGR, 0..255.
Photos and backgrounds come from `scene_photos` and `scene_backgrounds`.
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor
from torch.nn import functional as F

from gpen_live.training.scene_backgrounds import SCENE_SIDE
from gpen_live.training.scene_banks import Bank, FaceBank
from gpen_live.training.scene_plan import SLOTS, Plan, Scenes, apply, capsules, determinant, inverse, pixels

MASK_PHOTO, MASK_EXTENDED, MASK_BUST, MASK_HEAD = range(4)


class SceneMaker:
    """Plans and renders scenes on one device; the same seed gives the same scenes.

    Args:
        faces, backdrops: photos and backgrounds.
        seed: of the generator that all draws come from.
    """

    LIMBS = 4

    def __init__(self, faces: FaceBank, backdrops: Bank, seed: int) -> None:
        self.faces = faces
        self.backdrops = backdrops
        self.device = faces.sizes.device
        self.random = torch.Generator(device=self.device).manual_seed(seed)
        self._seeds = random.Random(seed)

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(*shape, generator=self.random, device=self.device) * (high - low) + low

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.random, device=self.device)

    def _integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self.random, device=self.device)

    def plan(self, count: int, height: int, width: int) -> Plan:
        """Draws `count` scenes: 0 to SLOTS faces, 6 % to 95 % of the frame's height, rolled up to 45 degrees, half mirrored."""
        photo = self._integers(len(self.faces), count, SLOTS)
        linear = self._face_transforms(photo, height)
        offset, apart = self._places(photo, linear, height, width)
        limits = torch.tensor([0.2, 0.68, 0.84, 0.92, 1.01], device=self.device)
        wanted = torch.bucketize(self._uniform(count, 1), limits)
        present = (torch.arange(SLOTS, device=self.device) < wanted) & apart
        mask = torch.bucketize(self._uniform(count, SLOTS), torch.tensor([0.3, 0.5, 0.8], device=self.device))
        # A photo that fills the scene may only lie behind the others.
        behind = torch.arange(SLOTS, device=self.device) == 0
        mask = torch.where((mask == MASK_EXTENDED) & ~behind, MASK_BUST, mask)
        # Light falls off across a face: a direction and a strength.
        angle = self._uniform(count, SLOTS, high=2 * math.pi)
        strength = self._uniform(count, SLOTS, high=0.6) * (self._uniform(count, SLOTS) < 0.5)
        backdrop_linear, backdrop_offset = self._backdrop_transforms(count, height, width)
        limbs, limb_colour = self._limbs(photo, linear, offset, height, width)
        return Plan(
            height=height,
            width=width,
            photo=photo,
            linear=linear,
            offset=offset,
            present=present,
            erased=self._uniform(count, SLOTS) < 0.05,
            mask=mask,
            softness=self._uniform(count, SLOTS, low=math.log(0.7), high=math.log(10.0)).exp(),
            tint=(self._normal(count, SLOTS, 1) * 0.12 + self._normal(count, SLOTS, 3) * 0.06).exp(),
            light=torch.stack([angle.cos() * strength, angle.sin() * strength], dim=-1),
            backdrops=self._integers(len(self.backdrops), count, 2),
            backdrop_linear=backdrop_linear,
            backdrop_offset=backdrop_offset,
            # Which share of the picture is the first backdrop, the second, and texture drawn by the program.
            backdrop_mix=torch.stack(
                [self._uniform(count), self._uniform(count), self._uniform(count, high=2 * math.pi)], dim=-1
            ),
            backdrop_colour=self._backdrop_colours(count),
            texture_seed=self._seeds.randrange(2**31),
            limbs=limbs,
            limb_colour=limb_colour,
        )

    def render(self, plan: Plan) -> Scenes:
        """Draws the planned scenes."""
        points = pixels(plan.height, plan.width, self.device)
        images = self._draw_backdrop(plan, points)
        boxes, landmarks = plan.face_boxes(self.faces), plan.face_landmarks(self.faces)
        colours, cover = self._draw_faces(plan, points)
        covers = list(cover.unbind(dim=1))
        for slot in range(SLOTS):
            images = images + covers[slot][:, None] * (colours[:, slot] - images)
        # Limbs and bars come in front of the faces, in one colour.
        hidden = capsules(plan.limbs, points)
        images = images + hidden[:, None] * (plan.limb_colour[..., None, None] - images)
        covers.append(hidden)
        visible = self._visible(boxes, landmarks, covers)
        labelled = plan.present & ~plan.erased & (visible >= 0.5)
        doubtful = plan.present & ~plan.erased & (visible < 0.5) & (visible > 0.05)
        return Scenes(images.clamp(0, 255), boxes, landmarks, labelled, doubtful, visible)

    def _face_transforms(self, photo: Tensor, height: int) -> Tensor:
        count = photo.shape[0]
        low = torch.where(self._uniform(count, 1) < 0.7, math.log(0.12), math.log(0.06))
        high = torch.where(low > math.log(0.1), math.log(0.7), math.log(0.95))
        share = (low + self._uniform(count, SLOTS) * (high - low)).exp()
        # The one in front of a webcam, in half of the scenes.
        near = self._uniform(count) < 0.5
        share[:, 0] = torch.where(near, self._uniform(count, low=0.22, high=0.75), share[:, 0])
        box = self.faces.boxes[photo]
        scale = share * height / (box[..., 3] - box[..., 1])
        steep = self._uniform(count, SLOTS) < 0.25
        roll = torch.where(
            steep, self._uniform(count, SLOTS, low=-45, high=45), self._normal(count, SLOTS).mul(10).clamp(-45, 45)
        )
        roll = torch.deg2rad(roll)
        cos, sin = roll.cos(), roll.sin()
        turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
        # A little narrowing and shear stand for a turned head or a wide lens.
        mirror = torch.where(self._uniform(count, SLOTS) < 0.5, -1.0, 1.0)
        across, shear = self._uniform(count, SLOTS, low=0.88, high=1.1), self._normal(count, SLOTS) * 0.05
        zero, one = torch.zeros_like(scale), torch.ones_like(scale)
        shape = torch.stack([torch.stack([mirror * across, shear], -1), torch.stack([zero, one], -1)], -2)
        return turn @ shape * scale[..., None, None]

    def _places(self, photo: Tensor, linear: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Where the photos go, B x SLOTS x 2, and whether a slot's face is clear of those before it."""
        count, tries = photo.shape[0], 6
        box = self.faces.boxes[photo]
        middle = (box[..., :2] + box[..., 2:]) / 2
        half = (linear**2 @ (((box[..., 2:] - box[..., :2]) / 2) ** 2)[..., None])[..., 0].sqrt()
        frame = torch.tensor([width, height], device=self.device)
        # Mostly inside; one in ten may hang half out of the frame.
        margin = half * torch.where(self._uniform(count, SLOTS, 1) < 0.1, 0.1, 0.8)
        room = (frame - 2 * margin)[:, :, None]
        draws = self._uniform(count, SLOTS, tries, 2)
        places = torch.where(room > 0, margin[:, :, None] + draws * room, frame / 2 + (draws - 0.5) * 0.3 * frame)
        chosen, apart = [places[:, 0, 0]], [torch.ones(count, dtype=torch.bool, device=self.device)]
        rows = torch.arange(count, device=self.device)
        for slot in range(1, SLOTS):
            gap = torch.full((count, tries), 10.0, device=self.device)
            for other in range(slot):
                away = (places[:, slot] - chosen[other][:, None]).abs() / (half[:, slot] + half[:, other])[:, None]
                gap = torch.minimum(gap, away.amax(dim=-1))
            best = gap.argmax(dim=1)
            chosen.append(places[rows, slot, best])
            apart.append(gap[rows, best] > 0.8)
        centre = torch.stack(chosen, dim=1)
        return centre - (linear @ middle[..., None])[..., 0], torch.stack(apart, dim=1)

    def _backdrop_transforms(self, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """From the scene's pixels to those of a background."""
        anyhow = self._uniform(count, 2) < 0.3
        angle = torch.where(anyhow, self._uniform(count, 2, high=2 * math.pi), self._normal(count, 2) * 0.15)
        scale = self._uniform(count, 2, low=math.log(0.15), high=math.log(1.8)).exp() * 320 / width
        flip = torch.where(self._uniform(count, 2) < 0.5, -1.0, 1.0)
        cos, sin = angle.cos() * scale, angle.sin() * scale
        linear = torch.stack([torch.stack([cos * flip, -sin], -1), torch.stack([sin * flip, cos], -1)], -2)
        centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=self.device)
        target = self._uniform(count, 2, 2, low=0.25, high=0.75) * SCENE_SIDE * torch.tensor([1.0, 0.67], device=self.device)
        return linear, target - (linear @ centre)

    def _backdrop_colours(self, count: int) -> Tensor:
        """How backgrounds are recoloured, B x 3 x 3: half not at all, the others with their channels mixed anew."""
        mixed = self._uniform(count, 3, 3)
        mixed = mixed**3 / (mixed**3).sum(dim=-1, keepdim=True) * self._uniform(count, 3, 1, low=0.6, high=1.3)
        kept = (self._uniform(count, 1, 1) < 0.5).float()
        return kept * torch.eye(3, device=self.device) + (1 - kept) * mixed

    def _limbs(self, photo: Tensor, linear: Tensor, offset: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Capsules (two ends, radius, softness; B x LIMBS x 6) in front of a face or anywhere, and their colours."""
        count = photo.shape[0]
        box = self.faces.boxes[photo[:, 0]]
        centre = (linear[:, 0] @ ((box[:, :2] + box[:, 2:]) / 2)[..., None])[..., 0] + offset[:, 0]
        size = (determinant(linear[:, 0]).abs().sqrt() * (box[:, 3] - box[:, 1]))[:, None]
        near = self._uniform(count, 1) < 0.6
        anywhere = self._uniform(count, 2) * torch.tensor([width, height], device=self.device)
        start = torch.where(near, centre + self._normal(count, 2) * size * 0.4, anywhere)[:, None]
        start = start + self._normal(count, self.LIMBS, 2) * size[..., None] * 0.15
        angle = self._uniform(count, 1, high=2 * math.pi) + self._normal(count, self.LIMBS) * 0.25
        length = self._uniform(count, self.LIMBS, low=0.2, high=1.4) * size
        end = start + torch.stack([angle.cos(), angle.sin()], -1) * length[..., None]
        radius = self._uniform(count, self.LIMBS, low=0.03, high=0.16) * size
        shown = self._uniform(count, 1) < 0.25
        many = self._integers(self.LIMBS, count, 1) >= torch.arange(self.LIMBS, device=self.device)
        radius = torch.where(shown & many, radius, -10.0)
        softness = self._uniform(count, self.LIMBS, low=0.5, high=2.0)
        skin = self.faces.skin[photo[:, 0]] * (self._normal(count, 1) * 0.15).exp()
        colour = torch.where(self._uniform(count, 1) < 0.5, skin, self._uniform(count, 3, high=255.0))
        return torch.cat([start, end, radius[..., None], softness[..., None]], dim=-1), colour

    def _draw_backdrop(self, plan: Plan, points: Tensor) -> Tensor:
        layers = []
        for number in range(2):
            where = apply(plan.backdrop_linear[:, number], points) + plan.backdrop_offset[:, number, None, None]
            zoom = 1 / determinant(plan.backdrop_linear[:, number]).abs().sqrt()
            layers.append(self.backdrops.sample(plan.backdrops[:, number], where, zoom))
        first, second = layers
        # A third of the scenes are noise; of the others, a fifth are two pictures side by side and a tenth two in one.
        angle = plan.backdrop_mix[:, 2, None, None]
        away = (points[..., 0] - plan.width / 2) * angle.cos() + (points[..., 1] - plan.height / 2) * angle.sin()
        split = (away / 3).sigmoid() * (plan.backdrop_mix[:, 0, None, None] < 0.2)
        double = (plan.backdrop_mix[:, 0] > 0.9)[:, None, None] * 0.5
        picture = first + (split + double)[:, None] * (second - first)
        picture = torch.einsum("bdc,bchw->bdhw", plan.backdrop_colour, picture)
        drawn = (plan.backdrop_mix[:, 1] < 0.3).float()[:, None, None, None]
        return picture + drawn * (self._texture(plan) - picture)

    def _texture(self, plan: Plan) -> Tensor:
        """Walls, curtains, clutter: noise of three sizes and stripes on a plain colour."""
        count = plan.photo.shape[0]
        # Its own generator: two renderings of one plan show the same wall.
        source = torch.Generator(device=self.device).manual_seed(plan.texture_seed)
        base = torch.rand(count, 3, 1, 1, generator=source, device=self.device) * 255
        picture = base.expand(-1, -1, plan.height, plan.width)
        for rows in (3, 9, 36):
            noise = torch.randn(count, 3, rows, rows * 5 // 3, generator=source, device=self.device)
            colour = torch.rand(count, 1, 1, 1, generator=source, device=self.device)
            noise = noise.mean(dim=1, keepdim=True) + colour * (noise - noise.mean(dim=1, keepdim=True))
            amount = torch.rand(count, 1, 1, 1, generator=source, device=self.device) ** 2 * 70
            picture = picture + F.interpolate(noise, size=(plan.height, plan.width), mode="bicubic", align_corners=False) * amount
        return picture

    def _draw_faces(self, plan: Plan, points: Tensor) -> tuple[Tensor, Tensor]:
        """Each slot's colours (B x SLOTS x 3 x H x W) and how much it covers (B x SLOTS x H x W), all slots at once."""
        index, linear, offset = plan.photo.flatten(), plan.linear.flatten(0, 1), plan.offset.flatten(0, 1)
        zoom = determinant(linear).abs().sqrt()
        where = apply(inverse(linear), points - offset[:, None, None])
        colours = self.faces.sample(index, where, zoom)
        box = self.faces.boxes[index]
        centre, half = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]) / 2
        relative = (where - centre[:, None, None]) / half[:, None, None]
        erased = ((1.15 - relative.norm(dim=-1)) * 5).clamp(0, 1) * plan.erased.flatten()[:, None, None]
        colours = colours + erased[:, None] * (self.faces.skin[index][..., None, None] - colours)
        light = (relative * plan.light.flatten(0, 1)[:, None, None]).sum(dim=-1).clamp(-2, 2).exp()
        colours = colours * plan.tint.flatten(0, 1)[..., None, None] * light[:, None]
        inside = self._inside(plan.mask.flatten(), relative, where, self.faces.sizes[index], half) * zoom[:, None, None]
        softness = torch.minimum(plan.softness.flatten(), 0.3 * half.amin(dim=-1) * zoom)
        cover = (inside / softness[:, None, None]).clamp(0, 1) * plan.present.flatten()[:, None, None]
        return colours.view(-1, SLOTS, *colours.shape[1:]), cover.view(-1, SLOTS, *cover.shape[1:])

    @staticmethod
    def _inside(mask: Tensor, relative: Tensor, where: Tensor, size: Tensor, half: Tensor) -> Tensor:
        """How far inside the shape of a paste each pixel lies, in photo pixels (negative: outside)."""
        edge = torch.minimum(where + 0.5, size[:, None, None] - 0.5 - where).amin(dim=-1)
        unit = half.amin(dim=-1)[:, None, None]
        head = (
            (1 - ((relative - relative.new_tensor([0.0, -0.15])) / relative.new_tensor([1.35, 1.5])).norm(dim=-1)) * 1.35 * unit
        )
        slope = 0.7 + 1.1 * (relative[..., 1] - 0.8).clamp(min=0)
        bust = torch.minimum(slope - relative[..., 0].abs(), relative[..., 1] - 0.6) * unit
        # The photo's lower edge is no edge of a bust: the last row goes on.
        sides = torch.minimum((where + 0.5).amin(dim=-1), size[:, None, None, 0] - 0.5 - where[..., 0])
        shapes = torch.stack(
            [edge, torch.full_like(edge, 1e3), torch.minimum(torch.maximum(head, bust), sides), torch.minimum(head, edge)]
        )
        chosen: Tensor = shapes.gather(0, mask[None, :, None, None].expand(1, *edge.shape))[0]
        return chosen

    @staticmethod
    def _visible(boxes: Tensor, landmarks: Tensor, covers: list[Tensor]) -> Tensor:
        """The share of each face that is in the frame and not covered, from its landmarks and a grid over its box; B x SLOTS."""
        height, width = covers[0].shape[-2:]
        steps = torch.linspace(0.15, 0.85, 4, device=boxes.device)
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).reshape(-1, 2)
        spread = boxes[..., None, :2] + grid * (boxes[..., None, 2:] - boxes[..., None, :2])
        points = torch.cat([landmarks, spread], dim=2)
        frame = torch.tensor([width, height], device=boxes.device)
        shares = []
        for slot in range(boxes.shape[1]):
            clear = torch.ones_like(covers[0])
            for later in covers[slot + 1 :]:
                clear = clear * (1 - later)
            where = (points[:, slot, :, None] + 0.5) * 2 / frame - 1
            shares.append(F.grid_sample(clear[:, None], where, padding_mode="zeros", align_corners=False)[:, 0, :, 0].mean(dim=1))
        return torch.stack(shares, dim=1)
