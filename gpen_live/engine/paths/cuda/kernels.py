"""The frame path's own kernels: reducing, cropping, what the network changed, blending with conversion.

Triton's. Imports torch and triton at import time: import this module late, and only where
`gpen_live.engine.paths.base.has_fast_path` says so.
Each does in one pass over memory what `engine.paths.torch_canvas`, `media.pixel_formats` and OpenCV's area reduction do in
several, and gives the same picture within a level.

Frames are H x W x 3, uint8, BGR. `FACE` numbers describe one face (float32):

    0..5    transform from crop pixels to the pixels of the frame after its reduction, row by row
    6       by which whole factor the frame is reduced (by area) before it is sampled: 1 where the crop enlarges
    7..12   transform from frame pixels to the pixels of the change after its reduction, row by row
    13      by which whole factor the change is reduced before it is sampled
    14      weight: levels per unit of a [-1, 1] picture, times strength, times fade
    15, 16  which of its last pictures the network sees, and where its new one goes (not for the kernels)
    17      fade: of all that stages after the network changed
    18      levels per unit of a [-1, 1] picture, times strength (for these stages)

Sizes are no constants to the compiler: one version of each kernel serves all frames, so that no frame waits for a compilation.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gpen_live.engine.paths.cuda.faces import NUMBERS as FACE
from gpen_live.frame import PixelFormat

# How many pixels or tiles one program of a kernel makes; Triton's interpreter, one program after the other, likes fewer of them.
_PIXELS, _TILES = (16384, 16384) if triton.knobs.runtime.interpret else (256, 128)
STAGE_BROKEN = 2
_LAYOUTS = {PixelFormat.BGR: 0, PixelFormat.I420: 1, PixelFormat.NV12: 2}

# Integer BT.601, limited range: OpenCV's coefficients times 2**20 (color_yuv.simd.hpp), so that both ways give the same bytes.
_YR, _YG, _YB = tl.constexpr(269484), tl.constexpr(528482), tl.constexpr(102760)
_UR, _UG, _UB = tl.constexpr(-155188), tl.constexpr(-305135), tl.constexpr(460324)
_VR, _VG, _VB = tl.constexpr(460324), tl.constexpr(-385875), tl.constexpr(-74448)
_LUMA_BIAS = tl.constexpr((16 << 20) + (1 << 19))
_CHROMA_BIAS = tl.constexpr((128 << 20) + (1 << 19))


@triton.jit
def _rounded(value):
    """To the nearest whole number, halves to even: beyond 2**23 a float32 holds whole numbers alone."""
    return (value + 12582912.0) - 12582912.0


@triton.jit(do_not_specialize=["height", "width", "small_h", "small_w", "rows"])
def _reduce(frame, out, height, width, small_h, small_w, rows, TAPS: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < small_h * small_w
    row, column = i // small_w, i % small_w
    scale_y, scale_x = height / small_h, width / small_w
    top, left = row * scale_y, column * scale_x
    bottom, right = tl.minimum(top + scale_y, height), tl.minimum(left + scale_x, width)
    first_y, first_x = tl.floor(top + 1e-3).to(tl.int32), tl.floor(left + 1e-3).to(tl.int32)
    b, g, r = top * 0, top * 0, top * 0
    for dy in range(rows):
        y = first_y + dy
        cover_y = tl.minimum(y + 1.0, bottom) - tl.maximum(y + 0.0, top)
        for dx in tl.static_range(TAPS):
            x = first_x + dx
            cover = cover_y * (tl.minimum(x + 1.0, right) - tl.maximum(x + 0.0, left))
            used = inside & (y < height) & (x < width) & (y < bottom) & (x < right)
            at = frame + (y * width + x) * 3
            cover = tl.where(used, cover, 0.0)
            b += cover * tl.load(at, used, 0).to(tl.float32)
            g += cover * tl.load(at + 1, used, 0).to(tl.float32)
            r += cover * tl.load(at + 2, used, 0).to(tl.float32)
    area = (bottom - top) * (right - left)
    plane = small_h * small_w
    tl.store(out + i, _rounded(b / area), inside)
    tl.store(out + plane + i, _rounded(g / area), inside)
    tl.store(out + 2 * plane + i, _rounded(r / area), inside)


@triton.jit
def _reflected(at, count):
    """A coordinate mirrored at the outer edges (-0.5 and count - 0.5) until it lies in the picture, as grid_sample does."""
    distance = tl.abs(at + 0.5)
    flips = tl.floor(distance / count)
    rest = distance - flips * count
    odd = flips - 2.0 * tl.floor(flips * 0.5) > 0.5
    return tl.minimum(tl.maximum(tl.where(odd, count - rest, rest) - 0.5, 0.0), count - 1.0)


@triton.jit(do_not_specialize=["height", "width", "size"])
def _crop(frame, out, faces, height, width, size, NUMBERS: tl.constexpr, BLOCK: tl.constexpr):
    face = tl.program_id(1)
    numbers = faces + face * NUMBERS
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < size * size
    row, column = (i // size).to(tl.float32), (i % size).to(tl.float32)
    factor = tl.load(numbers + 6).to(tl.int32)
    reduced_h, reduced_w = height // factor, width // factor
    x = tl.load(numbers) * column + tl.load(numbers + 1) * row + tl.load(numbers + 2)
    y = tl.load(numbers + 3) * column + tl.load(numbers + 4) * row + tl.load(numbers + 5)
    x, y = _reflected(x, reduced_w.to(tl.float32)), _reflected(y, reduced_h.to(tl.float32))
    left, top = tl.floor(x), tl.floor(y)
    part_x, part_y = x - left, y - top
    x0, y0 = left.to(tl.int32), top.to(tl.int32)
    x1, y1 = tl.minimum(x0 + 1, reduced_w - 1), tl.minimum(y0 + 1, reduced_h - 1)
    w00, w01 = (1 - part_y) * (1 - part_x), (1 - part_y) * part_x
    w10, w11 = part_y * (1 - part_x), part_y * part_x
    b, g, r = x * 0, x * 0, x * 0
    for dy in range(factor):
        upper, lower = (y0 * factor + dy) * width, (y1 * factor + dy) * width
        for dx in range(factor):
            a00 = frame + (upper + x0 * factor + dx) * 3
            a01 = frame + (upper + x1 * factor + dx) * 3
            a10 = frame + (lower + x0 * factor + dx) * 3
            a11 = frame + (lower + x1 * factor + dx) * 3
            b += w00 * tl.load(a00, inside, 0) + w01 * tl.load(a01, inside, 0)
            b += w10 * tl.load(a10, inside, 0) + w11 * tl.load(a11, inside, 0)
            g += w00 * tl.load(a00 + 1, inside, 0) + w01 * tl.load(a01 + 1, inside, 0)
            g += w10 * tl.load(a10 + 1, inside, 0) + w11 * tl.load(a11 + 1, inside, 0)
            r += w00 * tl.load(a00 + 2, inside, 0) + w01 * tl.load(a01 + 2, inside, 0)
            r += w10 * tl.load(a10 + 2, inside, 0) + w11 * tl.load(a11 + 2, inside, 0)
    unit = 1.0 / (127.5 * factor * factor)
    plane = size * size
    to = out + face * 3 * plane + i
    tl.store(to, r * unit - 1.0, inside)
    tl.store(to + plane, g * unit - 1.0, inside)
    tl.store(to + 2 * plane, b * unit - 1.0, inside)


@triton.jit(do_not_specialize=["size", "step_n", "step_c", "step_y", "step_x"])
def _levels(
    crops, pictures, mask, out, faces, broken, size, step_n, step_c, step_y, step_x, NUMBERS: tl.constexpr, BLOCK: tl.constexpr
):
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = size * size
    inside = i < plane
    row, column = i // size, i % size
    weight = tl.load(faces + face * NUMBERS + 18) * tl.load(mask + i, inside, 0.0)
    for channel in tl.static_range(3):
        at = face * step_n + channel * step_c + row * step_y + column * step_x
        picture = tl.load(pictures + at, inside, 0.0).to(tl.float32)
        finite = tl.abs(picture) < 3e38  # neither infinite, nor no number
        tl.store(broken + i * 0, 1, inside & ~finite)
        there = (face * 3 + channel) * plane + i
        change = tl.minimum(tl.maximum(picture, -1.0), 1.0) - tl.load(crops + there, inside, 0.0)
        tl.store(out + there, tl.where(finite, change * weight, 0.0), inside)


@triton.jit(do_not_specialize=["size", "step_n", "step_c", "step_y", "step_x"])
def _change(
    crops,
    pictures,
    moves,
    mask,
    out,
    moved,
    faces,
    broken,
    size,
    step_n,
    step_c,
    step_y,
    step_x,
    NUMBERS: tl.constexpr,
    STAGED: tl.constexpr,
    MOVED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row, column = i // size, i % size
    factor = tl.load(faces + face * NUMBERS + 13).to(tl.int32)
    if STAGED:
        weight = tl.load(faces + face * NUMBERS + 17) / (factor * factor)
    else:
        weight = tl.load(faces + face * NUMBERS + 14) / (factor * factor)
    small = size // factor
    inside = (row < small) & (column < small)
    plane = size * size
    for channel in tl.static_range(3):
        total = row * 0.0
        for dy in range(factor):
            for dx in range(factor):
                y, x = row * factor + dy, column * factor + dx
                at = y * size + x
                picture = tl.load(pictures + face * step_n + channel * step_c + y * step_y + x * step_x, inside, 0.0)
                picture = picture.to(tl.float32)
                tl.store(broken + i * 0, 2 if STAGED else 1, inside & ~(tl.abs(picture) < 3e38))  # also true of what is no number
                if STAGED:
                    total += picture * tl.load(mask + at, inside, 0.0)
                else:
                    seen = tl.load(crops + (face * 3 + channel) * plane + at, inside, 0.0)
                    picture = tl.minimum(tl.maximum(picture, -1.0), 1.0)
                    total += (picture - seen) * tl.load(mask + at, inside, 0.0)
        tl.store(out + (face * 3 + channel) * plane + i, total * weight, inside)
    if MOVED:
        for axis in tl.static_range(2):
            total = row * 0.0
            for dy in range(factor):
                for dx in range(factor):
                    at = (row * factor + dy) * size + column * factor + dx
                    total += tl.load(moves + (face * 2 + axis) * plane + at, inside, 0.0) * tl.load(mask + at, inside, 0.0)
            tl.store(moved + (face * 2 + axis) * plane + i, total * weight, inside)


@triton.jit
def _level(value):
    return tl.minimum(tl.maximum(_rounded(value), 0.0), 255.0)


@triton.jit
def _put(bgr, planes, b, g, r, x, y, inside, height, width, CHROMA: tl.constexpr, LAYOUT: tl.constexpr):
    """Stores one pixel of each 2 x 2 tile, in BGR and in the sink's pixel_format; the upper left one gives the tile's colour."""
    to = bgr + (y * width + x) * 3
    real = inside & (y < height) & (x < width)
    tl.store(to, b.to(tl.uint8), real)
    tl.store(to + 1, g.to(tl.uint8), real)
    tl.store(to + 2, r.to(tl.uint8), real)
    if LAYOUT != 0:
        even_h, even_w = (height + 1) // 2 * 2, (width + 1) // 2 * 2
        bi, gi, ri = b.to(tl.int32), g.to(tl.int32), r.to(tl.int32)
        luma = (_YR * ri + _YG * gi + _YB * bi + _LUMA_BIAS) >> 20
        tl.store(planes + y * even_w + x, luma.to(tl.uint8), inside)
        if CHROMA:
            u = (_UR * ri + _UG * gi + _UB * bi + _CHROMA_BIAS) >> 20
            v = (_VR * ri + _VG * gi + _VB * bi + _CHROMA_BIAS) >> 20
            if LAYOUT == 2:
                to_u = planes + even_h * even_w + (y // 2) * even_w + x
                to_v = to_u + 1
            else:
                to_u = planes + even_h * even_w + (y // 2) * (even_w // 2) + x // 2
                to_v = to_u + even_h * even_w // 4
            tl.store(to_u, u.to(tl.uint8), inside)
            tl.store(to_v, v.to(tl.uint8), inside)


@triton.jit
def _added(plane, x0, y0, part_x, part_y, small, size, inside):
    """One channel of the change between four of its pixels; zero beyond its border."""
    left, right = (x0 >= 0) & (x0 < small), (x0 >= -1) & (x0 < small - 1)
    up, down = inside & (y0 >= 0) & (y0 < small), inside & (y0 >= -1) & (y0 < small - 1)
    at = plane + y0 * size + x0
    upper = (1 - part_x) * tl.load(at, up & left, 0.0) + part_x * tl.load(at + 1, up & right, 0.0)
    lower = (1 - part_x) * tl.load(at + size, down & left, 0.0) + part_x * tl.load(at + size + 1, down & right, 0.0)
    return (1 - part_y) * upper + part_y * lower


@triton.jit
def _sampled(frame, x0, x1, y0, y1, part_x, part_y, width, channel, inside):
    """One channel of the frame between four of its pixels."""
    upper = (1 - part_x) * tl.load(frame + (y0 * width + x0) * 3 + channel, inside, 0).to(tl.float32)
    upper += part_x * tl.load(frame + (y0 * width + x1) * 3 + channel, inside, 0).to(tl.float32)
    lower = (1 - part_x) * tl.load(frame + (y1 * width + x0) * 3 + channel, inside, 0).to(tl.float32)
    lower += part_x * tl.load(frame + (y1 * width + x1) * 3 + channel, inside, 0).to(tl.float32)
    return _level((1 - part_y) * upper + part_y * lower)


@triton.jit
def _looked_up(frame, x, y, width, height, inside):
    """The frame's levels (B, G, R) at positions between its pixels; beyond its border those of the border."""
    x = tl.minimum(tl.maximum(x, 0.0), width - 1.0)
    y = tl.minimum(tl.maximum(y, 0.0), height - 1.0)
    left, top = tl.floor(x), tl.floor(y)
    x0, y0 = left.to(tl.int32), top.to(tl.int32)
    x1, y1 = tl.minimum(x0 + 1, width - 1), tl.minimum(y0 + 1, height - 1)
    part_x, part_y = x - left, y - top
    b = _sampled(frame, x0, x1, y0, y1, part_x, part_y, width, 0, inside)
    g = _sampled(frame, x0, x1, y0, y1, part_x, part_y, width, 1, inside)
    r = _sampled(frame, x0, x1, y0, y1, part_x, part_y, width, 2, inside)
    return b, g, r


@triton.jit
def _placed(numbers, x, y, small, inside):
    """Where pixels of the frame lie in the change, as whole pixels and the rest, and which are near it at all."""
    to_x = tl.load(numbers + 7) * x + tl.load(numbers + 8) * y + tl.load(numbers + 9)
    to_y = tl.load(numbers + 10) * x + tl.load(numbers + 11) * y + tl.load(numbers + 12)
    near = inside & (to_x > -1) & (to_x < small) & (to_y > -1) & (to_y < small)
    to_x, to_y = tl.where(near, to_x, 0.0), tl.where(near, to_y, 0.0)
    left, top = tl.floor(to_x), tl.floor(to_y)
    return left.to(tl.int32), top.to(tl.int32), to_x - left, to_y - top, near


@triton.jit(do_not_specialize=["height", "width", "size", "count"])
def _finish(
    frame,
    change,
    moved,
    faces,
    bgr,
    planes,
    height,
    width,
    size,
    count,
    NUMBERS: tl.constexpr,
    MOVED: tl.constexpr,
    LAYOUT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    tile = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    across = (width + 1) // 2
    inside = tile < across * ((height + 1) // 2)
    for corner in tl.static_range(4):
        y, x = tile // across * 2 + corner // 2, tile % across * 2 + corner % 2
        # Odd sides are continued by a row or a column.
        from_y, from_x = tl.minimum(y, height - 1), tl.minimum(x, width - 1)
        if MOVED:
            look_x, look_y = from_x.to(tl.float32), from_y.to(tl.float32)
            for face in range(count):
                numbers = faces + face * NUMBERS
                factor = tl.load(numbers + 13)
                small = size // factor.to(tl.int32)
                x0, y0, part_x, part_y, near = _placed(numbers, from_x, from_y, small, inside)
                plane = moved + face * 2 * size * size
                crop_x = _added(plane, x0, y0, part_x, part_y, small, size, near)
                crop_y = _added(plane + size * size, x0, y0, part_x, part_y, small, size, near)
                a, c = tl.load(numbers + 7) * factor, tl.load(numbers + 8) * factor
                d, e = tl.load(numbers + 10) * factor, tl.load(numbers + 11) * factor
                turned = 1.0 / (a * e - c * d)
                look_x += (e * crop_x - c * crop_y) * turned
                look_y += (a * crop_y - d * crop_x) * turned
            b, g, r = _looked_up(frame, look_x, look_y, width, height, inside)
        else:
            at = frame + (from_y * width + from_x) * 3
            b = tl.load(at, inside, 0).to(tl.float32)
            g = tl.load(at + 1, inside, 0).to(tl.float32)
            r = tl.load(at + 2, inside, 0).to(tl.float32)
        for later in range(count):
            face = count - 1 - later  # the largest has the last word
            numbers = faces + face * NUMBERS
            small = size // tl.load(numbers + 13).to(tl.int32)
            x0, y0, part_x, part_y, near = _placed(numbers, from_x, from_y, small, inside)
            plane = change + face * 3 * size * size
            r = _level(r + _added(plane, x0, y0, part_x, part_y, small, size, near))
            g = _level(g + _added(plane + size * size, x0, y0, part_x, part_y, small, size, near))
            b = _level(b + _added(plane + 2 * size * size, x0, y0, part_x, part_y, small, size, near))
        _put(bgr, planes, b, g, r, x, y, inside, height, width, corner == 0, LAYOUT)


@triton.jit
def _mixed(level, picture, weight, broken, inside):
    picture = picture.to(tl.float32)
    tl.store(broken + (level * 0).to(tl.int32), 1, inside & ~(tl.abs(picture) < 3e38))
    picture = tl.minimum(tl.maximum(picture, -1.0), 1.0)
    return _level(level + weight * (picture - (level / 127.5 - 1.0)))


@triton.jit(do_not_specialize=["height", "width", "step_c", "step_y", "step_x"])
def _finish_whole(
    frame,
    picture,
    faces,
    bgr,
    planes,
    broken,
    height,
    width,
    step_c,
    step_y,
    step_x,
    LAYOUT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    tile = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    across = (width + 1) // 2
    inside = tile < across * ((height + 1) // 2)
    weight = tl.load(faces + 14)
    for corner in tl.static_range(4):
        y, x = tile // across * 2 + corner // 2, tile % across * 2 + corner % 2
        from_y, from_x = tl.minimum(y, height - 1), tl.minimum(x, width - 1)
        at = frame + (from_y * width + from_x) * 3
        new = picture + from_y * step_y + from_x * step_x
        b = _mixed(tl.load(at, inside, 0).to(tl.float32), tl.load(new + 2 * step_c, inside, 0.0), weight, broken, inside)
        g = _mixed(tl.load(at + 1, inside, 0).to(tl.float32), tl.load(new + step_c, inside, 0.0), weight, broken, inside)
        r = _mixed(tl.load(at + 2, inside, 0).to(tl.float32), tl.load(new, inside, 0.0), weight, broken, inside)
        _put(bgr, planes, b, g, r, x, y, inside, height, width, corner == 0, LAYOUT)


def reduce(frame: Tensor, out: Tensor) -> None:
    """The frame reduced by area, as OpenCV's INTER_AREA: `out` is 1 x 3 x h x w, float32, BGR in whole levels; h <= H, w <= W."""
    height, width = frame.shape[:2]
    small_h, small_w = out.shape[-2:]
    rows, taps = (
        big // small if big % small == 0 else -(-big // small) + 1 for big, small in ((height, small_h), (width, small_w))
    )
    grid = (triton.cdiv(small_h * small_w, _TILES),)
    _reduce[grid](frame, out, height, width, small_h, small_w, rows, TAPS=taps, BLOCK=_TILES)


def crop(frame: Tensor, faces: Tensor, out: Tensor) -> None:
    """Crops of all faces (N x FACE): `out` is N x 3 x S x S, float32 RGB in [-1, 1]; mirrored beyond the frame's border."""
    count, size = out.shape[0], out.shape[-1]
    grid = (triton.cdiv(size * size, _PIXELS), count)
    _crop[grid](frame, out, faces, frame.shape[0], frame.shape[1], size, NUMBERS=FACE, BLOCK=_PIXELS)


def levels(crops: Tensor, pictures: Tensor, mask: Tensor, faces: Tensor, out: Tensor, broken: Tensor) -> None:
    """What the network changed, in levels, for stages: (picture - crop) x mask x strength, zero where it is not finite.

    Args:
        crops, out: N x 3 x S x S, float32. pictures: the network's, of that shape, any float type and strides, clamped here.
        mask: S x S, float32.
        broken: one byte, set to 1 where any value of the pictures is not finite.
    """
    count, size = crops.shape[0], crops.shape[-1]
    grid = (triton.cdiv(size * size, _PIXELS), count)
    _levels[grid](crops, pictures, mask, out, faces, broken, size, *pictures.stride(), NUMBERS=FACE, BLOCK=_PIXELS)


def change(
    crops: Tensor,
    pictures: Tensor,
    mask: Tensor,
    faces: Tensor,
    out: Tensor,
    broken: Tensor,
    *,
    staged: bool = False,
    moves: Tensor | None = None,
    moved: Tensor | None = None,
) -> None:
    """What was changed, in levels: (picture - crop) x mask x weight, reduced by area where the frame will shrink it.

    Args:
        crops: N x 3 x S x S, float32. pictures: the network's, the same shape, any float type and strides; clamped to [-1, 1].
        mask: S x S, float32.
        out: N x 3 x S x S, float32; the change lies in its upper left (S // factor) x (S // factor) pixels, with rows of S.
        broken: one byte, set to 1 where any value of the pictures is not finite, or to 2 if they are `staged`.
        staged: `pictures` are changes already, in levels: they are masked and faded.
        moves: N x 2 x S x S, float32, a displacement in crop pixels; `moved` then gets it masked, faded and reduced, as `out`.
    """
    count, size = crops.shape[0], crops.shape[-1]
    grid = (triton.cdiv(size * size, _PIXELS), count)
    _change[grid](
        crops, pictures, crops if moves is None else moves, mask, out, out if moved is None else moved, faces, broken,
        size, *pictures.stride(), NUMBERS=FACE, STAGED=staged, MOVED=moves is not None, BLOCK=_PIXELS,
    )  # fmt: skip


def finish(
    frame: Tensor,
    changes: Tensor,
    faces: Tensor,
    bgr: Tensor,
    planes: Tensor,
    pixel_format: PixelFormat,
    moved: Tensor | None = None,
) -> None:
    """The frame with all changes (as `change` leaves them) added, smallest face first: in BGR and in the sink's pixel_format.

    `bgr` is of the frame's shape; `planes` is (H*3/2) x W bytes with even sides, not touched where the pixel_format is BGR.
    `moved`: displacements, as `change` leaves them; each pixel then shows what was where they point, and gets its changes there.
    """
    height, width = frame.shape[:2]
    grid = (triton.cdiv(((height + 1) // 2) * ((width + 1) // 2), _TILES),)
    count, size = changes.shape[0], changes.shape[-1]
    _finish[grid](
        frame, changes, changes if moved is None else moved, faces, bgr, planes, height, width, size, count,
        NUMBERS=FACE, MOVED=moved is not None, LAYOUT=_LAYOUTS[pixel_format], BLOCK=_TILES,
    )  # fmt: skip


def finish_whole(
    frame: Tensor,
    picture: Tensor,
    faces: Tensor,
    bgr: Tensor,
    planes: Tensor,
    broken: Tensor,
    pixel_format: PixelFormat,
) -> None:
    """The frame mixed with the network's picture of all of it (1 x 3 x H x W, RGB in [-1, 1], any strides) by the weight.

    `bgr` may be the frame itself, where that is the pixel_format.
    """
    height, width = frame.shape[:2]
    grid = (triton.cdiv(((height + 1) // 2) * ((width + 1) // 2), _TILES),)
    _finish_whole[grid](
        frame, picture, faces, bgr, planes, broken, height, width, *picture.stride()[1:],
        LAYOUT=_LAYOUTS[pixel_format], BLOCK=_TILES,
    )  # fmt: skip


def whole(frame: Tensor, out: Tensor) -> None:
    """The frame as a network takes it: `out` is 1 x 3 x H x W, float32 RGB in [-1, 1]."""
    out.copy_(frame.permute(2, 0, 1).flip(0)[None])
    torch.sub(out.div_(127.5), 1.0, out=out)


def warm_up(device: torch.device) -> None:
    """Compiles the kernels (seconds the first time on a machine; Triton keeps the result) and checks one of them.

    Raises:
        RuntimeError, or any error of Triton's: they don't run here.
    """
    for factor in (12, 8, 5, 3, 4, 2, 6):  # of usual frames to the detector's 320 pixels
        frame = torch.full((2 * factor, 2 * factor, 3), 100, dtype=torch.uint8, device=device)
        small = torch.zeros(1, 3, 2, 2, device=device)
        reduce(frame, small)
        if not bool((small == 100).all()):
            raise RuntimeError("a kernel of the frame path gives wrong results")
    faces = torch.zeros(1, FACE, device=device)
    faces[:, [0, 4, 6, 7, 11, 13]] = 1.0
    crops, mask, broken = torch.zeros(1, 3, 8, 8, device=device), torch.zeros(8, 8, device=device), torch.zeros_like(frame[0, 0])
    crop(frame, faces, crops)
    bgr, planes = torch.zeros_like(frame), torch.zeros(18, 12, dtype=torch.uint8, device=device)
    for dtype in (torch.float32, torch.float16):
        change(crops, crops.to(dtype), mask, faces, torch.zeros_like(crops), broken)
    for pixel_format in PixelFormat:
        finish(frame, crops, faces, bgr, planes, pixel_format)
        finish_whole(frame, torch.zeros(1, 3, 12, 12, device=device), faces, bgr, planes, broken, pixel_format)
