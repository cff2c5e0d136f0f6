"""Memory for frames and crops of one size, on the device and on the host's side of the way there.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from gpen_live.engine.paths.cuda.stream import DeviceStream
from gpen_live.engine.paths.mask import face_mask, rim_mask
from gpen_live.frame import Array, PixelFormat

_ALIGNED = 256


class FrameBuffers:
    """Made once for a size of frames.

    `frame` and `bgr` (H x W x 3, uint8, BGR) are the frame before and after; `planes` ((H*3/2) x W with even sides) what the sink
    takes, if it is not BGR; `broken` one byte between the two, so that either comes down with it in one copy: 1 once a network's
    picture was broken, 2 what a stage gave, until somebody sets it back. `reduced` (1 x 3 x
    h x w, float32) is what the detector sees.
    """

    def __init__(self, stream: DeviceStream, height: int, width: int, reduced: tuple[int, int]) -> None:
        device = stream.device
        self._stream = stream
        self.height, self.width = height, width
        self.staging = stream.host(height, width, 3, dtype=torch.uint8)
        self.frame = torch.empty(height, width, 3, dtype=torch.uint8, device=device)
        self.reduced = torch.empty(1, 3, *reduced, device=device)
        even_h, even_w = height + height % 2, width + width % 2
        self._picture = height * width * 3
        self._flag = -(-self._picture // _ALIGNED) * _ALIGNED
        self._planes = (even_h * 3 // 2, even_w)
        down = torch.zeros(self._flag + _ALIGNED + self._planes[0] * even_w, dtype=torch.uint8, device=device)
        self._down = down
        self.bgr = down[: self._picture].view(height, width, 3)
        self.broken = down[self._flag : self._flag + 1]
        self.planes = down[self._flag + _ALIGNED :].view(self._planes)

    def fetch(self, pixel_format: PixelFormat) -> Tensor:
        """Starts copying the pixels in `pixel_format` and `broken` to the host; see `read`."""
        part = self._down[: self._flag + 1] if pixel_format is PixelFormat.BGR else self._down[self._flag :]
        there = self._stream.host(part.numel(), dtype=torch.uint8)
        there.copy_(part, non_blocking=True)
        return there

    def read(self, fetched: Tensor, pixel_format: PixelFormat) -> tuple[Array, int]:
        """The pixels, which hold as long as somebody looks at them, and `broken`."""
        data = self._stream.view(fetched)
        if pixel_format is PixelFormat.BGR:
            return data[: self._picture].reshape(self.height, self.width, 3), int(data[self._flag])
        return data[_ALIGNED:].reshape(self._planes), int(data[0])


class CropBuffers:
    """Room for the crops of up to `most` faces; fewer use its beginning, so that recorded work of any number shares it.

    `crops` (N x 3 x S x S, float32) is what is seen. `change` and `moves` are for the stages: see `Change`; `added` and
    `moved` are the same for the frame: masked, faded and reduced. `mask` is for what networks change, `rim` for what stages do.
    """

    def __init__(self, most: int, size: int, device: torch.device) -> None:
        self.crops = torch.zeros(most, 3, size, size, device=device)
        self.added = torch.zeros_like(self.crops)
        self.moved = torch.zeros(most, 2, size, size, device=device)
        self.mask, self.rim = (torch.from_numpy(mask(size).copy()).to(device) for mask in (face_mask, rim_mask))

    @cached_property
    def change(self) -> Tensor:
        """Made when a stage first needs it."""
        return torch.zeros_like(self.crops)

    @cached_property
    def moves(self) -> Tensor:
        """Likewise."""
        return torch.zeros_like(self.moved)
