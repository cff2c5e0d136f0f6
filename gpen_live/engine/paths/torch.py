"""The frame path by PyTorch's own operations: for Apple's GPU, and for CUDA where the kernels of `paths.cuda` do not run.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from gpen_live.engine.paths.staged import NOT_FINITE, active, answering
from gpen_live.engine.paths.torch_canvas import DeviceCanvas, mask_on, rim_on
from gpen_live.engine.paths.whole import fitting, rim
from gpen_live.engine.result import Change, FaceCrop, FrameResult, HostPicture, Stage, StageError
from gpen_live.frame import Image, PixelFormat, Size
from gpen_live.inference.device import Device, exclusive, synchronize

if TYPE_CHECKING:
    from gpen_live.faces.detect import Detection, Detector
    from gpen_live.faces.state import LastResult
    from gpen_live.inference.enhancer import Enhancer

Run = Callable[[Tensor, Tensor | None], Tensor]


class TorchPath:
    """See the module; the interface is that of `gpen_live.engine.paths.base.FramePath`.

    A face's last picture is 3 x S x S, its last change the network's, masked, of one crop.
    """

    in_between = True
    may_fall_back = False

    def __init__(self, device: Device, detector: Detector, enhancer: Enhancer, stages: Sequence[Stage] = ()) -> None:
        self._device, self._detector, self._enhancer, self._stages = device, detector, enhancer, tuple(stages)

    def use(self, enhancer: Enhancer, kept: Sequence[Enhancer] = ()) -> None:
        self._enhancer = enhancer

    def use_stages(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)

    def prepare(self, image: Image, pixel_format: PixelFormat, *, whole_frame: bool, others: Sequence[Enhancer] = ()) -> None:
        """Nothing is recorded here."""

    def pin(self, image: Image) -> Image:
        return image

    def detect(self, done: FrameResult, image: Image) -> list[Detection]:
        with self._timed(done, "detect"):
            return self._detector.detect(image)

    def enhance_faces(
        self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float, pixel_format: PixelFormat
    ) -> None:
        with self._timed(done, "warp"):
            canvas = self._canvas(image)
            crops = self._crops(canvas, faces)
            change = Change(torch.zeros_like(crops))
        networked = any(face.look.strength > 0 for face in faces)
        pictures: Sequence[Tensor | None] = [None] * len(faces)
        if networked:
            with self._timed(done, "network"):
                made = self._enhancer(crops, self._recalled(crops, [face.last for face in faces], at))
            with self._timed(done, "blend"):
                strengths = crops.new_tensor([127.5 * face.look.strength for face in faces]).view(-1, 1, 1, 1)
                change = Change((made - crops) * strengths * mask_on(self._enhancer.size, crops.device))
                pictures = list(made)
        changes, staged = self._staged(done, crops, change, faces)
        with self._timed(done, "blend"):
            for face, picture, one in zip(faces, pictures, _apart(change), strict=True):
                face.last.keep(at, picture=picture, change=one)
            self._blend(done, canvas, [one for i, one in enumerate(zip(faces, changes, strict=True)) if networked or i in staged])

    def repeat_faces(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop], at: float) -> bool:
        if not all(face.last.change is not None and face.last.fresh(at) for face in faces):
            return False
        with self._timed(done, "warp"):
            canvas = self._canvas(image)
            crops = self._crops(canvas, faces) if active(self._stages, faces) else None
        changes = [face.last.change for face in faces]
        if crops is not None:
            with self._timed(done, "blend"):
                change = _joined(changes)
            changes, _ = self._staged(done, crops, change, faces)
        with self._timed(done, "blend"):
            self._blend(done, canvas, list(zip(faces, changes, strict=True)))
        return True

    def enhance_frame(
        self,
        done: FrameResult,
        image: Image,
        whole: FaceCrop,
        at: float,
        pixel_format: PixelFormat,
        faces: Sequence[FaceCrop] = (),
    ) -> None:
        if whole.look.strength > 0:
            with self._timed(done, "warp"):
                canvas = self._canvas(image)
                frame = canvas.whole()
            with self._timed(done, "network"):
                picture = enhance_whole(self._enhancer, frame, self._recalled(frame, [whole.last], at))
                whole.last.keep(at, picture=picture[0])
            with self._timed(done, "blend"):
                canvas.add_whole((picture - frame) * (127.5 * whole.look.strength))
                image = canvas.picture()
        done.picture = HostPicture(image)
        if active(self._stages, faces):
            self._draw_on(done, image, faces)

    def _draw_on(self, done: FrameResult, image: Image, faces: Sequence[FaceCrop]) -> None:
        """The stages alone, on the faces of a frame."""
        with self._timed(done, "warp"):
            canvas = self._canvas(image)
            crops = self._crops(canvas, faces)
            nothing = Change(torch.zeros_like(crops))
        changes, staged = self._staged(done, crops, nothing, faces)
        with self._timed(done, "blend"):
            self._blend(done, canvas, [(faces[i], changes[i]) for i in sorted(staged)])

    def _canvas(self, image: Image) -> DeviceCanvas:
        return DeviceCanvas(image, self._device.torch())

    def _crops(self, canvas: DeviceCanvas, faces: Sequence[FaceCrop]) -> Tensor:
        return torch.cat([canvas.crop(face.matrix, self._enhancer.size) for face in faces])

    def _staged(
        self, done: FrameResult, seen: Tensor, change: Change, faces: Sequence[FaceCrop]
    ) -> tuple[list[Change], set[int]]:
        """What the stages make of the masked changes, one of each face, and the places of the faces where they did anything."""
        with self._timed(done, "blend"):
            changes, touched = _apart(change), set[int]()
        for stage, places in active(self._stages, faces):
            touched.update(places)
            with self._timed(done, stage.name), answering(stage):
                acted = stage(seen[places], _joined([changes[i] for i in places]), [faces[i] for i in places])
                for i, one in zip(places, _apart(_checked(stage, acted)), strict=True):
                    changes[i] = one
        with self._timed(done, "blend"):
            return [_within_rim(one) if i in touched else one for i, one in enumerate(changes)], touched

    @staticmethod
    def _blend(done: FrameResult, canvas: DeviceCanvas, faces: Sequence[tuple[FaceCrop, Change]]) -> None:
        """What a face changes by lies in its crop, which is aligned alike in every frame: the face takes it along."""
        moved = [
            canvas.field(face.matrix, change.displacement[0] * face.fade)
            for face, change in faces
            if change.displacement is not None
        ]
        canvas.displace([field for field in moved if field is not None])
        # Smallest first: where faces overlap, the larger one, nearer to the camera, has the last word.
        for face, change in reversed(faces):
            canvas.add(face.matrix, change.added * face.fade)
        done.picture = HostPicture(canvas.picture())

    def _recalled(self, now: Tensor, lasts: Sequence[LastResult], at: float) -> Tensor | None:
        """The network's last pictures, as `now`; what is seen now where there is none, or only an old one.

        None for a network without a memory.
        """
        if not self._enhancer.memory:
            return None

        def recalled(last: LastResult, seen: Tensor) -> Tensor:
            picture: Tensor | None = last.picture if last.fresh(at) else None
            return seen if picture is None or picture.shape != seen.shape else picture

        return torch.stack([recalled(last, seen) for last, seen in zip(lasts, now, strict=True)])

    @contextmanager
    def _timed(self, done: FrameResult, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        with exclusive(self._device), torch.inference_mode():
            yield
            synchronize(self._device)
        done.took(stage, (time.perf_counter() - start) * 1e3)


def _joined(changes: Sequence[Change]) -> Change:
    """The changes of several faces as one; those that move nothing are moved by zero where others are moved."""
    moves = [one.displacement for one in changes]
    added = torch.cat([one.added for one in changes])
    if all(move is None for move in moves):
        return Change(added)
    still = torch.zeros_like(added[:1, :2])
    return Change(added, torch.cat([still if move is None else move for move in moves]))


def _apart(changes: Change) -> list[Change]:
    """The opposite of `_joined`."""
    moves = changes.displacement
    return [Change(added[None], None if moves is None else moves[i : i + 1]) for i, added in enumerate(changes.added)]


def _checked(stage: Stage, change: Change) -> Change:
    """The change, if all of it is finite."""
    total = change.added.sum() if change.displacement is None else change.added.sum() + change.displacement.sum()
    if not torch.isfinite(total):
        raise StageError(stage, NOT_FINITE)
    return change


def _within_rim(change: Change) -> Change:
    mask = rim_on(change.added.shape[-1], change.added.device)
    return Change(change.added * mask, None if change.displacement is None else change.displacement * mask)


def enhance_whole(enhancer: Enhancer, frame: Tensor, previous: Tensor | None = None, *, launch: bool = False) -> Tensor:
    """A frame (1 x 3 x H x W) as the network sees it, in the same shape; see `gpen_live.engine.paths.whole`.

    `launch`: see `Enhancer.launch`; what is not a finite number is then not one in the picture either.
    """
    run: Run = _launching(enhancer) if launch else enhancer
    height, width = frame.shape[-2:]
    if enhancer.stride is not None:
        top, bottom, left, right = rim(height, width, enhancer.stride)

        def continued(picture: Tensor) -> Tensor:
            return functional.pad(picture, (left, right, top, bottom), mode="replicate")

        picture = run(continued(frame), None if previous is None else continued(previous))
        return picture[:, :, top : top + height, left : left + width]
    small, (top, bottom, left, right) = fitting(Size(width, height), enhancer.size)
    fitted = functional.interpolate(frame, (small.height, small.width), mode="bilinear", align_corners=False, antialias=True)
    square = functional.pad(fitted, (left, right, top, bottom), mode="replicate")
    picture = run(square, None)[:, :, top : top + small.height, left : left + small.width]
    return functional.interpolate(picture, (height, width), mode="bicubic", align_corners=False, antialias=True).clamp_(-1, 1)


def _launching(enhancer: Enhancer) -> Run:
    def run(pictures: Tensor, previous: Tensor | None = None) -> Tensor:
        return clamped(enhancer.launch(pictures, previous))

    return run


def clamped(pictures: Tensor) -> Tensor:
    """A network's pictures within [-1, 1], float32; what is not finite becomes NaN: clamped, nobody would find it any more."""
    out = pictures.float()
    return out.clamp(-1, 1) + (out - out)
