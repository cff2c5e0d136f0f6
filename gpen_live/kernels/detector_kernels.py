"""The face detector's layers as fused Triton kernels. Imports Triton: import it late, and only where Triton is there.

One picture at a time. Features lie as pixels x channels, all channels of a pixel in a `LINE`; weights as inputs x outputs.
Products are of the features' dtype and are summed in float32. Biases are float32 and come with the slopes of the leaky ReLU
behind them: 2 x outputs, where slope 0 is a ReLU. Heights and widths are no constants to the compiler: one version of each
kernel serves pictures of all sizes, so that no frame waits for a compilation.

Axis 0 of a launch is tiles of `PIXELS` pixels of the output, counted row by row, axis 1 is blocks of `OUT_BLOCK` outputs. What
is done alike at all three scales of the pyramid is one launch: the maps of the scales (each has half the height and half the
width of the one before it) lie one behind the other, and so do the weights. Every output has one writer, so that the same
picture gives the same bits.

`EARLY`: a kernel comes up, and may load its weights, before the one ahead of it is through.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpen_live.kernels.parts import outputs_of, pixels_of, write


@triton.jit
def _begin(EARLY: tl.constexpr) -> None:
    """Lets the next kernel come up, and waits for the one ahead: what it wrote may be read, what it reads overwritten."""
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()


@triton.jit
def _product(a: tl.tensor, b: tl.tensor, total: tl.tensor) -> tl.tensor:
    """The sum of total and a b. Float32 keeps nearly all of its accuracy: three products of TF32 for one."""
    return tl.dot(a, b, total, input_precision="tf32x3")


@triton.jit
def _activated(total: tl.tensor, bias: tl.tensor, output: tl.tensor, WIDTH: tl.constexpr) -> tl.tensor:
    """Bias and leaky ReLU. total: pixels x outputs; bias: 2 x WIDTH."""
    total += tl.load(bias + output)[None, :]
    return tl.maximum(total, total * tl.load(bias + WIDTH + output)[None, :])


@triton.jit
def _read(
    features: tl.tensor,
    y: tl.tensor,
    x: tl.tensor,
    channel: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    LINE: tl.constexpr,
) -> tl.tensor:
    """Features of the pixels (y, x): pixels x channels; zero outside, as a convolution pads."""
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    at = (y * width + x) * LINE
    return tl.load(features + at[:, None] + channel[None, :], mask=inside[:, None] & (channel < LINE)[None, :], other=0.0)


@triton.jit
def _scale(height: tl.tensor, width: tl.tensor, PIXELS: tl.constexpr) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """Of this program, where tiles are counted through all scales: its scale, that one's first pixel, the tile's in the scale.

    height, width: of the first scale.
    """
    first = height * width
    second = first // 4
    tile = tl.program_id(0)
    scale = tile * 0
    start = tile * 0
    if tile >= tl.cdiv(first, PIXELS):
        tile -= tl.cdiv(first, PIXELS)
        scale += 1
        start += first
        if tile >= tl.cdiv(second, PIXELS):
            tile -= tl.cdiv(second, PIXELS)
            scale += 1
            start += second
    return scale, start, tile * PIXELS


@triton.jit
def _convolved(
    features: tl.tensor,
    weight: tl.tensor,
    pixel: tl.tensor,
    output: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    LINE: tl.constexpr,
    FIRST: tl.constexpr,
    IN_BLOCK: tl.constexpr,
    WIDTH: tl.constexpr,
    PIXELS: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
) -> tl.tensor:
    """The 3x3 convolution of the channels from `FIRST` on: pixels x outputs, float32. weight: 9 x IN_BLOCK x WIDTH.

    A loop, not unrolled, so that loads run ahead of products.
    """
    y, x = pixel // width, pixel % width
    source = tl.arange(0, IN_BLOCK)
    total = tl.zeros((PIXELS, OUT_BLOCK), tl.float32)
    for tap in range(9):
        there = _read(features, y + (tap // 3 - 1), x + (tap % 3 - 1), FIRST + source, height, width, LINE)
        total = _product(there, tl.load(weight + (tap * IN_BLOCK + source)[:, None] * WIDTH + output[None, :]), total)
    return total


@triton.jit(do_not_specialize=["picture_height", "picture_width", "pixels", "width"])
def enter(
    picture: tl.tensor,
    mean: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    picture_height: tl.tensor,
    picture_width: tl.tensor,
    pixels: tl.tensor,
    width: tl.tensor,
    OUT_LINE: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """Picture (3 x H x W, float32) less its mean, padded with zeros; the 3x3 convolution with stride 2; leaky ReLU.

    pixels, width: of the output, which is that of a picture padded at its right and bottom. mean: for each of the 32 inputs.
    weight: 32 inputs (colour, row, column; five of them zero) x OUT_BLOCK.
    """
    source = tl.arange(0, 32)
    output = tl.arange(0, OUT_BLOCK)
    matrix = tl.load(weight + source[:, None] * OUT_BLOCK + output[None, :])
    means = tl.load(mean + source)
    _begin(EARLY)
    pixel = pixels_of(PIXELS)
    y = (pixel // width * 2 - 1)[:, None] + (source // 3 % 3)[None, :]
    x = (pixel % width * 2 - 1)[:, None] + (source % 3)[None, :]
    inside = (y >= 0) & (y < picture_height) & (x >= 0) & (x < picture_width) & (source < 27)[None, :]
    at = ((source // 9)[None, :] * picture_height + y) * picture_width + x
    seen = tl.where(inside, tl.load(picture + at, mask=inside, other=0.0) - means[None, :], 0.0).to(out.dtype.element_ty)
    total = _product(seen, matrix, tl.zeros((PIXELS, OUT_BLOCK), tl.float32))
    write(out, pixel, pixel < pixels, output, _activated(total, bias, output, OUT_BLOCK), OUT_LINE)


@triton.jit(do_not_specialize=["height", "width"])
def separable(
    features: tl.tensor,
    taps: tl.tensor,
    taps_bias: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    STRIDE: tl.constexpr,
    IN_LINE: tl.constexpr,
    IN_BLOCK: tl.constexpr,
    OUT_LINE: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """Depthwise 3x3 convolution and 1x1 convolution, each with its leaky ReLU.

    height, width: of the input, multiples of STRIDE. taps: 9 x IN_BLOCK, weight: IN_BLOCK x OUT_LINE. Taps are loaded for each
    pixel, in the features' dtype: so they lie in the threads as features do, and threads need not exchange them.
    """
    channel = tl.arange(0, IN_BLOCK)
    output = outputs_of(OUT_BLOCK)
    matrix = tl.load(weight + channel[:, None] * OUT_LINE + output[None, :])
    _begin(EARLY)
    pixel = pixels_of(PIXELS)
    y, x = pixel // (width // STRIDE) * STRIDE, pixel % (width // STRIDE) * STRIDE
    total = tl.zeros((PIXELS, IN_BLOCK), tl.float32)
    same = pixel * 0
    for row in range(3):
        for column in tl.static_range(3):
            there = _read(features, y + (row - 1), x + (column - 1), channel, height, width, IN_LINE).to(tl.float32)
            total += there * tl.load(taps + (row * 3 + column) * IN_BLOCK + same[:, None] + channel[None, :]).to(tl.float32)
    mixed = _activated(total, taps_bias, channel, IN_BLOCK).to(out.dtype.element_ty)
    total = _product(mixed, matrix, tl.zeros((PIXELS, OUT_BLOCK), tl.float32))
    inside = pixel < (height // STRIDE) * (width // STRIDE)
    write(out, pixel, inside, output, _activated(total, bias, output, OUT_LINE), OUT_LINE)


@triton.jit(do_not_specialize=["pixels", "width"])
def lateral(
    features: tl.tensor,
    coarse: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    pixels: tl.tensor,
    width: tl.tensor,
    ADD: tl.constexpr,
    IN_LINE: tl.constexpr,
    OUT_LINE: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """1x1 convolution with leaky ReLU; with ADD, plus the nearest of the coarser map, of half the height and width.

    weight: IN_LINE x OUT_LINE.
    """
    channel = tl.arange(0, IN_LINE)
    output = outputs_of(OUT_BLOCK)
    matrix = tl.load(weight + channel[:, None] * OUT_LINE + output[None, :])
    _begin(EARLY)
    pixel = pixels_of(PIXELS)
    inside = pixel < pixels
    here = tl.load(features + pixel[:, None] * IN_LINE + channel[None, :], mask=inside[:, None], other=0.0)
    total = _product(here, matrix, tl.zeros((PIXELS, OUT_BLOCK), tl.float32))
    total = _activated(total, bias, output, OUT_LINE)
    if ADD:
        at = (pixel // width // 2) * (width // 2) + pixel % width // 2
        total += tl.load(coarse + at[:, None] * OUT_LINE + output[None, :], mask=inside[:, None], other=0.0).to(tl.float32)
    write(out, pixel, inside, output, total, OUT_LINE)


@triton.jit(do_not_specialize=["height", "width"])
def spread(
    features: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    IN_LINE: tl.constexpr,
    IN_FIRST: tl.constexpr,
    IN_BLOCK: tl.constexpr,
    OUT_LINE: tl.constexpr,
    OUT_FIRST: tl.constexpr,
    OUT_WIDTH: tl.constexpr,
    OUT_BLOCK: tl.constexpr,
    PIXELS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """3x3 convolution with leaky ReLU, at so many scales as the grid has tiles for; height, width: of the first.

    From the channels from IN_FIRST on to those from OUT_FIRST on; `features` and `out` may be the same memory where these differ.
    weight: scales x 9 x IN_BLOCK x OUT_WIDTH.
    """
    _begin(EARLY)
    scale, start, first = _scale(height, width, PIXELS)
    rows, columns = height >> scale, width >> scale
    pixel = first + tl.arange(0, PIXELS)
    output = outputs_of(OUT_BLOCK)
    total = _convolved(
        features + start * IN_LINE,
        weight + scale * (9 * IN_BLOCK * OUT_WIDTH),
        pixel,
        output,
        rows,
        columns,
        IN_LINE,
        IN_FIRST,
        IN_BLOCK,
        OUT_WIDTH,
        PIXELS,
        OUT_BLOCK,
    )
    total = _activated(total, bias + scale * (2 * OUT_WIDTH), output, OUT_WIDTH)
    write(out, start + pixel, pixel < rows * columns, OUT_FIRST + output, total, OUT_LINE)


@triton.jit(do_not_specialize=["height", "width"])
def heads(
    features: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    final: tl.tensor,
    final_bias: tl.tensor,
    out: tl.tensor,
    margins: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    LINE: tl.constexpr,
    FIRST: tl.constexpr,
    INNER: tl.constexpr,
    READY: tl.constexpr,
    OUT_LINE: tl.constexpr,
    ANCHORS: tl.constexpr,
    PIXELS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """The last 3x3 convolution of the context module, and all heads as one 1x1 convolution, at all scales.

    height, width: of the first scale. weight: scales x 9 x INNER x INNER, for the channels from FIRST on. final: scales x
    (READY + INNER) x OUT_LINE, for the first READY channels and what the convolution gives. Its outputs (float32, pixels x
    OUT_LINE) begin with the margins of a pixel's ANCHORS, which go to `margins` as well.
    """
    _begin(EARLY)
    scale, start, first = _scale(height, width, PIXELS)
    rows, columns = height >> scale, width >> scale
    pixel = first + tl.arange(0, PIXELS)
    inside = pixel < rows * columns
    inner = tl.arange(0, INNER)
    output = tl.arange(0, OUT_LINE)
    features += start * LINE
    weight += scale * (9 * INNER * INNER)
    total = _convolved(features, weight, pixel, inner, rows, columns, LINE, FIRST, INNER, INNER, PIXELS, INNER)
    last = _activated(total, bias + scale * (2 * INNER), inner, INNER).to(features.dtype.element_ty)
    ready = tl.arange(0, READY)
    final += scale * ((READY + INNER) * OUT_LINE)
    found = tl.zeros((PIXELS, OUT_LINE), tl.float32) + tl.load(final_bias + scale * OUT_LINE + output)[None, :]
    here = tl.load(features + pixel[:, None] * LINE + ready[None, :], mask=inside[:, None], other=0.0)
    found = _product(here, tl.load(final + ready[:, None] * OUT_LINE + output[None, :]), found)
    found = _product(last, tl.load(final + (READY + inner)[:, None] * OUT_LINE + output[None, :]), found)
    at = start + pixel
    tl.store(out + at[:, None] * OUT_LINE + output[None, :], found, mask=inside[:, None])
    tl.store(margins + at[:, None] * ANCHORS + output[None, :], found, mask=inside[:, None] & (output < ANCHORS)[None, :])


@triton.jit
def _comparable(margin: tl.tensor) -> tl.tensor:
    """What is no number is worth less than all that is."""
    return tl.where(margin == margin, margin, float("-inf"))


@triton.jit(do_not_specialize=["height", "width", "anchors", "kept"])
def choose(
    margins: tl.tensor,
    found: tl.tensor,
    out: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    anchors: tl.tensor,
    kept: tl.tensor,
    STEP: tl.constexpr,
    SIDE: tl.constexpr,
    CENTRE_VARIANCE: tl.constexpr,
    SIZE_VARIANCE: tl.constexpr,
    LINE: tl.constexpr,
    BLOCK: tl.constexpr,
    OTHERS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """The `kept` best anchors by falling margin, decoded: kept x 15 (score, box, landmarks).

    An anchor's place is how many are better (of equal ones, come before it): each finds its own, all at the same time, which a
    card does sooner than it sorts. Steps and sides double from scale to scale, sides also from a pixel's first anchor (of SIDE at
    the first scale, whose height and width are given) to its second.
    """
    _begin(EARLY)
    anchor = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    exists = anchor < anchors
    margin = tl.load(margins + anchor, mask=exists, other=0.0)
    own = _comparable(margin)
    better = tl.zeros((BLOCK, OTHERS), tl.int32)
    for first in range(0, anchors, OTHERS):
        other = first + tl.arange(0, OTHERS)
        theirs = _comparable(tl.load(margins + other, mask=other < anchors, other=float("-inf")))
        level = (theirs[None, :] == own[:, None]) & (other[None, :] < anchor[:, None])
        better += ((theirs[None, :] > own[:, None]) | level).to(tl.int32)
    place = tl.sum(better, axis=1)
    chosen = exists & (place < kept)

    pixels = height * width
    pixel = anchor // 2
    which = anchor % 2
    scale = (pixel >= pixels).to(tl.int32) + (pixel >= pixels + pixels // 4).to(tl.int32)
    inner = pixel - tl.where(scale > 0, pixels, 0) - tl.where(scale > 1, pixels // 4, 0)
    columns = width >> scale
    step = (STEP << scale).to(tl.float32)
    side = (SIDE << (2 * scale + which)).to(tl.float32)
    x = (inner % columns + 0.5) * step
    y = (inner // columns + 0.5) * step

    column = tl.arange(0, 16)[None, :]
    box = (column >= 1) & (column < 5)
    mask = chosen[:, None] & (column >= 1) & (column < 15)
    offset = tl.where(box, 2 + 4 * which[:, None] + (column - 1) % 2, 10 + 10 * which[:, None] + column - 5)
    line = found + pixel[:, None] * LINE
    centre = tl.where(column % 2 == 1, x[:, None], y[:, None])
    value = centre + tl.load(line + offset, mask=mask, other=0.0) * (CENTRE_VARIANCE * side[:, None])
    size = tl.load(line + offset + 2, mask=mask & box, other=0.0) * SIZE_VARIANCE
    half = side[:, None] * 0.5 * tl.exp(tl.minimum(size, 5.0, propagate_nan=tl.PropagateNan.ALL))
    value += tl.where(box, tl.where(column < 3, -half, half), 0.0)
    value = tl.where(column == 0, 1.0 / (1.0 + tl.exp(-margin))[:, None], value)
    tl.store(out + place[:, None] * 15 + column, value, mask=chosen[:, None] & (column < 15))
