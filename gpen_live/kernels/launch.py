"""Launching Triton's kernels, and compiling them ahead. Imports triton: import this module late."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
import triton
from triton.runtime import _async_compile

_MOST_THREADS = 8

Launch = Callable[..., None]
"""A way to treat a kernel, its grid and its arguments: `launch` or `prepare`."""


_AHEAD: ContextVar[bool] = ContextVar("ahead", default=False)


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    """Launches a kernel on the current stream."""
    if _AHEAD.get():
        prepare(kernel, grid, *arguments, **constants)
    else:
        kernel[grid](*arguments, **constants)


def prepare(kernel: Any, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    """Compiles a kernel for arguments of this kind."""
    kernel.warmup(*arguments, grid=grid, **constants)


@contextmanager
def together(*, ignore_errors: bool = False) -> Iterator[None]:
    """Kernels that are prepared inside are compiled side by side, and are ready at the end.

    Args:
        ignore_errors: leave out what the card or the compiler refuses; else that is raised.
    """
    pool = ThreadPoolExecutor(max(1, min(_MOST_THREADS, (os.cpu_count() or 2) // 2)))  # the live picture needs some too
    try:
        with triton.AsyncCompileMode(pool, ignore_errors=ignore_errors):
            yield
    finally:
        pool.shutdown(cancel_futures=True)
        _async_compile.active_mode.set(None)  # Triton leaves it on where a kernel was refused


@contextmanager
def ahead() -> Iterator[None]:
    """What this thread launches inside is compiled instead, side by side: what it would write is not written."""
    token = _AHEAD.set(True)
    try:
        with together():
            yield
    finally:
        _AHEAD.reset(token)


@contextmanager
def guarded(device: torch.device) -> Iterator[None]:
    """Launches inside go to this device. What Triton, and the compiler that it calls, raise becomes RuntimeError."""
    try:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    except RuntimeError:
        raise
    except Exception as error:  # Triton's own kinds, the compiler's, those of a damaged cache on disk
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise RuntimeError(f"Triton can't run the network here: {last}") from error
