"""A small kernel for Triton to compile. Imports triton: import this module late."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def double(x: tl.tensor, n: tl.constexpr) -> None:
    """Doubles the first n values of x."""
    at = tl.arange(0, n)
    tl.store(x + at, tl.load(x + at) * 2)
