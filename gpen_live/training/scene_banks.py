"""Pictures and faces on the device that trains, each at several sizes, to be sampled by the batch."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gpen_live.frame import Image
from gpen_live.training.scene_photos import PHOTO_SIDE, Floats, Photo

LEVELS = 4
"""Levels of reduction kept of each picture."""


class Bank:
    """Pictures on the device, each with half, quarter ... sizes beside it, so that reducing them does not alias.

    `atlas` is N x 3 x side x 1.5 side bytes: level 0 at the top left, the smaller ones one below the other to its right.
    `sizes` is N x 2: width and height of level 0.
    """

    def __init__(self, pictures: list[Image], side: int, device: torch.device) -> None:
        self.side = side
        atlas = np.zeros((len(pictures), side, side + side // 2, 3), dtype=np.uint8)
        for index, picture in enumerate(pictures):
            level = picture
            for number in range(LEVELS):
                x, y = self._origin(number)
                atlas[index, y : y + level.shape[0], x : x + level.shape[1]] = level
                half = (max(1, (level.shape[1] + 1) // 2), max(1, (level.shape[0] + 1) // 2))
                level = np.asarray(cv2.resize(level, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        self.atlas = torch.from_numpy(atlas).permute(0, 3, 1, 2).contiguous().to(device)
        self.sizes = torch.tensor([[p.shape[1], p.shape[0]] for p in pictures], dtype=torch.float32, device=device)
        self._origins = torch.tensor([self._origin(n) for n in range(LEVELS)], dtype=torch.float32, device=device)

    def __len__(self) -> int:
        return int(self.sizes.shape[0])

    def _origin(self, level: int) -> tuple[int, int]:
        return (0, 0) if level == 0 else (self.side, self.side - 2 * (self.side >> level))

    def sample(self, index: Tensor, points: Tensor, zoom: Tensor) -> Tensor:
        """Colours of the pictures `index` (B) at `points` (B x H x W x 2, pixels of level 0), B x 3 x H x W.

        `zoom` (B) is output pixels per picture pixel; it picks the level. Points outside take the nearest border's colour.
        """
        level = (-torch.log2(zoom.clamp(min=1e-3)) + 0.25).floor().clamp(0, LEVELS - 1)
        # A level of a picture with an odd side is rounded up: what scale it has is its size over that of level 0.
        base = self.sizes[index]
        size = base
        for number in range(1, LEVELS):
            size = torch.where((level >= number)[:, None], ((size + 1) / 2).floor(), size)
        ratio = (size / base)[:, None, None]
        inside = (points + 0.5) * ratio - 0.5
        inside = torch.minimum(inside.clamp(min=0.0), (size - 1)[:, None, None])
        inside = inside + self._origins[level.long()][:, None, None]
        extent = torch.tensor([self.atlas.shape[3], self.atlas.shape[2]], device=points.device)
        grid = (inside + 0.5) * 2 / extent - 1
        return F.grid_sample(self.atlas[index].float(), grid, mode="bilinear", align_corners=False)


class FaceBank(Bank):
    """Photos of one face each: `boxes` N x 4, `landmarks` N x 5 x 2 in pixels of level 0, `skin` N x 3 the face's mean colour."""

    def __init__(self, photos: list[Photo], device: torch.device) -> None:
        super().__init__([photo.image for photo in photos], PHOTO_SIDE, device)
        self.boxes = torch.tensor(np.array([photo.box for photo in photos]), dtype=torch.float32, device=device)
        self.landmarks = torch.tensor(np.array([photo.landmarks for photo in photos]), dtype=torch.float32, device=device)
        self.skin = torch.tensor(np.array([_skin(photo) for photo in photos]), dtype=torch.float32, device=device)


def _skin(photo: Photo) -> Floats:
    """Mean colour between eyes and mouth."""
    x0, x1 = sorted((photo.landmarks[0, 0], photo.landmarks[1, 0]))
    y0, y1 = photo.landmarks[:2, 1].mean(), photo.landmarks[3:, 1].mean()
    part = photo.image[max(0, int(y0)) : max(1, int(y1)) + 1, max(0, int(x0)) : max(1, int(x1)) + 1]
    return np.asarray(part.reshape(-1, 3).mean(axis=0) if part.size else np.full(3, 128.0), dtype=np.float64)
