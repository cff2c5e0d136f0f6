"""What a batch of scenes shows, planned and rendered, and the geometry of both."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from gpen_live.training.scene_banks import FaceBank
from gpen_live.training.scene_photos import MIRRORED

SLOTS = 4
"""Most faces in a scene."""


@dataclass(frozen=True)
class Plan:
    """What a batch of B scenes of `height` x `width` shows; every tensor leads with B, those of faces with B x SLOTS.

    `linear` (2 x 2) and `offset` (2) take pixels of a photo to pixels of the scene; `present` says which slots hold a picture,
    `erased` which of those have their face painted over (no face is labelled there).
    """

    height: int
    width: int
    photo: Tensor
    linear: Tensor
    offset: Tensor
    present: Tensor
    erased: Tensor
    mask: Tensor
    softness: Tensor
    tint: Tensor
    light: Tensor
    backdrops: Tensor
    backdrop_linear: Tensor
    backdrop_offset: Tensor
    backdrop_mix: Tensor
    backdrop_colour: Tensor
    texture_seed: int
    limbs: Tensor
    limb_colour: Tensor

    def face_boxes(self, bank: FaceBank) -> Tensor:
        """Boxes in the scene, B x SLOTS x 4: around the turned ellipse that the photo's box holds."""
        box = bank.boxes[self.photo]
        centre = self._move((box[..., :2] + box[..., 2:]) / 2)
        half = (self.linear**2 @ (((box[..., 2:] - box[..., :2]) / 2) ** 2)[..., None])[..., 0].sqrt()
        return torch.cat([centre - half, centre + half], dim=-1)

    def face_landmarks(self, bank: FaceBank) -> Tensor:
        """Landmarks in the scene, B x SLOTS x 5 x 2, left and right as seen in the scene."""
        points = bank.landmarks[self.photo]
        mirrored = determinant(self.linear) < 0
        points = torch.where(mirrored[..., None, None], points[..., list(MIRRORED), :], points)
        return points @ self.linear.transpose(-1, -2) + self.offset[..., None, :]

    def shifted(self, by: Tensor) -> Plan:
        """The same scenes moved by `by` (B x 2) pixels."""
        moved = dict(vars(self))
        moved["offset"] = self.offset + by[:, None]
        moved["backdrop_offset"] = self.backdrop_offset - (self.backdrop_linear @ by[:, None, :, None])[..., 0]
        limbs = self.limbs.clone()
        limbs[..., 0:2] += by[:, None]
        limbs[..., 2:4] += by[:, None]
        moved["limbs"] = limbs
        return Plan(**moved)

    def _move(self, points: Tensor) -> Tensor:
        return (self.linear @ points[..., None])[..., 0] + self.offset


@dataclass(frozen=True)
class Scenes:
    """Rendered scenes, before any camera: `images` B x 3 x H x W, `boxes` B x SLOTS x 4, `landmarks` B x SLOTS x 5 x 2.

    `labelled` (B x SLOTS) marks faces to be found, `doubtful` those too hidden to be asked for or held against anyone;
    `visible` (B x SLOTS) is the share of each face, 0..1, that is in the frame and not covered.
    """

    images: Tensor
    boxes: Tensor
    landmarks: Tensor
    labelled: Tensor
    doubtful: Tensor
    visible: Tensor

    def pick(self, rows: Tensor) -> Scenes:
        """Some of the scenes."""
        return Scenes(*(getattr(self, field.name)[rows] for field in fields(self)))


def join(first: Scenes, second: Scenes) -> Scenes:
    """Scenes of one size, one batch after the other."""
    return Scenes(*(torch.cat([getattr(first, field.name), getattr(second, field.name)]) for field in fields(Scenes)))


def pixels(height: int, width: int, device: torch.device) -> Tensor:
    """Coordinates (x, y) of every pixel, 1 x height x width x 2."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1)[None].float()


def determinant(matrix: Tensor) -> Tensor:
    """Of ... x 2 x 2; unlike the library's, it never waits for the device."""
    return matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] * matrix[..., 1, 0]


def inverse(matrix: Tensor) -> Tensor:
    """Of ... x 2 x 2; unlike the library's, it never waits for the device."""
    (a, b), (c, d) = matrix[..., 0, :].unbind(-1), matrix[..., 1, :].unbind(-1)
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / determinant(matrix)[..., None, None]


def apply(matrix: Tensor, points: Tensor) -> Tensor:
    """Matrices B x 2 x 2 on points B x H x W x 2; many times faster than a batched product of so small matrices."""
    x, y = points[..., 0], points[..., 1]
    m = matrix[:, None, None]
    return torch.stack([m[..., 0, 0] * x + m[..., 0, 1] * y, m[..., 1, 0] * x + m[..., 1, 1] * y], dim=-1)


def capsules(limbs: Tensor, points: Tensor) -> Tensor:
    """Coverage (B x H x W) of capsules with soft edges; `limbs` is B x LIMBS x 6: two ends, radius, softness."""
    limb = limbs[:, :, None, None]
    start, along = limb[..., 0:2], limb[..., 2:4] - limb[..., 0:2]
    position = ((points - start) * along).sum(dim=-1) / along.square().sum(dim=-1).clamp(min=1e-6)
    distance = (points - start - position.clamp(0, 1)[..., None] * along).norm(dim=-1)
    cover: Tensor = ((limb[..., 4] - distance) / limb[..., 5] + 0.5).clamp(0, 1).amax(dim=1)
    return cover
