"""GPEN's maps, from the picture and back to it, in Triton: convolutions, filters, the encoder's half, colours.

Imports triton: import this module late. The style code has `triton_gpen_style_kernels`.

Features lie channels last in a *flat padded geometry*: pixel (y, x) of a map of side S is row 1 + (y + 1) * P + x of a matrix
of rows x channels, with P = S + 1. The one column between the rows, and the rows above and below, stay zero. So every tap of a
3 x 3 convolution is the same matrix shifted by some rows, and a convolution is a sum of matrix products without a single mask on
what is loaded. Position m = y * P + x counts the outputs; those of the padding column are computed and thrown away.

Pixels of odd and even rows and columns lie in four planes of their own where taps have a stride of two, and so do the four phases
of a transposed convolution: then these taps are shifts as well.

Arguments in capitals are compile-time constants. All sums are in float32; no atomic adds of floats, so that results repeat.
"""

from __future__ import annotations

import triton
import triton.language as tl

SAME, HALVE, PHASES, DOUBLE = (tl.constexpr(mode) for mode in range(4))
"""What a `shifted_gemm` computes: a 3 x 3 convolution, one of stride 2, the phases of a transposed one, or one of four times as
many outputs, which are the pixels of a map twice as large."""

_SLOPE = tl.constexpr(0.2)


@triton.jit
def leaky(x):
    """Leaky ReLU; its gain is in the weights."""
    return tl.where(x > 0, x, x * _SLOPE)


@triton.jit
def shifted_gemm(
    a_ptr,  # input: samples x a_rows x CIN
    b_ptr,  # weights: taps x CIN x COUT
    out_ptr,  # output: samples x out_rows x LDO
    scale_ptr,  # factor on each output channel: samples x style_stride
    bias_ptr,
    next_ptr,  # factor after the activation, which the next convolution wants on its input: samples x style_stride
    colour_ptr,  # weights of the picture's colours: 3 x LDO
    colour_style_ptr,  # factor on the colours' inputs: samples x style_stride
    rgb_ptr,  # what the features contribute to the colours: samples x tiles of channels x 3 x m_total
    partial_ptr,  # scratch of split sums
    lock_ptr,  # int32 zeros, one for each tile of the output; zeros again afterwards
    a_rows,
    out_rows,
    style_stride,
    m_total,
    side,
    pitch,
    plane_rows,
    CIN: tl.constexpr,
    COUT: tl.constexpr,
    LDO: tl.constexpr,
    CHANNELS: tl.constexpr,  # of one output pixel: COUT, or a quarter of it
    MODE: tl.constexpr,
    SPLIT: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    SCALED: tl.constexpr,
    ACTIVE: tl.constexpr,
    NEXT: tl.constexpr,
    STORE: tl.constexpr,
    RGB: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Convolution as a sum of shifted matrix products, with all that is done to its output before the next one."""
    tiles_n: tl.constexpr = COUT // BN
    tile = tl.program_id(0)
    tile_m = tile // tiles_n
    tile_n = tile - tile_m * tiles_n
    split = tl.program_id(2)
    sample = tl.program_id(1)
    phase_y = 0
    phase_x = 0
    taps = 9
    if MODE == PHASES:
        phase = sample % 4
        sample = sample // 4
        phase_y = phase // 2
        phase_x = phase % 2
        taps = (2 - phase_y) * (2 - phase_x)

    m = tile_m * BM + tl.arange(0, BM)
    n = tile_n * BN + tl.arange(0, BN)
    k = tl.arange(0, BK)
    a = a_ptr + sample * a_rows * CIN + m[:, None] * CIN + k[None, :]
    b = b_ptr + k[:, None] * COUT + n[None, :]

    slices: tl.constexpr = CIN // BK
    steps = taps * slices
    first = steps * split // SPLIT
    last = steps * (split + 1) // SPLIT
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for step in range(first, last):
        tap = step // slices
        channel = (step - tap * slices) * BK
        if MODE == PHASES:
            across = 2 - phase_x
            tap_y = tap // across
            tap_x = tap - tap_y * across
            rows = (1 - (1 - phase_y) * tap_y) * pitch + 1 - (1 - phase_x) * tap_x
            weight = (phase_y + (1 - phase_y) * 2 * tap_y) * 3 + phase_x + (1 - phase_x) * 2 * tap_x
        else:
            tap_y = tap // 3
            tap_x = tap - tap_y * 3
            weight = tap
            if MODE == HALVE:
                rows = ((tap_y % 2) * 2 + tap_x % 2) * plane_rows + (tap_y // 2) * pitch + tap_x // 2
            else:
                rows = tap_y * pitch + tap_x
        x = tl.load(a + (rows * CIN + channel))
        w = tl.load(b + (weight * CIN + channel) * COUT)
        acc = tl.dot(x, w, acc, input_precision=PRECISION)

    if SPLIT == 1:
        _finish(
            acc, m, n, tile_n, sample, phase_y * 2 + phase_x, out_ptr, scale_ptr, bias_ptr, next_ptr, colour_ptr,
            colour_style_ptr, rgb_ptr, out_rows, style_stride, m_total, side, pitch, COUT, LDO, CHANNELS, MODE, BN, SCALED,
            ACTIVE, NEXT, STORE, RGB,
        )  # fmt: skip
    else:
        # Each split leaves its sum; who comes last adds them up, always in the same order.
        own = tl.program_id(1) * tl.num_programs(0) + tile
        offsets = tl.arange(0, BM)[:, None] * BN + tl.arange(0, BN)[None, :]
        tl.store(partial_ptr + (own * SPLIT + split) * (BM * BN) + offsets, acc)
        tl.debug_barrier()
        if tl.atomic_add(lock_ptr + own, 1, sem="acq_rel") == SPLIT - 1:
            total = tl.zeros((BM, BN), dtype=tl.float32)
            for other in range(SPLIT):
                total += tl.load(partial_ptr + (own * SPLIT + other) * (BM * BN) + offsets, cache_modifier=".cg")
            _finish(
                total, m, n, tile_n, sample, phase_y * 2 + phase_x, out_ptr, scale_ptr, bias_ptr, next_ptr, colour_ptr,
                colour_style_ptr, rgb_ptr, out_rows, style_stride, m_total, side, pitch, COUT, LDO, CHANNELS, MODE, BN, SCALED,
                ACTIVE, NEXT, STORE, RGB,
            )  # fmt: skip
            tl.store(lock_ptr + own, 0)


@triton.jit
def _finish(
    acc, m, n, tile_n, sample, phase, out_ptr, scale_ptr, bias_ptr, next_ptr, colour_ptr, colour_style_ptr, rgb_ptr, out_rows,
    style_stride, m_total, side, pitch, COUT: tl.constexpr, LDO: tl.constexpr, CHANNELS: tl.constexpr, MODE: tl.constexpr,
    BN: tl.constexpr, SCALED: tl.constexpr, ACTIVE: tl.constexpr, NEXT: tl.constexpr, STORE: tl.constexpr, RGB: tl.constexpr,
):  # fmt: skip
    """Demodulation, bias, activation, the next layer's modulation, and the features' share of the picture."""
    column = n
    if MODE == DOUBLE:
        phase = (tile_n * BN) // CHANNELS
        column = n - phase * CHANNELS
    if SCALED:
        acc = acc * tl.load(scale_ptr + sample * style_stride + column)[None, :]
    if ACTIVE:
        acc = leaky(acc + tl.load(bias_ptr + column)[None, :])
    y = m // pitch
    x = m - y * pitch
    if MODE == PHASES:
        valid = m < m_total
        row = phase * m_total + m
    else:
        valid = (x < side) & (m < m_total)
        row = m + 1 + pitch
        if MODE == DOUBLE:
            row = 1 + (2 * y + phase // 2 + 1) * (2 * side + 1) + 2 * x + phase % 2
    if RGB:
        style = tl.load(colour_style_ptr + sample * style_stride + column)
        tiles_n: tl.constexpr = COUT // BN
        share = rgb_ptr + (sample * tiles_n + tile_n) * 3 * m_total + m
        for colour in tl.static_range(3):
            weight = tl.load(colour_ptr + colour * LDO + column) * style
            tl.store(share + colour * m_total, tl.sum(acc * weight[None, :], axis=1), mask=m < m_total)
    if STORE:
        if NEXT:
            acc = acc * tl.load(next_ptr + sample * style_stride + column)[None, :]
        target = out_ptr + (sample * out_rows + row[:, None]) * LDO + column[None, :]
        tl.store(target, acc.to(out_ptr.dtype.element_ty), mask=valid[:, None])


@triton.jit
def enter(
    picture_ptr,  # samples x 3 x side x side, float32
    weight_ptr,  # 3 x CHANNELS, float32
    bias_ptr,
    out_ptr,
    out_rows,
    side,
    CHANNELS: tl.constexpr,
    BM: tl.constexpr,
):
    """The first layer: a 1 x 1 convolution of the picture, bias and activation."""
    pitch = side + 1
    sample = tl.program_id(1)
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    y = m // pitch
    x = m - y * pitch
    valid = (x < side) & (y < side)
    channel = tl.arange(0, CHANNELS)
    acc = tl.zeros((BM, CHANNELS), dtype=tl.float32) + tl.load(bias_ptr + channel)[None, :]
    for colour in tl.static_range(3):
        level = tl.load(picture_ptr + (sample * 3 + colour) * side * side + y * side + x, mask=valid, other=0.0)
        acc += level[:, None] * tl.load(weight_ptr + colour * CHANNELS + channel)[None, :]
    target = out_ptr + (sample * out_rows + (m + 1 + pitch)[:, None]) * CHANNELS + channel[None, :]
    tl.store(target, leaky(acc).to(out_ptr.dtype.element_ty), mask=valid[:, None])


@triton.jit
def _tap(i: tl.constexpr):
    """[1, 3, 3, 1] / 8."""
    return 0.125 if i == 0 or i == 3 else 0.375


@triton.jit
def blur(
    in_ptr,  # samples x in_rows x CHANNELS, flat padded
    out_ptr,  # samples x out_rows x CHANNELS: four planes of (side / 2 + 1)^2 rows
    in_rows,
    out_rows,
    side,
    CHANNELS: tl.constexpr,
    BM: tl.constexpr,
    BC: tl.constexpr,
):
    """The low-pass filter before a convolution of stride 2, on a map with two zeros around; odd and even pixels apart.

    A program makes squares of 2 x 2 pixels, which share most of what they see; rows first, then columns.
    """
    pitch = side + 1
    half = side // 2 + 1
    plane = half * half
    sample = tl.program_id(2)
    p = tl.program_id(0) * BM + tl.arange(0, BM)
    i = p // half
    j = p - i * half
    channel = tl.program_id(1) * BC + tl.arange(0, BC)
    even_even = tl.zeros((BM, BC), dtype=tl.float32)
    even_odd = tl.zeros((BM, BC), dtype=tl.float32)
    odd_even = tl.zeros((BM, BC), dtype=tl.float32)
    odd_odd = tl.zeros((BM, BC), dtype=tl.float32)
    for r in tl.static_range(5):
        y = 2 * i + (r - 2)
        even = tl.zeros((BM, BC), dtype=tl.float32)
        odd = tl.zeros((BM, BC), dtype=tl.float32)
        for c in tl.static_range(5):
            x = 2 * j + (c - 2)
            inside = (y >= 0) & (y < side) & (x >= 0) & (x < side) & (p < plane)
            source = in_ptr + (sample * in_rows + 1 + (y + 1) * pitch + x)[:, None] * CHANNELS + channel[None, :]
            value = tl.load(source, mask=inside[:, None], other=0.0).to(tl.float32)
            if c < 4:
                even += _tap(c) * value
            if c > 0:
                odd += _tap(c - 1) * value
        if r < 4:
            even_even += _tap(r) * even
            even_odd += _tap(r) * odd
        if r > 0:
            odd_even += _tap(r - 1) * even
            odd_odd += _tap(r - 1) * odd
    target = out_ptr + (sample * out_rows + p)[:, None] * CHANNELS + channel[None, :]
    kept = (p < plane)[:, None]
    tl.store(target, even_even.to(out_ptr.dtype.element_ty), mask=kept)
    tl.store(target + plane * CHANNELS, even_odd.to(out_ptr.dtype.element_ty), mask=kept)
    tl.store(target + 2 * plane * CHANNELS, odd_even.to(out_ptr.dtype.element_ty), mask=kept)
    tl.store(target + 3 * plane * CHANNELS, odd_odd.to(out_ptr.dtype.element_ty), mask=kept)


@triton.jit
def widen(
    in_ptr,  # samples x in_rows x CHANNELS: the four phases, planes of (side + 1)^2 rows
    out_ptr,  # samples x out_rows x LDO, flat padded, twice the side
    bias_ptr,
    next_ptr,
    in_rows,
    out_rows,
    style_stride,
    side,
    CHANNELS: tl.constexpr,
    LDO: tl.constexpr,
    BM: tl.constexpr,
    BC: tl.constexpr,
):
    """The low-pass filter after a transposed convolution, then bias, activation and the next layer's modulation.

    A program makes squares of 2 x 2 pixels, as in `blur`.
    """
    low = side + 1
    pitch = 2 * side + 1
    sample = tl.program_id(2)
    p = tl.program_id(0) * BM + tl.arange(0, BM)
    i = p // side
    j = p - i * side
    channel = tl.program_id(1) * BC + tl.arange(0, BC)
    even_even = tl.zeros((BM, BC), dtype=tl.float32)
    even_odd = tl.zeros((BM, BC), dtype=tl.float32)
    odd_even = tl.zeros((BM, BC), dtype=tl.float32)
    odd_odd = tl.zeros((BM, BC), dtype=tl.float32)
    for r in tl.static_range(5):
        y = 2 * i + (r - 1)
        even = tl.zeros((BM, BC), dtype=tl.float32)
        odd = tl.zeros((BM, BC), dtype=tl.float32)
        for c in tl.static_range(5):
            x = 2 * j + (c - 1)
            inside = (y >= 0) & (y <= 2 * side) & (x >= 0) & (x <= 2 * side) & (i < side)
            row = (((r + 1) % 2) * 2 + (c + 1) % 2) * low * low + ((y + 2) // 2 - 1) * low + (x + 2) // 2 - 1
            source = in_ptr + (sample * in_rows + row)[:, None] * CHANNELS + channel[None, :]
            value = tl.load(source, mask=inside[:, None], other=0.0).to(tl.float32)
            if c < 4:
                even += 2 * _tap(c) * value
            if c > 0:
                odd += 2 * _tap(c - 1) * value
        if r < 4:
            even_even += 2 * _tap(r) * even
            even_odd += 2 * _tap(r) * odd
        if r > 0:
            odd_even += 2 * _tap(r - 1) * even
            odd_odd += 2 * _tap(r - 1) * odd
    bias = tl.load(bias_ptr + channel)[None, :]
    following = tl.load(next_ptr + sample * style_stride + channel)[None, :]
    target = out_ptr + (sample * out_rows + 1 + (2 * i + 1) * pitch + 2 * j)[:, None] * LDO + channel[None, :]
    kept = (i < side)[:, None]
    tl.store(target, (leaky(even_even + bias) * following).to(out_ptr.dtype.element_ty), mask=kept)
    tl.store(target + LDO, (leaky(even_odd + bias) * following).to(out_ptr.dtype.element_ty), mask=kept)
    tl.store(target + pitch * LDO, (leaky(odd_even + bias) * following).to(out_ptr.dtype.element_ty), mask=kept)
    tl.store(target + (pitch + 1) * LDO, (leaky(odd_odd + bias) * following).to(out_ptr.dtype.element_ty), mask=kept)


@triton.jit
def inject(
    feature_ptr,  # samples x rows x CHANNELS
    first_ptr,  # samples x rows x 2 CHANNELS: the input of the second convolution of this size
    second_ptr,  # the same of the next size's first
    strength_ptr,  # float32: of the first slot, of the second
    first_bias_ptr,
    second_bias_ptr,
    first_next_ptr,
    second_next_ptr,
    colour_ptr,
    colour_style_ptr,
    rgb_ptr,  # samples x 3 x m_total
    rows,
    style_stride,
    m_total,
    side,
    CHANNELS: tl.constexpr,
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
    BM: tl.constexpr,
):
    """The encoder's half of both concatenations of one size, and what it contributes to the picture."""
    pitch = side + 1
    sample = tl.program_id(1)
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    valid = (m % pitch < side) & (m < m_total)
    channel = tl.arange(0, CHANNELS)
    row = sample * rows + m + 1 + pitch
    styles = sample * style_stride + channel
    feature = tl.load(feature_ptr + row[:, None] * CHANNELS + channel[None, :], mask=valid[:, None], other=0.0).to(tl.float32)
    target = row[:, None] * (2 * CHANNELS) + CHANNELS + channel[None, :]
    if FIRST:
        value = leaky(feature * tl.load(strength_ptr) + tl.load(first_bias_ptr + channel)[None, :])
        value = value * tl.load(first_next_ptr + styles)[None, :]
        tl.store(first_ptr + target, value.to(first_ptr.dtype.element_ty), mask=valid[:, None])
    value = leaky(feature * tl.load(strength_ptr + 1) + tl.load(second_bias_ptr + channel)[None, :])
    style = tl.load(colour_style_ptr + styles)
    for colour in tl.static_range(3):
        weight = tl.load(colour_ptr + colour * 2 * CHANNELS + channel) * style
        tl.store(rgb_ptr + (sample * 3 + colour) * m_total + m, tl.sum(value * weight[None, :], axis=1), mask=m < m_total)
    if SECOND:
        value = value * tl.load(second_next_ptr + styles)[None, :]
        tl.store(second_ptr + target, value.to(second_ptr.dtype.element_ty), mask=valid[:, None])


@triton.jit
def paint(
    own_ptr,  # samples x TILES x 3 x side * (side + 1): from the decoder's features
    encoder_ptr,  # samples x 3 x side * (side + 1): from the encoder's
    coarse_ptr,  # samples x 3 x side / 2 x side / 2: the picture so far
    scale_ptr,  # samples x style_stride: factor on the colours
    bias_ptr,
    out_ptr,  # samples x 3 x side x side, float32
    style_stride,
    side,
    TILES: tl.constexpr,
    COARSE: tl.constexpr,
    BM: tl.constexpr,
):
    """The picture of one size: the features' colours on the coarser picture, which a bilinear filter enlarges."""
    pitch = side + 1
    sample = tl.program_id(2)
    colour = tl.program_id(1)
    p = tl.program_id(0) * BM + tl.arange(0, BM)
    inside = p < side * side
    y = p // side
    x = p - y * side
    m = y * pitch + x
    m_total = side * pitch
    value = tl.load(encoder_ptr + (sample * 3 + colour) * m_total + m, mask=inside, other=0.0)
    for tile in tl.static_range(TILES):
        value += tl.load(own_ptr + ((sample * TILES + tile) * 3 + colour) * m_total + m, mask=inside, other=0.0)
    value = value * tl.load(scale_ptr + sample * style_stride + colour) + tl.load(bias_ptr + colour)
    if COARSE:
        half = side // 2
        source = coarse_ptr + (sample * 3 + colour) * half * half
        near_y = y // 2
        near_x = x // 2
        far_y = near_y + (y % 2) * 2 - 1
        far_x = near_x + (x % 2) * 2 - 1
        has_y = inside & (far_y >= 0) & (far_y < half)
        has_x = inside & (far_x >= 0) & (far_x < half)
        value += 0.5625 * tl.load(source + near_y * half + near_x, mask=inside, other=0.0)
        value += 0.1875 * tl.load(source + near_y * half + far_x, mask=has_x, other=0.0)
        value += 0.1875 * tl.load(source + far_y * half + near_x, mask=has_y, other=0.0)
        value += 0.0625 * tl.load(source + far_y * half + far_x, mask=has_x & has_y, other=0.0)
    tl.store(out_ptr + (sample * 3 + colour) * side * side + p, value, mask=inside)
