"""What the device does with a frame whose faces are known, as work that a stream records once and repeats for each frame.

Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial

import torch
from torch import Tensor

from gpen_live.engine.paths.cuda import kernels
from gpen_live.engine.paths.cuda.buffers import FrameBuffers
from gpen_live.engine.paths.cuda.faces import KEPT, RECALLED
from gpen_live.engine.paths.cuda.stream import DeviceStream, Work
from gpen_live.engine.paths.mask import face_mask
from gpen_live.engine.paths.whole import enhance_whole
from gpen_live.frame import PixelFormat
from gpen_live.inference.enhancer import Enhancer, NetworkError


class RecordedStep(ABC):
    """From the frame on the device to the finished one there.

    Args:
        numbers: what the host tells about each face, N x NUMBERS on the device. last: R x 3 x H x W, the network's last pictures
            (see `gpen_live.engine.paths.cuda.memory`); None for a network without a memory.
    """

    def __init__(
        self, stream: DeviceStream, frames: FrameBuffers, enhancer: Enhancer, numbers: Tensor, last: Tensor | None
    ) -> None:
        self._stream, self.frames, self.enhancer, self.numbers, self._last = stream, frames, enhancer, numbers, last
        self._recorded: dict[str, Work] = {}
        self._pictures: Tensor | None = None

    def run(self, pixel_format: PixelFormat) -> None:
        """Gives the device all of its work, with marks between the stages."""
        self._repeat("warp", self._warp)
        self._stream.mark("warped")
        self._repeat("network", self._network)
        self._stream.mark("networked")
        self._repeat(f"blend {pixel_format.value}", partial(self._blend, pixel_format))
        self._stream.mark("blended")

    def _repeat(self, name: str, work: Work) -> None:
        if name not in self._recorded:
            self._recorded[name] = self._stream.record(work)
        self._recorded[name]()

    def _network(self) -> None:
        seen = self._seen
        out = self._enhance(seen, None if self._last is None else self._recall(self._last, seen))
        if out.shape != seen.shape:
            raise NetworkError("network.shape", name=self.enhancer.spec.name, shape=tuple(out.shape))
        if self._last is not None:
            self._last.index_copy_(0, self.numbers[:, KEPT].long(), out.float().clamp(-1, 1))
        self._pictures = out

    def _recall(self, last: Tensor, seen: Tensor) -> Tensor:
        rows = self.numbers[:, RECALLED].long()
        return torch.where((rows >= 0).view(-1, 1, 1, 1), last.index_select(0, rows.clamp(min=0)), seen)

    @property
    @abstractmethod
    def _seen(self) -> Tensor:
        """What the network sees, N x 3 x H x W, float32 RGB in [-1, 1]."""

    @abstractmethod
    def _warp(self) -> None: ...

    @abstractmethod
    def _enhance(self, seen: Tensor, previous: Tensor | None) -> Tensor: ...

    @abstractmethod
    def _blend(self, pixel_format: PixelFormat) -> None: ...


class FacesStep(RecordedStep):
    """Crops of so many faces, largest first, through the network and back into the frame."""

    def __init__(
        self, stream: DeviceStream, frames: FrameBuffers, enhancer: Enhancer, numbers: Tensor, last: Tensor | None
    ) -> None:
        super().__init__(stream, frames, enhancer, numbers, last)
        shape = (numbers.shape[0], 3, enhancer.size, enhancer.size)
        self._crops = torch.empty(shape, device=stream.device)
        self._changes = torch.empty(shape, device=stream.device)
        self._mask = torch.from_numpy(face_mask(enhancer.size).copy()).to(stream.device)

    @property
    def _seen(self) -> Tensor:
        return self._crops

    def _warp(self) -> None:
        kernels.crop(self.frames.frame, self.numbers, self._crops)

    def _enhance(self, seen: Tensor, previous: Tensor | None) -> Tensor:
        return self.enhancer.launch(seen, previous)

    def _blend(self, pixel_format: PixelFormat) -> None:
        assert self._pictures is not None
        frames = self.frames
        frames.broken.zero_()
        kernels.change(self._crops, self._pictures, self._mask, self.numbers, self._changes, frames.broken)
        kernels.finish(frames.frame, self._changes, self.numbers, frames.bgr, frames.planes, pixel_format)


class WholeStep(RecordedStep):
    """All of the frame through the network."""

    def __init__(
        self, stream: DeviceStream, frames: FrameBuffers, enhancer: Enhancer, numbers: Tensor, last: Tensor | None
    ) -> None:
        super().__init__(stream, frames, enhancer, numbers, last)
        self._whole = torch.empty(1, 3, frames.height, frames.width, device=stream.device)

    @property
    def _seen(self) -> Tensor:
        return self._whole

    def _warp(self) -> None:
        kernels.whole(self.frames.frame, self._whole)

    def _enhance(self, seen: Tensor, previous: Tensor | None) -> Tensor:
        return enhance_whole(self.enhancer, seen, previous, launch=True)

    def _blend(self, pixel_format: PixelFormat) -> None:
        assert self._pictures is not None
        frames = self.frames
        frames.broken.zero_()
        kernels.finish_whole(frames.frame, self._pictures, self.numbers, frames.bgr, frames.planes, frames.broken, pixel_format)
