"""What the look's kernels share, in Triton. Imports triton: import this module late.

Maps are planes (N x K x n x n, float32), colours red, green, blue in levels. Axis 0 of a launch is blocks of pixels, axis 1 is
faces. Numbers that a kernel takes as constants, in capitals, are those of `gpen_live.beauty.constants`. `told` are N x TOLD:
the first says in which row lies what is known of a face. `dials` are N x DIALS. Sums over a picture are sums of its blocks'
sums, in one order: the same picture gives the same bits.
"""

from __future__ import annotations

import triton
import triton.language as tl

R, G, B = tl.constexpr(0.299), tl.constexpr(0.587), tl.constexpr(0.114)


@triton.jit
def smoothstep(value, least, most):
    """0 below `least`, 1 above `most`, smooth between."""
    t = tl.minimum(tl.maximum((value - least) / (most - least), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@triton.jit
def luma_of(red, green, blue):
    """Of a colour, by BT.601."""
    return red * R + green * G + blue * B


@triton.jit
def bilinear(source, x, y, side, inside):
    """A map of `side` where pixel coordinates say, which lie in it."""
    x = tl.minimum(tl.maximum(x, 0.0), side - 1.0)
    y = tl.minimum(tl.maximum(y, 0.0), side - 1.0)
    x0, y0 = x.to(tl.int32), y.to(tl.int32)
    x1, y1 = tl.minimum(x0 + 1, side - 1), tl.minimum(y0 + 1, side - 1)
    right, down = x - x0, y - y0
    near = tl.load(source + y0 * side + x0, inside, 0.0) * (1 - right) + tl.load(source + y0 * side + x1, inside, 0.0) * right
    far = tl.load(source + y1 * side + x0, inside, 0.0) * (1 - right) + tl.load(source + y1 * side + x1, inside, 0.0) * right
    return near * (1 - down) + far * down


@triton.jit
def now_at(seen, added, at, inside):
    """The picture so far; a change of the frame before may take more than there is."""
    return tl.maximum(tl.load(seen + at, inside, 0.0) * 127.5 + 127.5 + tl.load(added + at, inside, 0.0), 0.0)


@triton.jit
def colours_at(picture, at, plane, inside):
    """Red, green and blue of a picture's pixels."""
    red = tl.load(picture + at, inside, 0.0)
    return red, tl.load(picture + plane + at, inside, 0.0), tl.load(picture + 2 * plane + at, inside, 0.0)


@triton.jit
def tinted(level, grey, colourful, VIVID, PALEST):
    """A channel of a pigment as it shows in this picture: a pale camera makes it pale too."""
    return grey + tl.minimum(tl.maximum(colourful / VIVID, PALEST), 1.0) * (level - grey)


@triton.jit
def skin_tone(sums, face, BLOCKS: tl.constexpr):
    """The skin's mean luma, log of blue and of red over green, and colourfulness."""
    block = tl.arange(0, BLOCKS)
    weight = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4), axis=0) + 1e-3
    red = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4 + 1), axis=0) / weight
    green = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4 + 2), axis=0) / weight
    blue = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4 + 3), axis=0) / weight
    most, least = tl.maximum(tl.maximum(red, green), blue), tl.minimum(tl.minimum(red, green), blue)
    return (
        luma_of(red, green, blue),
        tl.log((blue + 4) / (green + 4)),
        tl.log((red + 4) / (green + 4)),
        (most - least) / (most + 1),
    )
