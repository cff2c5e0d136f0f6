"""One photo: each face at the photo's own resolution, one after the other, without a past or a future."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gpen_live.engine.paths.base import open_canvas
from gpen_live.engine.paths.geometry import scale_of
from gpen_live.engine.paths.host_canvas import Floats, HostCanvas, levels, planes
from gpen_live.engine.paths.mask import face_mask, rim_mask
from gpen_live.engine.paths.staged import NOT_FINITE, active, answering
from gpen_live.engine.result import WHOLE, Change, FaceCrop, Stage, StageError
from gpen_live.faces.align import Matrix, Points, to_template
from gpen_live.faces.state import LastResult
from gpen_live.frame import Image
from gpen_live.inference.host import HostEnhancer
from gpen_live.look import Look

if TYPE_CHECKING:
    from gpen_live.inference.enhancer import Enhancer

    AnyEnhancer = HostEnhancer | Enhancer

SIDES = (256, 384, 512, 768, 1024, 1536, 2048)
"""Sides of the crops that stages draw in: the first that holds a face as large as it is in the photo."""

LOOKS = 3
"""How often a stage sees a face, as if it held still: what it remembers of it settles, and only the last counts."""

_STEP_S = 1 / 30


def enhance_faces(
    image: Image,
    enhancer: AnyEnhancer,
    faces: Sequence[Points],
    look: Look,
    stages: Sequence[Stage] = (),
    finished: Callable[[], None] = lambda: None,
) -> Image:
    """A photo with its faces as `look` says; where they overlap, the larger one has the last word.

    The network works at its own size. What it changed is enlarged to the face's size in the photo, where stages draw: so lines
    and pores are as sharp as the photo.

    Args:
        image: H x W x 3, uint8, BGR; never written to.
        faces: landmarks (5 x 2, pixels) of each, the largest first.
        stages: for the host, whatever the network runs on.
        finished: called after each face.

    Raises:
        NetworkError, StageError: one failed.
    """
    crops = [FaceCrop(to_template(face, enhancer.size, enhancer.template), 1.0, look, LastResult()) for face in faces]
    if not active(stages, crops):
        return _by_network(image, enhancer, crops, finished)
    canvas = HostCanvas(image)
    drawn: list[tuple[Matrix, Change]] = []
    for face in crops:
        drawn.append(_drawn(canvas, enhancer, face, stages))
        finished()
    fields = [canvas.field(matrix, change.displacement) for matrix, change in drawn if change.displacement is not None]
    canvas.displace([field for field in fields if field is not None])
    for matrix, change in reversed(drawn):
        canvas.add(matrix, change.added, drawn=True)
    return canvas.picture()


def enhance_aligned(image: Image, enhancer: AnyEnhancer, look: Look, stages: Sequence[Stage] = ()) -> Image:
    """A picture of the network's size that holds nothing but an aligned face, as `look` says, without masks.

    Raises:
        NetworkError, StageError: one failed.
    """
    canvas = HostCanvas(image)
    face = FaceCrop(WHOLE, 1.0, look, LastResult())
    change = _staged(image, Change(_networked(image, enhancer, look)), face, stages)
    if change.displacement is not None:
        field = canvas.field(WHOLE, change.displacement)
        canvas.displace([] if field is None else [field])
    canvas.add_whole(change.added)
    return canvas.picture()


def _by_network(image: Image, enhancer: AnyEnhancer, faces: Sequence[FaceCrop], finished: Callable[[], None]) -> Image:
    """The faces with what the network changes alone, on its device."""
    canvas = open_canvas(image, enhancer.device)
    for face in reversed(faces):
        crop = canvas.crop(face.matrix, enhancer.size)
        canvas.blend(face.matrix, (enhancer(crop) - crop) * face.look.strength)
        finished()
    return canvas.picture()


def _drawn(canvas: HostCanvas, enhancer: AnyEnhancer, face: FaceCrop, stages: Sequence[Stage]) -> tuple[Matrix, Change]:
    """The transform to a crop of the face's size in the photo, and what is to become of that crop, masked."""
    enlarged = enhancer.size / scale_of(face.matrix)
    side = next((side for side in SIDES if side >= enlarged), SIDES[-1])
    way = cv2.INTER_CUBIC if side > enhancer.size else cv2.INTER_AREA
    added = cv2.resize(_networked(canvas.seen(face.matrix, enhancer.size), enhancer, face.look), (side, side), interpolation=way)
    added = np.asarray(added * face_mask(side)[:, :, None], np.float32)
    matrix = _scaled(face.matrix, side / enhancer.size)
    change = _staged(canvas.seen(matrix, side), Change(added), replace(face, matrix=matrix), stages)
    rim = rim_mask(side)[:, :, None]
    return matrix, Change(change.added * rim, None if change.displacement is None else change.displacement * rim)


def _scaled(matrix: Matrix, by: float) -> Matrix:
    """The transform to a crop of another size, whose pixels are those of the first one resized: corners meet, not centres."""
    scaled = matrix * by
    scaled[:, 2] += (by - 1) / 2
    return scaled


def _networked(seen: Image, enhancer: AnyEnhancer, look: Look) -> Floats:
    """What the network adds to a crop of its size, in levels: size x size x 3, BGR."""
    if look.strength == 0:
        return np.zeros(seen.shape, np.float32)
    crop = planes(seen)[None]
    if isinstance(enhancer, HostEnhancer):
        picture = enhancer(crop)
    else:
        import torch

        picture = enhancer(torch.from_numpy(crop).to(enhancer.device.torch())).cpu().numpy()
    return levels(picture[0] - crop[0], 127.5 * look.strength)


def _staged(seen: Image, change: Change, face: FaceCrop, stages: Sequence[Stage]) -> Change:
    for stage, _ in active(stages, [face]):
        with answering(stage):
            given = change
            for number in range(LOOKS):
                change = stage(seen, given, replace(face, at=number * _STEP_S))
            if not all(part is None or np.isfinite(part).all() for part in (change.added, change.displacement)):
                raise StageError(stage, NOT_FINITE)
    return change
