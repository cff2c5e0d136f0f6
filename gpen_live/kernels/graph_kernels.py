"""Kernels from which any graph of layers is run. Imports Triton: import it late, and only where Triton is there.

Features lie as pixels x channels (N, H, W, C), C padded to a `LINE`, a multiple of 16; what lies in the padding is finite, and no
weight makes anything of it. Weights lie as inputs x outputs in the features' dtype, padded with zeros to whole blocks. Products
are of the features' dtype and are summed in float32. Every output has one writer, so that the same input gives the same bits.

Axis 0 of a launch is tiles of `PIXELS` pixels of the output, counted through all pictures, axis 1 is blocks of output channels.

Every kernel ends in the same way, where constants say so: plus another map, then an activation, or the other way round. `ends`
has a bias for each output, behind these (after WIDTH numbers) the slopes for what is negative, behind those the scales.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpen_live.kernels.parts import outputs_of, pixels_of, product, write

COPY = tl.constexpr(0)
SHUFFLE = tl.constexpr(1)
UNSHUFFLE = tl.constexpr(2)
NEAREST = tl.constexpr(3)
BILINEAR = tl.constexpr(4)


@triton.jit
def _activated(
    total: tl.tensor, ends: tl.tensor, output: tl.tensor, WIDTH: tl.constexpr, SLOPED: tl.constexpr, SIGMOID: tl.constexpr
) -> tl.tensor:
    if SLOPED:
        total = tl.where(total > 0, total, total * tl.load(ends + WIDTH + output)[None, :])
    if SIGMOID:
        total = 1.0 / (1.0 + tl.exp(-total))
    return total


@triton.jit
def _ended(
    total: tl.tensor,
    ends: tl.tensor,
    other: tl.tensor,
    pixel: tl.tensor,
    inside: tl.tensor,
    output: tl.tensor,
    LINE: tl.constexpr,
    WIDTH: tl.constexpr,
    SLOPED: tl.constexpr,
    SIGMOID: tl.constexpr,
    ADD: tl.constexpr,
    LATE: tl.constexpr,
) -> tl.tensor:
    """Bias, the other map (with ADD; with LATE after the activation) and activation."""
    total += tl.load(ends + output)[None, :]
    if ADD:
        mask = inside[:, None] & (output < LINE)[None, :]
        term = tl.load(other + pixel[:, None] * LINE + output[None, :], mask=mask, other=0.0).to(tl.float32)
        if LATE:
            total = _activated(total, ends, output, WIDTH, SLOPED, SIGMOID) + term
        else:
            total = _activated(total + term, ends, output, WIDTH, SLOPED, SIGMOID)
    else:
        total = _activated(total, ends, output, WIDTH, SLOPED, SIGMOID)
    return total


@triton.jit(do_not_specialize=["pixels", "in_height", "in_width", "height", "width"])
def convolve(
    features: tl.tensor,
    weight: tl.tensor,
    ends: tl.tensor,
    other: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    in_height: tl.tensor,
    in_width: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    TOP: tl.constexpr,
    LEFT: tl.constexpr,
    IN_LINE: tl.constexpr,
    IN_WIDTH: tl.constexpr,
    IN_BLOCK: tl.constexpr,
    OUT_LINE: tl.constexpr,
    OUT_WIDTH: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    GROUP_IN: tl.constexpr,
    GROUP_OUT: tl.constexpr,
    SLOPED: tl.constexpr,
    SIGMOID: tl.constexpr,
    ADD: tl.constexpr,
    LATE: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """A convolution, or a linear layer, as a product of matrices: weight is KERNEL * KERNEL x IN_WIDTH x OUT_WIDTH.

    Of groups, IN_WIDTH holds the inputs of one, GROUP_IN, and a block of outputs is of one group of GROUP_OUT. A loop, not
    unrolled, so that loads run ahead of products.
    """
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    line = pixel // width
    image = line // height
    y = line % height * STRIDE - TOP
    x = pixel % width * STRIDE - LEFT
    output = outputs_of(OUT_BLOCK)
    first = tl.program_id(1) * OUT_BLOCK // GROUP_OUT * GROUP_IN
    source = tl.arange(0, IN_BLOCK)
    total = tl.zeros((PIXELS, OUT_BLOCK), tl.float32)
    for step in range(KERNEL * KERNEL * (IN_WIDTH // IN_BLOCK)):
        tap = step // (IN_WIDTH // IN_BLOCK)
        row = step % (IN_WIDTH // IN_BLOCK) * IN_BLOCK + source
        channel = first + row
        at_y = y + tap // KERNEL
        at_x = x + tap % KERNEL
        near = inside & (at_y >= 0) & (at_y < in_height) & (at_x >= 0) & (at_x < in_width)
        at = ((image * in_height + at_y) * in_width + at_x) * IN_LINE
        mask = near[:, None] & (channel < IN_LINE)[None, :]
        there = tl.load(features + at[:, None] + channel[None, :], mask=mask, other=0.0)
        matrix = tl.load(weight + (tap * IN_WIDTH + row)[:, None] * OUT_WIDTH + output[None, :])
        total = product(there, matrix, total)
    total = _ended(total, ends, other, pixel, inside, output, OUT_LINE, OUT_WIDTH, SLOPED, SIGMOID, ADD, LATE)
    write(out, pixel, inside, output, total, OUT_LINE)


@triton.jit(do_not_specialize=["pixels", "in_height", "in_width", "height", "width"])
def depthwise(
    features: tl.tensor,
    weight: tl.tensor,
    ends: tl.tensor,
    other: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    in_height: tl.tensor,
    in_width: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    TOP: tl.constexpr,
    LEFT: tl.constexpr,
    LINE: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    SLOPED: tl.constexpr,
    SIGMOID: tl.constexpr,
    ADD: tl.constexpr,
    LATE: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """A convolution of each channel by itself: weight is KERNEL * KERNEL x WIDTH."""
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    line = pixel // width
    image = line // height
    y = line % height * STRIDE - TOP
    x = pixel % width * STRIDE - LEFT
    channel = outputs_of(BLOCK)
    total = tl.zeros((PIXELS, BLOCK), tl.float32)
    for tap in range(KERNEL * KERNEL):
        at_y = y + tap // KERNEL
        at_x = x + tap % KERNEL
        near = inside & (at_y >= 0) & (at_y < in_height) & (at_x >= 0) & (at_x < in_width)
        at = ((image * in_height + at_y) * in_width + at_x) * LINE
        mask = near[:, None] & (channel < LINE)[None, :]
        there = tl.load(features + at[:, None] + channel[None, :], mask=mask, other=0.0)
        total += there.to(tl.float32) * tl.load(weight + tap * WIDTH + channel)[None, :].to(tl.float32)
    total = _ended(total, ends, other, pixel, inside, channel, LINE, WIDTH, SLOPED, SIGMOID, ADD, LATE)
    write(out, pixel, inside, channel, total, LINE)


@triton.jit(do_not_specialize=["pixels", "in_height", "in_width", "height", "width"])
def pair(
    features: tl.tensor,
    depth_weight: tl.tensor,
    depth_ends: tl.tensor,
    weight: tl.tensor,
    ends: tl.tensor,
    other: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    in_height: tl.tensor,
    in_width: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    TOP: tl.constexpr,
    LEFT: tl.constexpr,
    IN_LINE: tl.constexpr,
    DEPTH_WIDTH: tl.constexpr,
    MIDDLE: tl.constexpr,
    IN_WIDTH: tl.constexpr,
    IN_BLOCK: tl.constexpr,
    OUT_LINE: tl.constexpr,
    OUT_WIDTH: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    GROUP_IN: tl.constexpr,
    GROUP_OUT: tl.constexpr,
    POOLED: tl.constexpr,
    SLOPED: tl.constexpr,
    SIGMOID: tl.constexpr,
    ADD: tl.constexpr,
    LATE: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """A convolution of each channel by itself, with MIDDLE its activation, and a 1x1 one on that: see `depthwise`, `convolve`.

    POOLED: what is added is the largest value of each 2x2 window of `features`, for the first GROUP_IN outputs of each group.
    """
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    line = pixel // width
    image = line // height
    y = line % height * STRIDE - TOP
    x = pixel % width * STRIDE - LEFT
    output = outputs_of(OUT_BLOCK)
    first = tl.program_id(1) * OUT_BLOCK // GROUP_OUT * GROUP_IN
    total = tl.zeros((PIXELS, OUT_BLOCK), tl.float32)
    for block in tl.static_range(IN_WIDTH // IN_BLOCK):
        row = block * IN_BLOCK + tl.arange(0, IN_BLOCK)
        channel = first + row
        deep = tl.zeros((PIXELS, IN_BLOCK), tl.float32)
        for tap in tl.static_range(KERNEL * KERNEL):
            at_y = y + tap // KERNEL
            at_x = x + tap % KERNEL
            near = inside & (at_y >= 0) & (at_y < in_height) & (at_x >= 0) & (at_x < in_width)
            at = ((image * in_height + at_y) * in_width + at_x) * IN_LINE
            mask = near[:, None] & (channel < IN_LINE)[None, :]
            there = tl.load(features + at[:, None] + channel[None, :], mask=mask, other=0.0)
            factor = tl.load(depth_weight + tap * DEPTH_WIDTH + channel, mask=channel < DEPTH_WIDTH, other=0.0)
            deep += there.to(tl.float32) * factor[None, :].to(tl.float32)
        deep += tl.load(depth_ends + channel, mask=channel < DEPTH_WIDTH, other=0.0)[None, :]
        if MIDDLE:
            slope = tl.load(depth_ends + DEPTH_WIDTH + channel, mask=channel < DEPTH_WIDTH, other=0.0)
            deep = tl.where(deep > 0, deep, deep * slope[None, :])
        matrix = tl.load(weight + row[:, None] * OUT_WIDTH + output[None, :])
        total = product(deep.to(matrix.dtype), matrix, total)
    if POOLED:
        place = output % GROUP_OUT
        source = output // GROUP_OUT * GROUP_IN + place
        corner = (image * in_height + line % height * 2) * in_width + pixel % width * 2
        mask = inside[:, None] & (place < GROUP_IN)[None, :] & (output < OUT_LINE)[None, :]
        largest = tl.full((PIXELS, OUT_BLOCK), float("-inf"), tl.float32)
        for tap in tl.static_range(4):
            at = (corner + tap // 2 * in_width + tap % 2) * IN_LINE
            there = tl.load(features + at[:, None] + source[None, :], mask=mask, other=0.0)
            largest = tl.maximum(largest, there.to(tl.float32))
        total += largest
    total = _ended(total, ends, other, pixel, inside, output, OUT_LINE, OUT_WIDTH, SLOPED, SIGMOID, ADD, LATE)
    write(out, pixel, inside, output, total, OUT_LINE)


@triton.jit(do_not_specialize=["pixels", "in_height", "in_width", "height", "width"])
def pool(
    features: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    in_height: tl.tensor,
    in_width: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    LARGEST: tl.constexpr,
    LINE: tl.constexpr,
    BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """The largest or the mean value of each window."""
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    line = pixel // width
    corner = (line // height * in_height + line % height * STRIDE) * in_width + pixel % width * STRIDE
    channel = outputs_of(BLOCK)
    mask = inside[:, None] & (channel < LINE)[None, :]
    total = tl.zeros((PIXELS, BLOCK), tl.float32)
    if LARGEST:
        total += float("-inf")
    for tap in range(KERNEL * KERNEL):
        at = (corner + tap // KERNEL * in_width + tap % KERNEL) * LINE
        there = tl.load(features + at[:, None] + channel[None, :], mask=mask, other=0.0).to(tl.float32)
        total = tl.maximum(total, there) if LARGEST else total + there
    if not LARGEST:
        total = total / (KERNEL * KERNEL)
    write(out, pixel, inside, channel, total, LINE)


@triton.jit(do_not_specialize=["pixels"])
def mean(
    features: tl.tensor, out: tl.tensor, pixels: tl.tensor, LINE: tl.constexpr, BLOCK: tl.constexpr, PIXELS: tl.constexpr
) -> None:
    """The mean of each channel over the `pixels` of a picture; axis 0 is pictures."""
    image = tl.program_id(0)
    channel = outputs_of(BLOCK)
    total = tl.zeros((PIXELS, BLOCK), tl.float32)
    for first in range(0, pixels, PIXELS):
        pixel = first + tl.arange(0, PIXELS)
        mask = (pixel < pixels)[:, None] & (channel < LINE)[None, :]
        at = (image * pixels + pixel) * LINE
        total += tl.load(features + at[:, None] + channel[None, :], mask=mask, other=0.0).to(tl.float32)
    tl.store(out + image * LINE + channel, (tl.sum(total, axis=0) / pixels).to(out.dtype.element_ty), mask=channel < LINE)


@triton.jit
def _from(
    source: tl.tensor,
    image: tl.tensor,
    y: tl.tensor,
    x: tl.tensor,
    channel: tl.tensor,
    mask: tl.tensor,
    by_image: tl.tensor,
    by_row: tl.tensor,
    by_column: tl.tensor,
    by_channel: tl.tensor,
) -> tl.tensor:
    """Values at (image, y, x, channel), each pixels x channels, of a map that lies in any order."""
    at = image * by_image + y * by_row + x * by_column + channel * by_channel
    return tl.load(source + at, mask=mask, other=0.0).to(tl.float32)


@triton.jit(
    do_not_specialize=[
        "pixels", "in_height", "in_width", "height", "width", "in_image", "in_row", "in_column", "in_channel",
        "other_image", "other_row", "other_column", "other_channel", "out_image", "out_row", "out_column", "out_channel",
    ]
)  # fmt: skip
def move(
    source: tl.tensor,
    ends: tl.tensor,
    other: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    in_height: tl.tensor,
    in_width: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    in_image: tl.tensor,
    in_row: tl.tensor,
    in_column: tl.tensor,
    in_channel: tl.tensor,
    other_image: tl.tensor,
    other_row: tl.tensor,
    other_column: tl.tensor,
    other_channel: tl.tensor,
    out_image: tl.tensor,
    out_row: tl.tensor,
    out_column: tl.tensor,
    out_channel: tl.tensor,
    MODE: tl.constexpr,
    FACTOR: tl.constexpr,
    CHANNELS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    SCALED: tl.constexpr,
    SLOPED: tl.constexpr,
    SIGMOID: tl.constexpr,
    ADD: tl.constexpr,
    LATE: tl.constexpr,
    LINE: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """A map in another order, at another size, or as it is, and what each kernel ends with; also between layouts and types.

    Maps lie in any order: the numbers between neighbouring pictures, rows, columns and channels are given, of the source, the
    other map and the output. Channels from CHANNELS on to LINE are written as zero.
    """
    number = pixels_of(PIXELS)
    inside = number < pixels
    line = number // width
    output = outputs_of(BLOCK)
    image = (line // height)[:, None] + output[None, :] * 0
    y = (line % height)[:, None] + output[None, :] * 0
    x = (number % width)[:, None] + output[None, :] * 0
    channel = output[None, :] + y * 0
    mask = inside[:, None] & (output < CHANNELS)[None, :]
    if MODE == BILINEAR:
        # Between the pixels' centres; at the edge the nearest.
        near_y = tl.maximum((y.to(tl.float32) + 0.5) / FACTOR - 0.5, 0.0)
        near_x = tl.maximum((x.to(tl.float32) + 0.5) / FACTOR - 0.5, 0.0)
        top = near_y.to(tl.int32)
        left = near_x.to(tl.int32)
        down = near_y - top.to(tl.float32)
        right = near_x - left.to(tl.float32)
        low = tl.minimum(top + 1, in_height - 1)
        far = tl.minimum(left + 1, in_width - 1)
        a = _from(source, image, top, left, channel, mask, in_image, in_row, in_column, in_channel)
        b = _from(source, image, top, far, channel, mask, in_image, in_row, in_column, in_channel)
        c = _from(source, image, low, left, channel, mask, in_image, in_row, in_column, in_channel)
        d = _from(source, image, low, far, channel, mask, in_image, in_row, in_column, in_channel)
        total = (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down
    else:
        from_y = y
        from_x = x
        from_channel = channel
        if MODE == SHUFFLE:
            from_y = y // FACTOR
            from_x = x // FACTOR
            from_channel = channel * (FACTOR * FACTOR) + y % FACTOR * FACTOR + x % FACTOR
        if MODE == UNSHUFFLE:
            from_y = y * FACTOR + channel // FACTOR % FACTOR
            from_x = x * FACTOR + channel % FACTOR
            from_channel = channel // (FACTOR * FACTOR)
        if MODE == NEAREST:
            from_y = y // FACTOR
            from_x = x // FACTOR
        total = _from(source, image, from_y, from_x, from_channel, mask, in_image, in_row, in_column, in_channel)
    if SCALED:
        total = total * tl.load(ends + 2 * WIDTH + output)[None, :] + tl.load(ends + output)[None, :]
    if ADD:
        term = _from(other, image, y, x, channel, mask, other_image, other_row, other_column, other_channel)
        if LATE:
            total = _activated(total, ends, output, WIDTH, SLOPED, SIGMOID) + term
        else:
            total = _activated(total + term, ends, output, WIDTH, SLOPED, SIGMOID)
    else:
        total = _activated(total, ends, output, WIDTH, SLOPED, SIGMOID)
    at = image * out_image + y * out_row + x * out_column + channel * out_channel
    total = tl.where(mask, total, 0.0)
    tl.store(out + at, total.to(out.dtype.element_ty), mask=inside[:, None] & (output < LINE)[None, :])
