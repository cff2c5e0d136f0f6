"""Full-frame mode: a whole frame through a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gpen_live.inference.enhancer import Enhancer
from gpen_live.inference.host import HostEnhancer
from gpen_live.inference.tensors import on_tensors

if TYPE_CHECKING:
    import torch

    Run = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]

_RIM = 8  # pixels by which a frame is continued at least: beside its zero padding a network is a few levels off


def enhance_whole(
    enhancer: HostEnhancer | Enhancer, frame: torch.Tensor, previous: torch.Tensor | None = None, *, launch: bool = False
) -> torch.Tensor:
    """The frame (1 x 3 x H x W, float32 RGB in [-1, 1]) as the network sees it, in the same shape.

    A fully convolutional network takes the frame as it is, continued on all sides up to its stride, so that the frame's own rim
    lies inside. A network of fixed size gets the frame fitted into its square, edges continued; its picture is scaled back.
    `previous`, in the shape of the frame, is what came out for the frame before. `launch`: see `Enhancer.launch`; what is not a
    finite number is then not one in the picture either.
    """
    run = _launching(enhancer) if launch and isinstance(enhancer, Enhancer) else on_tensors(enhancer)
    if enhancer.stride is not None:
        return _as_it_is(run, frame, previous, enhancer.stride)
    return _fitted(run, enhancer.size, frame)


def _launching(enhancer: Enhancer) -> Run:
    def run(pictures: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        out = enhancer.launch(pictures, previous).float()
        return out.clamp(-1, 1) + (out - out)  # infinite values become NaN: clamped, nobody would find them any more

    return run


def _as_it_is(run: Run, frame: torch.Tensor, previous: torch.Tensor | None, stride: int) -> torch.Tensor:
    import torch.nn.functional as functional

    height, width = frame.shape[-2:]
    more_y, more_x = (2 * _RIM + -(side + 2 * _RIM) % stride for side in (height, width))
    top, left = more_y // 2, more_x // 2

    def padded(picture: torch.Tensor) -> torch.Tensor:
        return functional.pad(picture, (left, more_x - left, top, more_y - top), mode="replicate")

    picture = run(padded(frame), None if previous is None else padded(previous))
    return picture[:, :, top : top + height, left : left + width]


def _fitted(run: Run, size: int, frame: torch.Tensor) -> torch.Tensor:
    import torch.nn.functional as functional

    height, width = frame.shape[-2:]
    scale = size / max(height, width)
    small_h, small_w = max(1, round(height * scale)), max(1, round(width * scale))
    small = functional.interpolate(frame, (small_h, small_w), mode="bilinear", align_corners=False, antialias=True)
    top, left = (size - small_h) // 2, (size - small_w) // 2
    square = functional.pad(small, (left, size - small_w - left, top, size - small_h - top), mode="replicate")
    picture = run(square, None)[:, :, top : top + small_h, left : left + small_w]
    return functional.interpolate(picture, (height, width), mode="bicubic", align_corners=False, antialias=True).clamp_(-1, 1)
