"""Threads that are in no hurry."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

_NICE = 10
_BELOW_NORMAL = -1  # Windows's THREAD_PRIORITY_BELOW_NORMAL
_UTILITY = 0x11  # macOS's QOS_CLASS_UTILITY


def give_way() -> None:
    """From now on the calling thread works when others leave it time, as far as the system knows such a thing."""
    with suppress(OSError, AttributeError):
        if sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _BELOW_NORMAL)
        elif sys.platform == "darwin":
            import ctypes

            ctypes.CDLL(None).pthread_set_qos_class_self_np(_UTILITY, 0)
        else:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
