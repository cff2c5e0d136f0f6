"""GPEN's style code and all that follows from it, in Triton: codes, styles, and the factors around each convolution.

Small layers that wait for each other, in float32. Imports triton: import this module late.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpen_live.kernels.gpen_kernels import leaky


@triton.jit
def encode(
    feature_ptr,  # samples x rows x CHANNELS, flat padded, 4 x 4 pixels
    weight_ptr,  # OUT x 16 CHANNELS: pixels, then channels
    bias_ptr,
    out_ptr,  # samples x OUT
    rows,
    OUT: tl.constexpr,
    CHANNELS: tl.constexpr,
    BO: tl.constexpr,
):
    """The style code of the coarsest features: a linear layer and activation."""
    sample = tl.program_id(1)
    outputs = tl.program_id(0) * BO + tl.arange(0, BO)
    channel = tl.arange(0, CHANNELS)
    acc = tl.zeros((BO, CHANNELS), dtype=tl.float32)
    for pixel in tl.static_range(16):
        row = 1 + (pixel // 4 + 1) * 5 + pixel % 4
        x = tl.load(feature_ptr + (sample * rows + row) * CHANNELS + channel).to(tl.float32)
        w = tl.load(weight_ptr + (outputs[:, None] * 16 + pixel) * CHANNELS + channel[None, :])
        acc += w.to(tl.float32) * x[None, :]
    value = leaky(tl.sum(acc, axis=1) + tl.load(bias_ptr + outputs))
    tl.store(out_ptr + sample * OUT + outputs, value)


@triton.jit
def linear(
    x_ptr,  # samples x IN
    weight_ptr,  # outputs x IN
    bias_ptr,
    out_ptr,  # samples x out_stride
    out_stride,
    IN: tl.constexpr,
    NORMALISED: tl.constexpr,
    ACTIVE: tl.constexpr,
    BO: tl.constexpr,
):
    """A linear layer, its input scaled to a root mean square of one or not, with activation or without."""
    sample = tl.program_id(1)
    outputs = tl.program_id(0) * BO + tl.arange(0, BO)
    k = tl.arange(0, IN)
    w = tl.load(weight_ptr + outputs[:, None] * IN + k[None, :]).to(tl.float32)
    x = tl.load(x_ptr + sample * IN + k)
    if NORMALISED:
        x = x * (1.0 / tl.sqrt_rn(tl.sum(x * x, axis=0) / IN + 1e-8))
    value = tl.sum(w * x[None, :], axis=1) + tl.load(bias_ptr + outputs)
    if ACTIVE:
        value = leaky(value)
    tl.store(out_ptr + sample * out_stride + outputs, value)


@triton.jit
def modulate(
    style_ptr,  # samples x style_stride: the styles of all layers, one after the other
    energy_ptr,  # float32: outputs x inputs of each layer, one after the other
    table_ptr,  # int32, a row for each program: see below
    gain_ptr,  # float32 for each program; zero: no demodulation
    before_ptr,  # samples x style_stride: what the layers' inputs are multiplied by
    after_ptr,  # samples x after_stride: their outputs
    style_stride,
    after_stride,
    MOST: tl.constexpr,  # inputs of a layer
    BO: tl.constexpr,
):
    """From styles to the factors around each convolution; `nets.gpen._Modulation` says what they are."""
    sample = tl.program_id(1)
    row = table_ptr + tl.program_id(0) * 6
    inputs_at = tl.load(row)
    inputs = tl.load(row + 1)
    outputs_at = tl.load(row + 2)
    outputs = tl.load(row + 3)
    energy_at = tl.load(row + 4)
    writes = tl.load(row + 5)
    gain = tl.load(gain_ptr + tl.program_id(0))
    k = tl.arange(0, MOST)
    style = tl.load(style_ptr + sample * style_stride + inputs_at + k, mask=k < inputs, other=0.0)
    peak = tl.maximum(tl.max(tl.abs(style), axis=0), 1e-8)
    if writes > 0:
        tl.store(before_ptr + sample * style_stride + inputs_at + k, style / peak, mask=k < inputs)
    o = tl.arange(0, BO)
    used = o < outputs
    factor = tl.zeros((BO,), dtype=tl.float32) + peak
    if gain > 0:
        energy = tl.load(
            energy_ptr + energy_at + o[:, None] * inputs + k[None, :], mask=used[:, None] & (k < inputs)[None, :], other=0.0
        )
        factor = (peak * gain) / tl.sqrt_rn(tl.sum(energy * (style * style)[None, :], axis=1) + 1e-8)
    tl.store(after_ptr + sample * after_stride + outputs_at + o, factor, mask=used)


@triton.jit
def begin(
    constant_ptr,  # 16 x CHANNELS, float32
    style_ptr,
    out_ptr,  # samples x rows x CHANNELS, flat padded, 4 x 4 pixels
    rows,
    style_stride,
    CHANNELS: tl.constexpr,
):
    """What the generator starts from, modulated for its first convolution."""
    sample = tl.program_id(0)
    pixel = tl.program_id(1)
    channel = tl.arange(0, CHANNELS)
    value = tl.load(constant_ptr + pixel * CHANNELS + channel) * tl.load(style_ptr + sample * style_stride + channel)
    row = 1 + (pixel // 4 + 1) * 5 + pixel % 4
    tl.store(out_ptr + (sample * rows + row) * CHANNELS + channel, value.to(out_ptr.dtype.element_ty))
