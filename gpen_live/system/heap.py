"""The C library's heap: kept in one piece, and what was freed of it back to the system."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_ARENA_MAX = -8  # mallopt's name for it, from glibc's malloc.h


def share_one() -> None:
    """Has all threads share one heap of glibc's; where there is another C library, nothing happens.

    To be called before there are threads: each would get a heap of its own, up to eight a core. A frame is made in one thread and
    freed in another, so all of these fill with holes, other ones after each change of camera or model: within an hour 100 MB.
    """
    adjust = _function("mallopt")
    if adjust is not None:
        adjust(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Asks glibc for the free pages in its heap; where there is another C library, nothing happens.

    Loading frees large tensors between small ones that stay, which glibc keeps for later: 300 MB after GPEN-512.
    """
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Any:
    """One of glibc's own; None elsewhere: musl has neither."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
