"""What the device does with a frame whose faces are known, as work that a stream records once and repeats for each frame.

Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gpen_live.engine.paths.cuda import kernels
from gpen_live.engine.paths.cuda.buffers import CropBuffers, FrameBuffers
from gpen_live.engine.paths.cuda.faces import KEPT, RECALLED
from gpen_live.engine.paths.cuda.stages import Course, DeviceStage
from gpen_live.engine.paths.cuda.stream import DeviceStream, Work
from gpen_live.engine.paths.staged import answering
from gpen_live.engine.paths.torch import enhance_whole
from gpen_live.engine.result import Change
from gpen_live.frame import PixelFormat
from gpen_live.inference.enhancer import Enhancer, NetworkError


class Part(NamedTuple):
    """A piece of work that is recorded by itself: its name for the meters, what tells it from the step's others, the work."""

    name: str
    key: Hashable
    work: Work


class RecordedStep:
    """Work on the frame on the device, in parts.

    Args:
        numbers: what the host tells about each face, N x NUMBERS on the device. last: R x 3 x H x W, the network's last pictures
            (see `gpen_live.engine.paths.cuda.memory`); None for a network without a memory.
    """

    def __init__(
        self, stream: DeviceStream, frames: FrameBuffers, enhancer: Enhancer, numbers: Tensor, last: Tensor | None
    ) -> None:
        self._stream, self._frames, self._enhancer, self._numbers, self._last = stream, frames, enhancer, numbers, last
        self._recorded: dict[Hashable, Work] = {}

    def run(self, part: Part) -> None:
        """Gives the device a part of this step's work."""
        self.record(part)
        self._recorded[part.key]()

    def record(self, part: Part) -> bool:
        """Records it, if it is not yet; it works on what happens to lie there. Whether it had to be."""
        if part.key in self._recorded:
            return False
        self._recorded[part.key] = self._stream.record(part.work)
        return True

    def _recalled(self, seen: Tensor) -> Tensor | None:
        """The network's last pictures, where there are such; see `PictureRows`."""
        if self._last is None:
            return None
        rows = self._numbers[:, RECALLED].long()
        return torch.where((rows >= 0).view(-1, 1, 1, 1), self._last.index_select(0, rows.clamp(min=0)), seen)

    def _kept(self, out: Tensor, seen: Tensor) -> Tensor:
        """The network's pictures, once they are the last ones."""
        if out.shape != seen.shape:
            raise NetworkError("network.shape", name=self._enhancer.spec.name, shape=tuple(out.shape))
        if self._last is not None:
            self._last.index_copy_(0, self._numbers[:, KEPT].long(), out.float().clamp(-1, 1))
        return out


class FacesStep(RecordedStep):
    """Crops of so many faces, largest first, through the network and back into the frame; `crops` has room for more."""

    def __init__(
        self,
        stream: DeviceStream,
        frames: FrameBuffers,
        enhancer: Enhancer,
        numbers: Tensor,
        last: Tensor | None,
        stages: Sequence[DeviceStage],
        crops: CropBuffers,
    ) -> None:
        super().__init__(stream, frames, enhancer, numbers, last)
        count = numbers.shape[0]
        self._stages = tuple(stages)
        self._crops, self._added, self._moved = crops.crops[:count], crops.added[:count], crops.moved[:count]
        self._room, self._count = crops, count
        self._mask, self._rim = crops.mask, crops.rim
        self._pictures: Tensor | None = None

    def use_stages(self, stages: Sequence[DeviceStage]) -> None:
        """Other stages: what doesn't depend on them stays recorded."""
        self._stages = tuple(stages)
        self._recorded = {part.key: self._recorded[part.key] for part in self._plain() if part.key in self._recorded}

    def _plain(self) -> Iterator[Part]:
        """The parts of frames without stages, in all formats."""
        course = Course(True, (None,) * len(self._stages))
        for pixel_format in PixelFormat:
            yield from self.parts(course, pixel_format)

    def parts(self, course: Course, pixel_format: PixelFormat) -> list[Part]:
        """From the frame on the device to the finished one there."""
        parts = [Part("warp", "warp", self._warp)]
        if course.network:
            look = None if course.plain else course.looking
            parts.append(Part("network", ("network", look), partial(self._network, look)))
        else:
            ready = partial(self._without_network, course.looking)
            parts.append(Part(self._stages[0].name if self._stages else "blend", ("no network", course.looking), ready))
        for i, (stage, variant) in enumerate(zip(self._stages, course.variants, strict=True)):
            if variant is not None:
                moves = variant.moves
                parts.append(Part(stage.name, (i, moves), partial(self._draw, stage, moves=moves)))
        plain, moves = course.plain, course.moves
        blend = partial(self._blend, pixel_format, plain=plain, moves=moves)
        return [*parts, Part("blend", (pixel_format, plain, moves), blend)]

    @property
    def _change(self) -> Tensor:
        """What the crops change by, for stages."""
        return self._room.change[: self._count]

    @property
    def _moves(self) -> Tensor:
        """By how much their pixels are displaced, likewise."""
        return self._room.moves[: self._count]

    def _warp(self) -> None:
        kernels.crop(self._frames.frame, self._numbers, self._crops)

    def _network(self, looking: Sequence[int] | None) -> None:
        """`looking`: the stages that look at the crops meanwhile; None: no stage works after it."""
        pictures = self._stream.beside(self._enhanced, [partial(self._look, self._stages[i]) for i in looking or ()])
        if looking is None:
            self._pictures = pictures
        else:
            kernels.levels(self._crops, pictures, self._mask, self._numbers, self._change, self._frames.broken)

    def _enhanced(self) -> Tensor:
        return self._kept(self._enhancer.launch(self._crops, self._recalled(self._crops)), self._crops)

    def _without_network(self, looking: Sequence[int]) -> None:
        self._change.zero_()
        for i in looking:
            self._look(self._stages[i])

    def _look(self, stage: DeviceStage) -> None:
        with answering(stage):
            stage.look(self._crops)

    def _draw(self, stage: DeviceStage, *, moves: bool) -> None:
        with answering(stage):
            stage.draw(self._crops, Change(self._change, self._moves if moves else None))

    def _blend(self, pixel_format: PixelFormat, *, plain: bool, moves: bool) -> None:
        pictures = self._pictures if plain else self._change
        assert pictures is not None
        frames, moved = self._frames, self._moved if moves else None
        kernels.change(
            self._crops, pictures, self._mask if plain else self._rim, self._numbers, self._added, frames.broken,
            staged=not plain, moves=self._moves if moves else None, moved=moved,
        )  # fmt: skip
        kernels.finish(frames.frame, self._added, self._numbers, frames.bgr, frames.planes, pixel_format, moved)


class WholeStep(RecordedStep):
    """All of the frame through the network."""

    def __init__(
        self, stream: DeviceStream, frames: FrameBuffers, enhancer: Enhancer, numbers: Tensor, last: Tensor | None
    ) -> None:
        super().__init__(stream, frames, enhancer, numbers, last)
        self._whole = torch.empty(1, 3, frames.height, frames.width, device=stream.device)
        self._picture: Tensor | None = None

    def parts(self, pixel_format: PixelFormat | None) -> list[Part]:
        """From the frame on the device to the finished one there. None: it takes the frame's place, for stages on its faces."""
        return [
            Part("warp", "warp", self._warp),
            Part("network", "network", self._network),
            Part("blend", pixel_format, partial(self._blend, pixel_format)),
        ]

    def _warp(self) -> None:
        kernels.whole(self._frames.frame, self._whole)

    def _network(self) -> None:
        seen = self._whole
        self._picture = self._kept(enhance_whole(self._enhancer, seen, self._recalled(seen), launch=True), seen)

    def _blend(self, pixel_format: PixelFormat | None) -> None:
        assert self._picture is not None
        frames = self._frames
        to, layout = (frames.frame, PixelFormat.BGR) if pixel_format is None else (frames.bgr, pixel_format)
        kernels.finish_whole(frames.frame, self._picture, self._numbers, to, frames.planes, frames.broken, layout)
