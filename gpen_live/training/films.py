"""Endless films of still-life faces: each face is seen frame after frame through its own webcam, moves a little, and is replaced.

Films run on from step to step of the training, so the network meets its own pictures of long ago as its memory, at the price of
one look a frame. N films; pictures are N,3,S,S, RGB, in [-1, 1] as the network takes them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from gpen_live.facedata.degrade import Webcam, degrade, jitter, random_webcams

_RENEWED = (0.6, 0.1)
"""Share of the films that start anew where they may: one half is short, so that the first frame counts, the other long."""
_CUT = 0.02
"""Share of the frames whose memory is of another face: the network must notice."""
_COVERED = 0.05
"""Share of the frames in which something comes before the face."""
_REACH = 5.0
"""Largest motion away from a film's start, in pixels."""
_BEND = 1.2
"""Typical size of a face's own motion (expression, turning) in pixels."""


@dataclass(slots=True)
class Frame:
    """One frame of each film."""

    seen: Tensor
    """What the webcam delivers."""
    truth: Tensor
    shift: Tensor
    """N,S,S,2: where each pixel of this frame lies in the frame before, in `grid_sample`'s coordinates."""
    follows: Tensor
    """N: 1 where the frame before is of the same film, 0 where a film starts."""


class Films:
    """N films over a bank of faces.

    Args:
        pictures: faces, K,3,P,P bytes; the network's crop is the middle P / 1.25 of them.
        bank: blur kernels for `degrade`.
        count: N.
        generator: draws everything, on the device of the pictures.
        clean_share, quiet_share, raw_share: as of `random_webcams`.
    """

    def __init__(
        self,
        pictures: Tensor,
        bank: Tensor,
        count: int,
        generator: Generator,
        *,
        clean_share: float,
        quiet_share: float,
        raw_share: float,
    ) -> None:
        self._pictures, self._bank, self._count, self._generator = pictures, bank, count, generator
        self._shares = {"clean_share": clean_share, "quiet_share": quiet_share, "raw_share": raw_share}
        side = pictures.shape[-1]
        self.size = side * 4 // 5
        self._window = self.size + side // 10  # the crop and enough around it for blur and the webcam's own grid
        self._frames = 0
        short = torch.arange(count, device=pictures.device) % 2 == 0
        self._renewed = torch.where(short, *_RENEWED)
        self._canvas, self._webcams, self._kind = self._start()
        self._place = torch.zeros(count, 2, device=pictures.device)
        self._bend = torch.zeros(count, 2, 5, 5, device=pictures.device)
        self._last = self._field()

    def next(self, *, starts: bool = True) -> Frame:
        """The next frame of each film; some start anew, where they may."""
        follows = torch.ones_like(self._place[:, 0])
        if starts:
            follows = (self._uniform() >= self._renewed).float() if self._frames else torch.zeros_like(follows)
            self._renew(1 - follows)
        self._move(follows)
        field = self._field()
        shown = self._show(field)
        shown = self._cover(shown)
        upscale = "bicubic" if self._frames % 2 else "bilinear"
        seen = degrade(shown, self._webcams, self._bank, self._generator, upscale=upscale)
        shift = self._shift(field)
        self._last.copy_(field)
        self._frames += 1
        return Frame(self._centre(seen) * 2 - 1, self._centre(shown) * 2 - 1, shift, follows)

    def state(self) -> dict[str, Tensor | int]:
        """All that the next frame depends on, but for the generator."""
        held: dict[str, Tensor | int] = {name: getattr(self, f"_{name}") for name in _HELD}
        webcams = {f"webcams.{f.name}": getattr(self._webcams, f.name) for f in fields(Webcam)}
        return {**held, **webcams, "canvas": (self._canvas * 255).round().byte()}

    def restore(self, state: dict[str, Tensor | int]) -> None:
        """Goes on from what `state` gave."""
        device = self._pictures.device
        for name in _HELD:
            value = state[name]
            setattr(self, f"_{name}", value.to(device) if isinstance(value, Tensor) else value)
        self._canvas = _tensor(state["canvas"]).to(device).float() / 255
        self._webcams = Webcam(*(_tensor(state[f"webcams.{f.name}"]).to(device) for f in fields(Webcam)))

    def _uniform(self, low: float = 0.0, high: float = 1.0, shape: tuple[int, ...] = ()) -> Tensor:
        random = torch.rand((self._count, *shape), generator=self._generator, device=self._pictures.device)
        return low + (high - low) * random

    def _start(self) -> tuple[Tensor, Webcam, Tensor]:
        index = torch.randint(len(self._pictures), (self._count,), generator=self._generator, device=self._pictures.device)
        canvas = jitter(self._pictures[index].float() / 255, self._generator)
        webcams = random_webcams(self._count, len(self._bank), self._generator, **self._shares)
        # 0 rests, 1 moves by whole pixels (its finest detail survives), 2 moves and bends freely.
        kind = (self._uniform() * 2.5).floor().clamp(max=2)
        return canvas, webcams, kind

    def _renew(self, new: Tensor) -> None:
        canvas, webcams, kind = self._start()
        if not self._frames:
            return

        # In place throughout: a CUDA graph of a step finds its state where it left it.
        def mix(old: Tensor, fresh: Tensor) -> None:
            old.copy_(torch.where(new.view(-1, *[1] * (old.dim() - 1)) > 0, fresh, old))

        mix(self._canvas, canvas)
        mix(self._kind, kind)
        for field in fields(Webcam):
            mix(getattr(self._webcams, field.name), getattr(webcams, field.name))

    def _move(self, follows: Tensor) -> None:
        pace = self._uniform(0.0, 2.5)
        step = torch.randn((self._count, 2), generator=self._generator, device=self._pictures.device) * pace[:, None]
        place = (self._place * follows[:, None] * 0.95 + step).clamp(-_REACH, _REACH)
        free = (self._kind == 2)[:, None]
        self._place.copy_(torch.where(free, place, torch.where((self._kind == 1)[:, None], place.round(), 0.0)))
        bend = torch.randn(self._bend.shape, generator=self._generator, device=self._pictures.device)
        bent = self._bend * 0.85 * follows.view(-1, 1, 1, 1) + 0.5 * _BEND * bend
        self._bend.copy_(torch.where(free[:, :, None, None], bent, 0.0))

    def _field(self) -> Tensor:
        """Displacement of each pixel of the window, N,2,W,W (x, y in pixels)."""
        side = self._window
        bend = F.interpolate(self._bend, (side, side), mode="bicubic", align_corners=False)
        return self._place[:, :, None, None] + bend

    def _grid(self, field: Tensor, side: int) -> Tensor:
        """A `grid_sample` grid over the middle of a picture of `side`, displaced by `field`."""
        size = field.shape[-1]
        line = torch.arange(size, device=field.device) + (side - size) / 2 + 0.5
        x = line[None, None, :] + field[:, 0]
        y = line[None, :, None] + field[:, 1]
        return torch.stack([x, y], dim=-1) * (2 / side) - 1

    def _show(self, field: Tensor) -> Tensor:
        grid = self._grid(field, self._canvas.shape[-1])
        shown = F.grid_sample(self._canvas, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
        return (shown.clamp(0, 1) * 255).round() / 255

    def _cover(self, shown: Tensor) -> Tensor:
        """A hand, a microphone: in some frames a part of another film lies over the face."""
        side = shown.shape[-1]
        there = (self._uniform() < _COVERED).float()
        middle, half = self._uniform(0, side, (2,)), self._uniform(0.05 * side, 0.25 * side, (2,)) * there[:, None]
        line = torch.arange(side, device=shown.device) + 0.5
        inside = [(line[None] - middle[:, i : i + 1]).abs() < half[:, i : i + 1] for i in (0, 1)]
        mask = (inside[0][:, None, None, :] & inside[1][:, None, :, None]).float()
        return shown.lerp(shown.roll(1, 0).flip(3), mask)

    def _shift(self, field: Tensor) -> Tensor:
        """Where a pixel of this frame was in the last, for motions small against their own variation."""
        return self._grid(self._crop(field - self._last), self.size)

    def _crop(self, field: Tensor) -> Tensor:
        edge = (field.shape[-1] - self.size) // 2
        return field[..., edge : edge + self.size, edge : edge + self.size]

    def _centre(self, x: Tensor) -> Tensor:
        return self._crop(x)

    def remember(self, out: Tensor, frame: Frame) -> Tensor:
        """The memory for a frame, given the pictures made of the frame before: none where a film starts, rarely a wrong one."""
        follows = frame.follows.view(-1, 1, 1, 1)
        wrong = (self._uniform() < _CUT).view(-1, 1, 1, 1)
        return torch.where(wrong, out.roll(1, 0), torch.where(follows > 0, out, frame.seen))


_HELD = ("frames", "kind", "place", "bend", "last")


def _tensor(value: Tensor | int) -> Tensor:
    assert isinstance(value, Tensor)
    return value


def carried(previous: Tensor, frame: Frame) -> Tensor:
    """The pictures of the frame before, moved along with the faces; N,3,S,S."""
    return F.grid_sample(previous, frame.shift.to(previous.dtype), mode="bilinear", padding_mode="border", align_corners=False)
