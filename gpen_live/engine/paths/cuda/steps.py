"""What the device does with a frame whose faces are known, as work that a stream records once and repeats for each frame.

Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from gpen_live.engine.paths.cuda import kernels
from gpen_live.engine.paths.cuda.buffers import CropBuffers, FrameBuffers
from gpen_live.engine.paths.cuda.faces import KEPT, LEVELS, RECALLED
from gpen_live.engine.paths.cuda.stream import DeviceStream, Work
from gpen_live.engine.paths.torch import clamped, enhance_whole
from gpen_live.engine.result import Change, Stage
from gpen_live.frame import PixelFormat
from gpen_live.inference.enhancer import Enhancer, NetworkError


class RecordedStep(ABC):
    """From the frame on the device to the finished one there.

    Args:
        numbers: what the host tells about each face, N x NUMBERS on the device. last: R x 3 x H x W, the network's last pictures
            (see `gpen_live.engine.paths.cuda.memory`); None for a network without a memory. stages: after the network.
    """

    def __init__(
        self,
        stream: DeviceStream,
        frames: FrameBuffers,
        enhancer: Enhancer,
        numbers: Tensor,
        last: Tensor | None,
        stages: Sequence[Stage],
    ) -> None:
        self._stream, self.frames, self.enhancer, self.numbers, self._last = stream, frames, enhancer, numbers, last
        self._stages = tuple(stages)
        self._recorded: dict[str, Work] = {}
        self._pictures: Tensor | None = None
        self._changes: dict[int, Change] = {}  # after so many stages; recorded work reads where they lie

    def run(self, pixel_format: PixelFormat) -> None:
        """Gives the device all of its work, with a mark after each part."""
        self.record(pixel_format)
        for name, _ in self._parts(pixel_format):
            self._recorded[name]()
            self._stream.mark(name)

    def record(self, pixel_format: PixelFormat) -> None:
        """What is not recorded yet; it works on what happens to lie there."""
        for name, work in self._parts(pixel_format):
            if name not in self._recorded:
                self._recorded[name] = self._stream.record(work)

    def marks(self, pixel_format: PixelFormat) -> list[tuple[str, str]]:
        """The names of the parts for the meters, and those of the marks at their ends."""
        return [("blend" if name.startswith("blend") else name, name) for name, _ in self._parts(pixel_format)]

    def _parts(self, pixel_format: PixelFormat) -> Iterator[tuple[str, Work]]:
        yield "warp", self._warp
        yield "network", self._network
        for i, stage in enumerate(self._stages):
            yield stage.name, partial(self._stage, i, stage)
        yield f"blend {pixel_format.value}", partial(self._blend, pixel_format)

    def _network(self) -> None:
        seen = self._seen
        out = self._enhance(seen, None if self._last is None else self._recall(self._last, seen))
        if out.shape != seen.shape:
            raise NetworkError("network.shape", name=self.enhancer.spec.name, shape=tuple(out.shape))
        if self._last is not None:
            self._last.index_copy_(0, self.numbers[:, KEPT].long(), out.float().clamp(-1, 1))
        self._pictures = out
        if self._stages:
            self._changes[0] = Change((clamped(out) - seen) * self.numbers[:, LEVELS].view(-1, 1, 1, 1))

    def _recall(self, last: Tensor, seen: Tensor) -> Tensor:
        rows = self.numbers[:, RECALLED].long()
        return torch.where((rows >= 0).view(-1, 1, 1, 1), last.index_select(0, rows.clamp(min=0)), seen)

    def _stage(self, before: int, stage: Stage) -> None:
        self._changes[before + 1] = stage(self._seen, self._changes[before], self.numbers)

    @property
    def _change(self) -> Change | None:
        """What the stages made of the network's pictures; None without stages."""
        return self._changes[len(self._stages)] if self._stages else None

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
    """Crops of so many faces, largest first, through the network and back into the frame; `crops` has room for more."""

    def __init__(
        self,
        stream: DeviceStream,
        frames: FrameBuffers,
        enhancer: Enhancer,
        numbers: Tensor,
        last: Tensor | None,
        stages: Sequence[Stage],
        crops: CropBuffers,
    ) -> None:
        super().__init__(stream, frames, enhancer, numbers, last, stages)
        count = numbers.shape[0]
        self._crops, self._added, self._moved = crops.crops[:count], crops.added[:count], crops.moved[:count]
        self._mask = crops.mask

    @property
    def _seen(self) -> Tensor:
        return self._crops

    def _warp(self) -> None:
        kernels.crop(self.frames.frame, self.numbers, self._crops)

    def _enhance(self, seen: Tensor, previous: Tensor | None) -> Tensor:
        return self.enhancer.launch(seen, previous)

    def _blend(self, pixel_format: PixelFormat) -> None:
        assert self._pictures is not None
        frames, change = self.frames, self._change
        pictures, moves = (self._pictures, None) if change is None else (change.added, change.displacement)
        moved = None if moves is None else self._moved
        frames.broken.zero_()
        kernels.change(
            self._crops, pictures, self._mask, self.numbers, self._added, frames.broken,
            staged=change is not None, moves=moves, moved=moved,
        )  # fmt: skip
        kernels.finish(frames.frame, self._added, self.numbers, frames.bgr, frames.planes, pixel_format, moved)


class WholeStep(RecordedStep):
    """All of the frame through the network."""

    def __init__(
        self,
        stream: DeviceStream,
        frames: FrameBuffers,
        enhancer: Enhancer,
        numbers: Tensor,
        last: Tensor | None,
        stages: Sequence[Stage],
    ) -> None:
        super().__init__(stream, frames, enhancer, numbers, last, stages)
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
        frames, change = self.frames, self._change
        picture, moves = (self._pictures, None) if change is None else (change.added, change.displacement)
        frames.broken.zero_()
        kernels.finish_whole(
            frames.frame, picture, self.numbers, frames.bgr, frames.planes, frames.broken, pixel_format,
            staged=change is not None, moves=moves,
        )  # fmt: skip
