"""Memory that was freed, back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Asks glibc for the free pages in its heap; where there is another C library, nothing happens.

    Loading frees large tensors between small ones that stay, which glibc keeps for later: 300 MB after GPEN-512.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)
