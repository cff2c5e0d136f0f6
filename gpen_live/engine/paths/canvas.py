"""A frame on which faces are cropped out and blended back, in one of two implementations with one result.

`CpuCanvas` uses OpenCV on the frame where it lies; `DeviceCanvas` holds the frame as a tensor on the device, so that it goes
up once and comes down once. Both blend the same way: what the network changed (its picture minus the crop that it was given),
times the mask, is taken back into the frame by the inverse transform and added. So a network that changes nothing leaves the
frame bit-identical, and a frame sharper than the network keeps the detail that the crop could not hold.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from gpen_live.engine.paths.mask import face_mask
from gpen_live.faces.align import Matrix, invert
from gpen_live.frame import Image, Size

if TYPE_CHECKING:
    import torch

Pixels = cv2.typing.MatLike

_SHRINK = 0.6  # below this scale, bilinear sampling would alias: shrink by area first


class Canvas(Protocol):
    """One frame, on the device's side or the CPU's."""

    def crop(self, matrix: Matrix, size: int) -> torch.Tensor:
        """The crop, 1 x 3 x size x size, float32 RGB in [-1, 1], for the frame-to-crop transform `matrix`."""

    def blend(self, matrix: Matrix, change: torch.Tensor) -> None:
        """Adds `change` (1 x 3 x S x S, float32, in units of [-1, 1] pictures), masked and warped back, to the frame."""

    def whole(self) -> torch.Tensor:
        """The frame, 1 x 3 x H x W, float32 RGB in [-1, 1]."""

    def blend_whole(self, change: torch.Tensor) -> None:
        """Adds `change` (1 x 3 x H x W, float32) to every pixel."""

    def picture(self) -> Image:
        """The finished frame on the host; the frame given at the start is never written to."""


def open_canvas(image: Image, device: torch.device) -> Canvas:
    """The canvas for a frame whose network runs on `device`."""
    return CpuCanvas(image) if device.type == "cpu" else DeviceCanvas(image, device)


class CpuCanvas:
    """OpenCV's warps, on the part of the frame that a face covers."""

    def __init__(self, image: Image) -> None:
        self._original = image
        self._image = image

    def crop(self, matrix: Matrix, size: int) -> torch.Tensor:
        import torch

        crop = warp(self._original, matrix, Size(size, size), border=cv2.BORDER_REFLECT)
        rgb = torch.from_numpy(crop).permute(2, 0, 1).flip(0)[None]
        return rgb.to(torch.float32).div_(127.5).sub_(1.0)

    def blend(self, matrix: Matrix, change: torch.Tensor) -> None:
        size = int(change.shape[-1])
        frame = self._writable()
        box = covered(matrix, size, Size.of(frame))
        if box is None:
            return
        x0, y0, x1, y1 = box
        levels = change[0].permute(1, 2, 0).numpy()[:, :, ::-1] * _mask_levels(size)
        back = invert(matrix)
        back[:, 2] -= (x0, y0)
        added = warp(levels, back, Size(x1 - x0, y1 - y0), border=cv2.BORDER_CONSTANT)
        patch = frame[y0:y1, x0:x1]
        cv2.add(patch, added, dst=patch, dtype=cv2.CV_8U)

    def whole(self) -> torch.Tensor:
        import torch

        rgb = torch.from_numpy(self._original).permute(2, 0, 1).flip(0)[None]
        return rgb.to(torch.float32).div_(127.5).sub_(1.0)

    def blend_whole(self, change: torch.Tensor) -> None:
        frame = self._writable()
        levels = np.ascontiguousarray(change[0].mul(127.5).flip(0).permute(1, 2, 0).numpy())
        cv2.add(frame, levels, dst=frame, dtype=cv2.CV_8U)

    def picture(self) -> Image:
        return self._image

    def _writable(self) -> Image:
        if self._image is self._original:
            self._image = self._original.copy()
        return self._image


class DeviceCanvas:
    """The frame as a tensor; crops and blends by bilinear sampling on the device."""

    def __init__(self, image: Image, device: torch.device) -> None:
        import torch

        self._device = device
        host = torch.from_numpy(image)
        self._original = host.to(device).permute(2, 0, 1).flip(0)[None].to(torch.float32).contiguous()  # RGB, levels 0..255
        self._image = self._original

    def crop(self, matrix: Matrix, size: int) -> torch.Tensor:
        return sample(self._original, matrix, Size(size, size), padding="reflection").div(127.5).sub(1.0)

    def blend(self, matrix: Matrix, change: torch.Tensor) -> None:
        size = int(change.shape[-1])
        box = covered(matrix, size, Size(self._original.shape[3], self._original.shape[2]))
        if box is None:
            return
        x0, y0, x1, y1 = box
        back = invert(matrix)
        back[:, 2] -= (x0, y0)
        added = sample(change * _mask_levels_on(size, self._device), back, Size(x1 - x0, y1 - y0), padding="zeros")
        patch = self._writable()[:, :, y0:y1, x0:x1]
        patch.copy_((patch + added).round_().clamp_(0, 255))

    def whole(self) -> torch.Tensor:
        return self._original.div(127.5).sub(1.0)

    def blend_whole(self, change: torch.Tensor) -> None:
        frame = self._writable()
        frame.copy_((frame + change * 127.5).round_().clamp_(0, 255))

    def picture(self) -> Image:
        import torch

        bgr: Image = self._image[0].flip(0).permute(1, 2, 0).to(torch.uint8).contiguous().cpu().numpy()
        return bgr

    def _writable(self) -> torch.Tensor:
        if self._image is self._original:
            self._image = self._original.clone()
        return self._image


@cache
def _mask_levels(size: int) -> Pixels:
    """The mask in levels per unit of a [-1, 1] picture, size x size x 1: made once, not once a frame."""
    return 127.5 * face_mask(size)[:, :, None]


@cache
def _mask_levels_on(size: int, device: torch.device) -> torch.Tensor:
    """The same on a device, size x size."""
    import torch

    return torch.from_numpy(_mask_levels(size)[:, :, 0].copy()).to(device)


def covered(matrix: Matrix, size: int, frame: Size) -> tuple[int, int, int, int] | None:
    """The part of the frame (x0, y0, x1, y1; ends excluded) that a crop of `size` covers; None when they don't meet."""
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], dtype=np.float64)
    points = corners @ invert(matrix).T
    x0, y0 = np.floor(points.min(axis=0)).astype(int)
    x1, y1 = np.ceil(points.max(axis=0)).astype(int) + 1
    x0, y0, x1, y1 = max(int(x0), 0), max(int(y0), 0), min(int(x1), frame.width), min(int(y1), frame.height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def scale_of(matrix: Matrix) -> float:
    """How much a transform enlarges (its linear part's geometric mean)."""
    (a, b, _), (c, d, _) = matrix.tolist()
    return math.sqrt(abs(a * d - b * c))


def shrink_of(matrix: Matrix) -> int:
    """By which whole factor a picture is to be shrunk before `matrix` samples it; 1 where bilinear sampling is enough."""
    scale = scale_of(matrix)
    return int(1 / max(scale, 1e-6) + 0.35) if scale < _SHRINK else 1


def area_first(matrix: Matrix, picture: Size) -> tuple[int, Matrix]:
    """The factor by which a whole picture of that size is shrunk before it is sampled, and the transform that then remains."""
    factor = shrink_of(matrix)
    if factor == 1 or min(picture.width, picture.height) < factor:
        return 1, matrix
    (a, b, x), (c, d, y) = matrix.tolist()
    offset = (factor - 1) / 2
    return factor, np.array([[a * factor, b * factor, (a + b) * offset + x], [c * factor, d * factor, (c + d) * offset + y]])


def warp(image: Pixels, matrix: Matrix, size: Size, *, border: int) -> Pixels:
    """`image` (H x W x 3) under `matrix`, bilinear; where it shrinks, by area first, so that nothing aliases."""
    factor = shrink_of(matrix)
    if factor > 1:
        image, matrix = _shrunk(image, matrix, size, factor)
    return cv2.warpAffine(
        image, matrix, (size.width, size.height), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=(0, 0, 0)
    )


def _shrunk(image: Pixels, matrix: Matrix, size: Size, factor: int) -> tuple[Pixels, Matrix]:
    """The region of `image` that `matrix` looks at, shrunk by `factor`, and the transform that then remains."""
    corners = np.array([[0, 0, 1], [size.width, 0, 1], [0, size.height, 1], [size.width, size.height, 1]], dtype=np.float64)
    seen = corners @ invert(matrix).T
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(seen.min(axis=0)).astype(int) - factor, 0, (width - 1, height - 1)) // factor * factor
    x1, y1 = np.clip(np.ceil(seen.max(axis=0)).astype(int) + factor, 1, (width, height))
    part = image[y0:y1, x0:x1]
    if part.shape[0] < factor or part.shape[1] < factor:
        return image, matrix
    whole_h, whole_w = part.shape[0] // factor, part.shape[1] // factor
    small = cv2.resize(part[: whole_h * factor, : whole_w * factor], (whole_w, whole_h), interpolation=cv2.INTER_AREA)
    # Small pixel p covers big pixels p*factor .. p*factor+factor-1, whose centre is p*factor + (factor-1)/2.
    offset = np.array([x0, y0]) + (factor - 1) / 2
    return small, np.hstack([matrix[:, :2] * factor, (matrix[:, :2] @ offset + matrix[:, 2])[:, None]])


def sample(picture: torch.Tensor, matrix: Matrix, size: Size, *, padding: str) -> torch.Tensor:
    """The same as `warp` for a 1 x C x H x W float tensor; `padding` is grid_sample's."""
    import torch
    import torch.nn.functional as functional

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


def reflected(grid: torch.Tensor, size: Size) -> torch.Tensor:
    """Sampling positions (... x 2, grid_sample's units, align_corners=False) mirrored into a picture of `size`.

    Sampling there, with whatever padding, is what grid_sample calls "reflection": mirrored at the picture's edge, half a pixel
    beyond the centre of the last pixel, and never beyond that centre.
    """
    mirrored = 1 - (grid.add(1).remainder(4) - 2).abs()
    most = grid.new_tensor([1 - 1 / size.width, 1 - 1 / size.height])
    return mirrored.clamp(-most, most)
