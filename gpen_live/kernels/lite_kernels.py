"""The light network's layers as fused Triton kernels. Imports Triton: import it late, and only where Triton is there.

Features lie as pixels x channels (N, H, W, C), C padded with zeros to a `LINE`, a multiple of 16; blocks of channels are powers
of two (`*_BLOCK`), as Triton wants them. Weights are padded with zeros to whole blocks, so that only features need masks, and lie
as inputs x outputs; biases and depthwise taps are float32. Products are of the features' dtype and are summed in float32. Every
output has one writer, so that the same input gives the same bits.

Axis 0 of a launch is tiles of pixels. Where no neighbours are read, the pixels of all pictures are counted through, `PIXELS` to a
tile, and axis 1 is blocks of outputs. Where neighbours are read, tiles are rectangles of `ROWS` x `COLUMNS`, whose neighbourhoods
overlap and stay in the multiprocessor's cache, and axis 1 is pictures.

Sums over a pixel's neighbours are loops, not unrolled: Triton would turn every single load into the layout of the matrix product
that follows, in which each warp holds all pixels and repeats the work of the others.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpen_live.kernels.parts import outputs_of, pixels_of, product, write


@triton.jit
def _rectangle(height: tl.tensor, width: tl.tensor, ROWS: tl.constexpr, COLUMNS: tl.constexpr) -> tl.tensor:
    """Rows and columns of the pixels of rectangle number `program_id(0)` of a picture."""
    across = tl.cdiv(width, COLUMNS)
    tile = tl.program_id(0)
    pixel = tl.arange(0, ROWS * COLUMNS)
    return (tile // across) * ROWS + pixel // COLUMNS, (tile % across) * COLUMNS + pixel % COLUMNS


@triton.jit
def _read(
    features: tl.tensor,
    image: tl.tensor,
    y: tl.tensor,
    x: tl.tensor,
    channel: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    LINE: tl.constexpr,
) -> tl.tensor:
    """Features of the pixels (y, x) of pictures `image`: pixels x channels; zero outside, as a convolution pads."""
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    at = ((image * height + y) * width + x) * LINE
    return tl.load(features + at[:, None] + channel[None, :], mask=inside[:, None] & (channel < LINE)[None, :], other=0.0)


@triton.jit
def _shuffled(
    image: tl.tensor, y: tl.tensor, x: tl.tensor, channel: tl.tensor, height: tl.tensor, width: tl.tensor, SHUFFLE: tl.constexpr
) -> tl.tensor:
    """Where, in pictures N x 3 x H x W, the channels of the features' pixels lie that `pixel_unshuffle` would make of them.

    height, width: of the features.
    """
    colour = channel // (SHUFFLE * SHUFFLE)
    row = channel // SHUFFLE % SHUFFLE
    line = ((image * 3)[:, None] + colour[None, :]) * (height * SHUFFLE) + (y * SHUFFLE)[:, None] + row[None, :]
    return line * (width * SHUFFLE) + (x * SHUFFLE)[:, None] + (channel % SHUFFLE)[None, :]


@triton.jit
def _depthwise(
    features: tl.tensor,
    taps: tl.tensor,
    bias: tl.tensor,
    image: tl.tensor,
    y: tl.tensor,
    x: tl.tensor,
    channel: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    LINE: tl.constexpr,
    BLOCK: tl.constexpr,
    KERNEL: tl.constexpr,
    PIXELS: tl.constexpr,
) -> tl.tensor:
    """The depthwise convolution at pixels (y, x): pixels x channels, float32. taps: KERNEL * KERNEL x BLOCK."""
    total = tl.zeros((PIXELS, BLOCK), tl.float32) + tl.load(bias + channel)[None, :]
    for row in range(KERNEL):
        for column in tl.static_range(KERNEL):
            there = _read(features, image, y + (row - KERNEL // 2), x + (column - KERNEL // 2), channel, height, width, LINE)
            total += there.to(tl.float32) * tl.load(taps + (row * KERNEL + column) * BLOCK + channel)[None, :]
    return total


@triton.jit(do_not_specialize=["pixels", "height", "width"])
def entry(
    pictures: tl.tensor,
    previous: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    SHUFFLE: tl.constexpr,
    MEMORY: tl.constexpr,
    IN_BLOCK: tl.constexpr,
    OUT_LINE: tl.constexpr,
    OUT_WIDTH: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """`pixel_unshuffle`, concatenation with the picture before, 1x1 convolution: float32 pictures to features.

    pixels, height, width: of the features. weight: IN_BLOCK (picture) and, with MEMORY, IN_BLOCK more (previous) x OUT_WIDTH.
    """
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    y = pixel // width
    image = y // height
    source = tl.arange(0, IN_BLOCK)
    output = outputs_of(OUT_BLOCK)
    at = _shuffled(image, y % height, pixel % width, source, height, width, SHUFFLE)
    mask = inside[:, None] & (source < 3 * SHUFFLE * SHUFFLE)[None, :]
    total = tl.zeros((PIXELS, OUT_BLOCK), tl.float32) + tl.load(bias + output)[None, :]
    matrix = weight + source[:, None] * OUT_WIDTH + output[None, :]
    now = tl.load(pictures + at, mask=mask, other=0.0).to(out.dtype.element_ty)
    total = product(now, tl.load(matrix), total)
    if MEMORY:
        before = tl.load(previous + at, mask=mask, other=0.0).to(out.dtype.element_ty)
        total = product(before, tl.load(matrix + IN_BLOCK * OUT_WIDTH), total)
    write(out, pixel, inside, output, total, OUT_LINE)


@triton.jit(do_not_specialize=["height", "width"])
def block(
    features: tl.tensor,
    taps: tl.tensor,
    taps_bias: tl.tensor,
    widen: tl.tensor,
    widen_bias: tl.tensor,
    narrow: tl.tensor,
    narrow_bias: tl.tensor,
    out: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    LINE: tl.constexpr,
    BLOCK: tl.constexpr,
    HIDDEN: tl.constexpr,
    HIDDEN_WIDTH: tl.constexpr,
    HIDDEN_BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """A whole residual block, whose inner features never leave the multiprocessor.

    widen: BLOCK x HIDDEN_WIDTH; narrow: HIDDEN_WIDTH x BLOCK.
    """
    dtype: tl.constexpr = out.dtype.element_ty
    y, x = _rectangle(height, width, ROWS, COLUMNS)
    image = tl.program_id(1)
    channel = tl.arange(0, BLOCK)
    inner = tl.arange(0, HIDDEN_BLOCK)
    mixed = _depthwise(features, taps, taps_bias, image, y, x, channel, height, width, LINE, BLOCK, KERNEL, ROWS * COLUMNS).to(
        dtype
    )
    total = tl.zeros((ROWS * COLUMNS, BLOCK), tl.float32) + tl.load(narrow_bias + channel)[None, :]
    for start in range(0, HIDDEN, HIDDEN_BLOCK):
        hidden = tl.zeros((ROWS * COLUMNS, HIDDEN_BLOCK), tl.float32) + tl.load(widen_bias + start + inner)[None, :]
        hidden = product(mixed, tl.load(widen + channel[:, None] * HIDDEN_WIDTH + (start + inner)[None, :]), hidden)
        hidden = tl.maximum(hidden, 0.0).to(dtype)
        total = product(hidden, tl.load(narrow + (start + inner)[:, None] * BLOCK + channel[None, :]), total)
    total += _read(features, image, y, x, channel, height, width, LINE).to(tl.float32)
    write(out, (image * height + y) * width + x, (y < height) & (x < width), channel, total, LINE)


@triton.jit(do_not_specialize=["height", "width"])
def block_widen(
    features: tl.tensor,
    taps: tl.tensor,
    taps_bias: tl.tensor,
    widen: tl.tensor,
    widen_bias: tl.tensor,
    out: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    LINE: tl.constexpr,
    BLOCK: tl.constexpr,
    HIDDEN_LINE: tl.constexpr,
    HIDDEN_WIDTH: tl.constexpr,
    HIDDEN_BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """A block's first half, for small maps with many channels: axis 2 is blocks of its inner features, which go to `out`.

    Each repeats the depthwise convolution, which costs less than to leave most multiprocessors without work.
    """
    dtype: tl.constexpr = out.dtype.element_ty
    y, x = _rectangle(height, width, ROWS, COLUMNS)
    image = tl.program_id(1)
    channel = tl.arange(0, BLOCK)
    inner = tl.program_id(2) * HIDDEN_BLOCK + tl.arange(0, HIDDEN_BLOCK)
    matrix = tl.load(widen + channel[:, None] * HIDDEN_WIDTH + inner[None, :])
    mixed = _depthwise(features, taps, taps_bias, image, y, x, channel, height, width, LINE, BLOCK, KERNEL, ROWS * COLUMNS).to(
        dtype
    )
    hidden = tl.zeros((ROWS * COLUMNS, HIDDEN_BLOCK), tl.float32) + tl.load(widen_bias + inner)[None, :]
    hidden = tl.maximum(product(mixed, matrix, hidden), 0.0)
    write(out, (image * height + y) * width + x, (y < height) & (x < width), inner, hidden, HIDDEN_LINE)


@triton.jit(do_not_specialize=["pixels"])
def block_narrow(
    hidden: tl.tensor,
    features: tl.tensor,
    narrow: tl.tensor,
    narrow_bias: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    LINE: tl.constexpr,
    BLOCK: tl.constexpr,
    HIDDEN_LINE: tl.constexpr,
    HIDDEN_BLOCK: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """A block's second half: `hidden` of `block_widen` through the last 1x1 convolution, added to `features`."""
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    output = outputs_of(OUT_BLOCK)
    inner = tl.arange(0, HIDDEN_BLOCK)
    total = tl.zeros((PIXELS, OUT_BLOCK), tl.float32) + tl.load(narrow_bias + output)[None, :]
    for start in range(0, HIDDEN_LINE, HIDDEN_BLOCK):
        mask = inside[:, None] & (start + inner < HIDDEN_LINE)[None, :]
        part = tl.load(hidden + pixel[:, None] * HIDDEN_LINE + (start + inner)[None, :], mask=mask, other=0.0)
        total = product(part, tl.load(narrow + (start + inner)[:, None] * BLOCK + output[None, :]), total)
    mask = inside[:, None] & (output < LINE)[None, :]
    total += tl.load(features + pixel[:, None] * LINE + output[None, :], mask=mask, other=0.0).to(tl.float32)
    write(out, pixel, inside, output, total, LINE)


@triton.jit(do_not_specialize=["pixels", "height", "width"])
def down(
    features: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    IN_LINE: tl.constexpr,
    IN_BLOCK: tl.constexpr,
    OUT_LINE: tl.constexpr,
    OUT_WIDTH: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """The 2x2 convolution with stride 2. pixels, height, width: of its output. weight: 4 (row, column) x IN_BLOCK x OUT_WIDTH."""
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    line = pixel // width  # of all pictures: their heights are even, so that lines of the input can be counted through too
    source = tl.arange(0, IN_BLOCK)
    output = outputs_of(OUT_BLOCK)
    mask = inside[:, None] & (source < IN_LINE)[None, :]
    total = tl.zeros((PIXELS, OUT_BLOCK), tl.float32) + tl.load(bias + output)[None, :]
    for tap in range(4):
        at = ((line * 2 + tap // 2) * (width * 2) + (pixel % width) * 2 + tap % 2) * IN_LINE
        part = tl.load(features + at[:, None] + source[None, :], mask=mask, other=0.0)
        matrix = tl.load(weight + (tap * IN_BLOCK + source)[:, None] * OUT_WIDTH + output[None, :])
        total = product(part, matrix, total)
    write(out, pixel, inside, output, total, OUT_LINE)


@triton.jit(do_not_specialize=["pixels", "height", "width"])
def fuse(
    coarse: tl.tensor,
    skip: tl.tensor,
    coarse_weight: tl.tensor,
    skip_weight: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    COARSE_LINE: tl.constexpr,
    COARSE_BLOCK: tl.constexpr,
    SKIP_LINE: tl.constexpr,
    SKIP_BLOCK: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    """Bilinear upsampling by 2 (not `align_corners`), and the 1x1 convolutions on both sides of it and of the concatenation.

    pixels, height, width: of `skip` and of the output. Each output pixel lies a quarter of a coarse one off the nearest, towards
    the neighbour on its side; at the edge that is the nearest itself.
    """
    dtype: tl.constexpr = out.dtype.element_ty
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    output = outputs_of(OUT_BLOCK)
    line = pixel // width
    y = line % height
    x = pixel % width
    source = tl.arange(0, COARSE_BLOCK)
    mask = inside[:, None] & (source < COARSE_LINE)[None, :]
    up = tl.zeros((PIXELS, COARSE_BLOCK), tl.float32)
    for corner in range(4):
        far_y, far_x = corner // 2, corner % 2
        at_y = tl.minimum(tl.maximum(y // 2 + far_y * (y % 2 * 2 - 1), 0), height // 2 - 1)
        at_x = tl.minimum(tl.maximum(x // 2 + far_x * (x % 2 * 2 - 1), 0), width // 2 - 1)
        at = ((line // height * (height // 2) + at_y) * (width // 2) + at_x) * COARSE_LINE
        share = (0.75 - 0.5 * far_y) * (0.75 - 0.5 * far_x)
        up += share * tl.load(coarse + at[:, None] + source[None, :], mask=mask, other=0.0).to(tl.float32)
    total = tl.zeros((PIXELS, OUT_BLOCK), tl.float32) + tl.load(bias + output)[None, :]
    total = product(up.to(dtype), tl.load(coarse_weight + source[:, None] * SKIP_BLOCK + output[None, :]), total)
    channel = tl.arange(0, SKIP_BLOCK)
    mask = inside[:, None] & (channel < SKIP_LINE)[None, :]
    here = tl.load(skip + pixel[:, None] * SKIP_LINE + channel[None, :], mask=mask, other=0.0)
    total = product(here, tl.load(skip_weight + channel[:, None] * SKIP_BLOCK + output[None, :]), total)
    write(out, pixel, inside, output, total, SKIP_LINE)


@triton.jit(do_not_specialize=["height", "width"])
def leave(
    features: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    pictures: tl.tensor,
    out: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    SHUFFLE: tl.constexpr,
    LINE: tl.constexpr,
    BLOCK: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """The last convolution, `pixel_shuffle`, and the sum with the float32 pictures, in float32.

    height, width: of the features. weight: KERNEL * KERNEL x BLOCK x OUT_BLOCK.
    """
    y, x = _rectangle(height, width, ROWS, COLUMNS)
    image = tl.program_id(1)
    channel = tl.arange(0, BLOCK)
    output = tl.arange(0, OUT_BLOCK)
    total = tl.zeros((ROWS * COLUMNS, OUT_BLOCK), tl.float32) + tl.load(bias + output)[None, :]
    for tap in range(KERNEL * KERNEL):
        there = _read(
            features, image, y + (tap // KERNEL - KERNEL // 2), x + (tap % KERNEL - KERNEL // 2), channel, height, width, LINE
        )
        matrix = tl.load(weight + (tap * BLOCK + channel)[:, None] * OUT_BLOCK + output[None, :])
        total = product(there, matrix, total)
    at = _shuffled(y * 0 + image, y, x, output, height, width, SHUFFLE)
    mask = ((y < height) & (x < width))[:, None] & (output < 3 * SHUFFLE * SHUFFLE)[None, :]
    tl.store(out + at, tl.load(pictures + at, mask=mask, other=0.0) + total, mask=mask)
