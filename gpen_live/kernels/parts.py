"""What the kernels of graphs, of light networks and of the detector share, in Triton. Imports triton: import this module late."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def outputs_of(BLOCK: tl.constexpr) -> tl.tensor:
    """The output channels of this program."""
    return tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)


@triton.jit
def pixels_of(PIXELS: tl.constexpr) -> tl.tensor:
    """The pixels of this program, counted through all pictures."""
    return tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)


@triton.jit
def write(out: tl.tensor, pixel: tl.tensor, inside: tl.tensor, channel: tl.tensor, values: tl.tensor, LINE: tl.constexpr) -> None:
    """Stores values (pixels x channels, float32) in the dtype of `out`; `pixel` counts through all pictures."""
    mask = inside[:, None] & (channel < LINE)[None, :]
    tl.store(out + pixel[:, None] * LINE + channel[None, :], values.to(out.dtype.element_ty), mask=mask)


@triton.jit
def product(a: tl.tensor, b: tl.tensor, total: tl.tensor) -> tl.tensor:
    """The sum of total and a b. Float32 stays float32: tf32 would cost accuracy that was asked for."""
    return tl.dot(a, b, total, input_precision="ieee")
