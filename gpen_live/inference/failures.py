"""What a device's errors mean: whether its memory is full, or whether it is lost to this process."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from enum import Enum

_FULL = ("out of memory", "defaultcpuallocator", "cudaerrormemoryallocation", "cublas_status_alloc_failed")
_LOST = (
    # After these every call of the process to the device fails ("sticky" errors of the CUDA runtime, in its own words, as
    # PyTorch and Triton hand them on).
    "unspecified launch failure",
    "illegal memory access",
    "illegal instruction",
    "misaligned address",
    "invalid program counter",
    "operation not supported on global/shared address space",
    "hardware stack error",
    "device-side assert",
    "launch timed out",
    "uncorrectable ecc",
    "uncorrectable nvlink",
    "context is destroyed",
    "gpu has fallen off the bus",
    "gpu is lost",
    "no cuda-capable device is detected",
    "busy or unavailable",
    "cuda error: unknown error",
    "[cuda]: unknown error",
    "driver shutting down",
)


class Failure(Enum):
    """FULL: there is no memory left on the device. LOST: this process can't use it any more."""

    FULL = "full"
    LOST = "lost"


def failure_of(error: BaseException) -> Failure | None:
    """What an error of PyTorch, Triton, or one that was raised from such, says about the device; None: nothing."""
    causes = list(_causes(error))
    if any(word in str(cause).lower() for cause in causes for word in _LOST):
        return Failure.LOST
    full = any(isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError" for cause in causes)
    if full or any(word in str(cause).lower() for cause in causes for word in _FULL):
        return Failure.FULL
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def keep_for_ever(thing: object) -> None:
    """What belongs to a lost device must not even be freed.

    PyTorch notes on the device when page-locked memory is free again; on a lost one that fails in a place from which no error
    can be raised, and the process ends. So it is kept, and not freed at the end of the process either.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
