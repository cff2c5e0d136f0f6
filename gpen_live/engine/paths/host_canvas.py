"""A frame on the processor, from which crops are taken and into which their changes are blended: OpenCV on the part that counts.

What a network changed (its picture minus the crop that it was given), times the mask, is taken back into the frame by the inverse
transform and added. So a network that changes nothing leaves the frame bit-identical, and a frame sharper than the network keeps
the detail that the crop could not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.engine.paths.geometry import Box, covered, scale_of, shrink_of
from gpen_live.engine.paths.mask import face_mask, mask_support, rim_mask
from gpen_live.faces.align import Matrix, invert
from gpen_live.frame import Array, Image, Size

Floats = npt.NDArray[np.float32]
Pixels = cv2.typing.MatLike
Field = tuple[Box, Floats]
"""A displacement: a part of the frame, and where in the frame each of its pixels looks, h x w x 2 (x, y), in frame pixels."""

_NODES = 128  # of a displacement along a crop's side: what is finer than that it does not hold
_STILL = 1 / 64  # crop pixels: what moves by less looks at the same 1/32 of a pixel, as OpenCV samples
_ZERO = 128  # how a change of nothing is written as a byte
_MOST = 127.0


class HostCanvas:
    """One frame. It is never written to: what is finished is a copy, made when something changes."""

    def __init__(self, image: Image) -> None:
        self._original = image
        self._image = image

    def seen(self, matrix: Matrix, size: int) -> Image:
        """The crop for the frame-to-crop transform `matrix`, as it is in the frame: size x size x 3, uint8, BGR."""
        return np.asarray(warp(self._original, matrix, Size(size, size), border=cv2.BORDER_REFLECT), np.uint8)

    def crop(self, matrix: Matrix, size: int) -> Floats:
        """The same as a network takes it: 1 x 3 x size x size, float32, RGB in [-1, 1]."""
        return planes(self.seen(matrix, size))[None]

    def whole(self) -> Floats:
        """The frame as a network takes it: 1 x 3 x H x W, float32, RGB in [-1, 1]."""
        return planes(self._original)[None]

    def blend(self, matrix: Matrix, change: Floats) -> None:
        """Adds `change` (1 x 3 x S x S, in units of [-1, 1] pictures), masked and warped back, to the frame."""
        self.add(matrix, levels(change[0], 127.5) * mask_of_three(change.shape[-1]))

    def blend_whole(self, change: Floats) -> None:
        """Adds `change` (1 x 3 x H x W, in units of [-1, 1] pictures) to every pixel."""
        self.add_whole(levels(change[0], 127.5))

    def displace(self, fields: Sequence[Field]) -> None:
        """Lets pixels show what is elsewhere in the frame, bilinear; where parts overlap, their displacements add up.

        To be done before anything is added.
        """
        for box, field in fields:
            x0, y0, x1, y1 = box
            looks = field
            for other in fields:
                if other[0] is not box:
                    looks = looks.copy() if looks is field else looks
                    _add_where_they_meet(looks, box, other)
            nothing = np.empty(0, np.float32)  # both coordinates are in `looks`
            shown = cv2.remap(self._original, looks, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            self._writable()[y0:y1, x0:x1] = shown

    def field(self, matrix: Matrix, displacement: Floats, fade: float = 1.0) -> Field | None:
        """A crop's displacement (S x S x 2, in its pixels, zero at its border) times `fade` in the frame; None for nothing there.

        It is worked out for one in several of the frame's pixels, less than a percent of the crop apart, and is linear between
        them: so are the places themselves, and a place where nothing moves is exactly its own.
        """
        part = _moving(displacement)
        box = None if part is None else covered(matrix, part, Size.of(self._original))
        if box is None:
            return None
        back = invert(matrix)
        step = max(1, int(scale_of(back) * displacement.shape[0] / _NODES))
        x0, y0, x1, y1 = box
        columns, rows = -(-(x1 - x0) // step), -(-(y1 - y0) // step)
        # Node i is in the middle of `step` pixels, of which the first is box + (i - 1) * step: there is one more on each side.
        first = np.array([x0, y0]) + (step - 1) / 2 - step
        onto = back.copy()
        onto[:, 2] -= first
        onto /= step
        nodes = Size(columns + 2, rows + 2)
        moved = warp(displacement, onto, nodes, border=cv2.BORDER_CONSTANT)
        looks = np.asarray(cv2.transform(moved, np.asarray(back[:, :2] * fade, np.float32)), np.float32)
        looks[:, :, 0] += np.arange(nodes.width, dtype=np.float32) * np.float32(step) + np.float32(first[0])
        looks[:, :, 1] += (np.arange(nodes.height, dtype=np.float32) * np.float32(step) + np.float32(first[1]))[:, None]
        if step > 1:
            size = (nodes.width * step, nodes.height * step)
            looks = np.asarray(cv2.resize(looks, size, interpolation=cv2.INTER_LINEAR), np.float32)
        return box, looks[step : step + y1 - y0, step : step + x1 - x0]

    def add(self, matrix: Matrix, added: Floats, fade: float = 1.0, *, drawn: bool = False) -> None:
        """Adds a masked change (S x S x 3, levels, BGR) times `fade`, warped back, to the frame.

        `drawn`: it is not zero within the face mask alone, but up to the crop's rim.
        """
        size = added.shape[0]
        placed = self._placed(matrix, size, (0, 0, size, size) if drawn else mask_support(size))
        if placed is None:
            return
        part, box, back = placed
        added, there = _part_of(added, part), _size_of(box)
        patch = _part_of(self._writable(), box)
        if shrink_of(back) > 1 or cv2.norm(added, cv2.NORM_INF) * fade > _MOST:
            more = warp(added * np.float32(fade), back, there, border=cv2.BORDER_CONSTANT)
            cv2.add(patch, more, dst=patch, dtype=cv2.CV_8U)
            return
        # Bytes are warped in half the time of floats, and are within a level of them: for what is added is a whole number anyway.
        as_bytes = cv2.addWeighted(added, fade, added, 0, _ZERO, dtype=cv2.CV_8U)
        more = cv2.warpAffine(as_bytes, back, (there.width, there.height), flags=cv2.INTER_LINEAR, borderValue=(_ZERO,) * 3)
        cv2.addWeighted(patch, 1, more, 1, -_ZERO, dst=patch)

    def add_whole(self, added: Floats) -> None:
        """Adds a change of all of the frame: H x W x 3, levels, BGR."""
        frame = self._writable()
        cv2.add(frame, added, dst=frame, dtype=cv2.CV_8U)

    def picture(self) -> Image:
        """The finished frame."""
        return self._image

    def _placed(self, matrix: Matrix, size: int, part: Box) -> tuple[Box, Box, Matrix] | None:
        """The `part` of a crop that is not zero, the part of the frame that it covers, and the transform between the two."""
        back = invert(matrix)
        if shrink_of(back) > 1:  # what is shrunk first must be all of it: a part would be shrunk on another grid
            part = (0, 0, size, size)
        box = covered(matrix, part, Size.of(self._original))
        if box is None:
            return None
        back[:, 2] += back[:, :2] @ part[:2] - box[:2]
        return part, box, back

    def _writable(self) -> Image:
        if self._image is self._original:
            self._image = self._original.copy()
        return self._image


def planes(image: Image, out: Floats | None = None) -> Floats:
    """A picture (H x W x 3, uint8, BGR) as a network takes it: 3 x H x W, float32, RGB in [-1, 1]; in `out`, if it is given."""
    if out is None:
        out = np.empty((3, *image.shape[:2]), np.float32)
    for channel, plane in enumerate(reversed(cv2.split(image))):
        np.divide(plane, 127.5, out=out[channel], dtype=np.float32)
    out -= 1.0
    return out


def levels(change: Floats, scale: float) -> Floats:
    """A change (3 x H x W, RGB) times `scale`: H x W x 3, BGR."""
    red, green, blue = change
    merged = np.asarray(cv2.merge((blue, green, red)), np.float32)
    merged *= np.float32(scale)
    return merged


@cache
def mask_of_three(size: int) -> Floats:
    """The face mask for three channels, size x size x 3: made once, not once a frame."""
    return _repeated(face_mask(size))


@cache
def rim_of_three(size: int) -> Floats:
    """The rim mask for three channels, size x size x 3."""
    return _repeated(rim_mask(size))


def _repeated(mask: Floats) -> Floats:
    three = np.repeat(mask[:, :, None], 3, axis=2)
    three.setflags(write=False)
    return three


def _part_of(pixels: Array, box: Box) -> Array:
    x0, y0, x1, y1 = box
    return pixels[y0:y1, x0:x1]


def _size_of(box: Box) -> Size:
    x0, y0, x1, y1 = box
    return Size(x1 - x0, y1 - y0)


def _moving(displacement: Floats) -> Box | None:
    """The part of a crop that moves at all, and the pixel around it; None where nothing does."""
    size = len(displacement)
    most = np.abs(displacement).reshape(size, -1)  # x and y side by side
    rows = np.flatnonzero(most.max(axis=1) > _STILL)
    columns = np.flatnonzero(most.max(axis=0).reshape(-1, 2).max(axis=1) > _STILL)
    if not len(rows):
        return None
    x0, y0, x1, y1 = (int(one) for one in (columns[0] - 1, rows[0] - 1, columns[-1] + 2, rows[-1] + 2))
    return max(x0, 0), max(y0, 0), min(x1, size), min(y1, size)


def _add_where_they_meet(looks: Floats, box: Box, field: Field) -> None:
    other, more = field
    x0, y0, x1, y1 = max(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), min(box[3], other[3])
    if x0 < x1 and y0 < y1:
        part = looks[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
        part += more[y0 - other[1] : y1 - other[1], x0 - other[0] : x1 - other[0]]
        part[:, :, 0] -= np.arange(x0, x1, dtype=np.float32)
        part[:, :, 1] -= np.arange(y0, y1, dtype=np.float32)[:, None]


def warp(image: Pixels, matrix: Matrix, size: Size, *, border: int) -> Pixels:
    """`image` (H x W x C) under `matrix`, bilinear; where it shrinks, by area first, so that nothing aliases."""
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
