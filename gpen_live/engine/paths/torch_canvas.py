"""A frame as a tensor on a device: it goes up once and comes down once. The same as `host_canvas` by PyTorch's own operations.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gpen_live.engine.paths.geometry import Box, area_first, covered
from gpen_live.engine.paths.mask import face_mask, rim_mask
from gpen_live.faces.align import Matrix, invert
from gpen_live.frame import Image, Size

Field = tuple[Box, Tensor]
"""A displacement: a part of the frame, and where each of its pixels looks, 2 x h x w (x, y) relative to it, in frame pixels."""


class DeviceCanvas:
    """One frame; see `gpen_live.engine.paths.host_canvas.HostCanvas`."""

    def __init__(self, image: Image, device: torch.device) -> None:
        host = torch.from_numpy(image)
        self._original = host.to(device).permute(2, 0, 1).flip(0)[None].to(torch.float32).contiguous()  # RGB, levels 0..255
        self._image = self._original

    def crop(self, matrix: Matrix, size: int) -> Tensor:
        """The crop, 1 x 3 x size x size, float32 RGB in [-1, 1], for the frame-to-crop transform `matrix`."""
        return sample(self._original, matrix, Size(size, size), padding="reflection").div(127.5).sub(1.0)

    def whole(self) -> Tensor:
        """The frame, 1 x 3 x H x W, float32 RGB in [-1, 1]."""
        return self._original.div(127.5).sub(1.0)

    def blend(self, matrix: Matrix, change: Tensor) -> None:
        """Adds `change` (1 x 3 x S x S, in units of [-1, 1] pictures), masked and warped back, to the frame."""
        self.add(matrix, change * (127.5 * mask_on(change.shape[-1], change.device)))

    def blend_whole(self, change: Tensor) -> None:
        """Adds `change` (1 x 3 x H x W, in units of [-1, 1] pictures) to every pixel."""
        self.add_whole(change * 127.5)

    def displace(self, fields: Sequence[Field]) -> None:
        """Lets pixels show what is elsewhere in the frame, bilinear; where parts overlap, their displacements add up.

        To be done before anything is added.
        """
        height, width = self._original.shape[-2:]
        moved = self._original.new_zeros(2, height, width)
        for (x0, y0, x1, y1), field in fields:
            moved[:, y0:y1, x0:x1] += field
        for (x0, y0, x1, y1), _ in fields:
            part = moved[:, y0:y1, x0:x1]
            x = torch.arange(x0, x1, device=part.device, dtype=torch.float32) + part[0]
            y = torch.arange(y0, y1, device=part.device, dtype=torch.float32)[:, None] + part[1]
            grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)[None]
            found = functional.grid_sample(self._original, grid, mode="bilinear", padding_mode="border", align_corners=False)
            self._writable()[:, :, y0:y1, x0:x1] = found.round_().clamp_(0, 255)

    def field(self, matrix: Matrix, displacement: Tensor) -> Field | None:
        """A crop's displacement (2 x S x S, in its pixels, zero at its border) in the frame; None where it lies outside."""
        size = displacement.shape[-1]
        box = covered(matrix, (0, 0, size, size), self._size)
        if box is None:
            return None
        back = sample(displacement[None], _onto(box, matrix), Size(box[2] - box[0], box[3] - box[1]), padding="zeros")[0]
        (a, b), (c, d) = invert(matrix)[:, :2].tolist()
        return box, torch.stack([a * back[0] + b * back[1], c * back[0] + d * back[1]])

    def add(self, matrix: Matrix, added: Tensor) -> None:
        """Adds a masked change (1 x 3 x S x S, levels), warped back, to the frame."""
        size = added.shape[-1]
        box = covered(matrix, (0, 0, size, size), self._size)
        if box is None:
            return
        x0, y0, x1, y1 = box
        more = sample(added, _onto(box, matrix), Size(x1 - x0, y1 - y0), padding="zeros")
        patch = self._writable()[:, :, y0:y1, x0:x1]
        patch.copy_((patch + more).round_().clamp_(0, 255))

    def add_whole(self, added: Tensor) -> None:
        """Adds a change of all of the frame: 1 x 3 x H x W, levels."""
        frame = self._writable()
        frame.copy_((frame + added).round_().clamp_(0, 255))

    def picture(self) -> Image:
        """The finished frame on the host."""
        bgr: Image = self._image[0].flip(0).permute(1, 2, 0).to(torch.uint8).contiguous().cpu().numpy()
        return bgr

    @property
    def _size(self) -> Size:
        return Size(self._original.shape[3], self._original.shape[2])

    def _writable(self) -> Tensor:
        if self._image is self._original:
            self._image = self._original.clone()
        return self._image


@cache
def mask_on(size: int, device: torch.device) -> Tensor:
    """The face mask on a device, size x size."""
    return torch.from_numpy(face_mask(size).copy()).to(device)


@cache
def rim_on(size: int, device: torch.device) -> Tensor:
    """The rim mask on a device, size x size."""
    return torch.from_numpy(rim_mask(size).copy()).to(device)


def _onto(box: Box, matrix: Matrix) -> Matrix:
    """From the crop's pixels to those of a part of the frame."""
    back = invert(matrix)
    back[:, 2] -= box[:2]
    return back


def sample(picture: Tensor, matrix: Matrix, size: Size, *, padding: str) -> Tensor:
    """The same as `warp` for a 1 x C x H x W float tensor; `padding` is grid_sample's."""
    factor, matrix = area_first(matrix, Size(picture.shape[-1], picture.shape[-2]))
    if factor > 1:
        picture = functional.avg_pool2d(picture, factor)
    height, width = picture.shape[-2:]
    # From output pixels to input pixels, both with centres at integers, then to grid_sample's [-1, 1] (align_corners=False).
    to_unit = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    full = to_unit @ np.vstack([invert(matrix), [0, 0, 1]])
    y, x = torch.meshgrid(
        torch.arange(size.height, device=picture.device, dtype=torch.float32),
        torch.arange(size.width, device=picture.device, dtype=torch.float32),
        indexing="ij",
    )
    rows = [[float(v) for v in row] for row in full[:2]]
    grid = torch.stack([r[0] * x + r[1] * y + r[2] for r in rows], dim=-1)[None]
    if padding == "reflection" and picture.device.type == "mps":  # which has had no such mode in some versions
        grid, padding = reflected(grid, Size(width, height)), "zeros"
    return functional.grid_sample(picture, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def reflected(grid: Tensor, size: Size) -> Tensor:
    """Sampling positions (... x 2, grid_sample's units, align_corners=False) mirrored into a picture of `size`.

    Sampling there, with whatever padding, is what grid_sample calls "reflection": mirrored at the picture's edge, half a pixel
    beyond the centre of the last pixel, and never beyond that centre.
    """
    mirrored = 1 - (grid.add(1).remainder(4) - 2).abs()
    most = grid.new_tensor([1 - 1 / size.width, 1 - 1 / size.height])
    return mirrored.clamp(-most, most)
