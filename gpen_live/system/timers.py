"""Waits that end when they are due, for as long as somebody needs them: systems round them up to save power.

Windows wakes threads every 15.6 ms unless a program asks for more, and since version 11 no longer heeds that of a minimised
window unless it insists. macOS lets the timers of a program sleep (App Nap) whose windows nobody sees. Linux does neither.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from collections.abc import Callable
from ctypes import util
from typing import Any, Final, Protocol

_log = logging.getLogger(__name__)

_PERIOD_MS: Final = 1
_PROCESS_POWER_THROTTLING: Final = 4
_EXECUTION_SPEED, _IGNORE_TIMER_RESOLUTION = 0x1, 0x4  # the second since Windows 11
# NSActivityUserInitiatedAllowingIdleSystemSleep and NSActivityLatencyCritical: whether the machine sleeps is the user's affair.
_ACTIVITY: Final = (0x00FFFFFF & ~(1 << 20)) | 0xFF00000000
_FOUNDATION: Final = "/System/Library/Frameworks/Foundation.framework/Foundation"

Release = Callable[[], None]


class FineTimers:
    """Counts who needs them: the first one has the system asked, the last one takes it back. Any thread may call it.

    Args:
        ask: asks the system, and gives what takes it back.
    """

    def __init__(self, ask: Callable[[], Release] | None = None) -> None:
        self._ask = ask or _asking(sys.platform)
        self._lock = threading.Lock()
        self._holders = 0
        self._release: Release | None = None

    def hold(self) -> None:
        """They are needed from now on; each call is followed by one of `give_back`. What the system refuses is logged."""
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._release = _tried(self._ask)

    def give_back(self) -> None:
        """They are needed by one less."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and self._release is not None:
                _tried(self._release)
                self._release = None


def _tried(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception:  # noqa: BLE001  the output ticks all the same, if less evenly
        _log.warning("the system's timers could not be set", exc_info=True)
        return None


def _asking(platform: str) -> Callable[[], Release]:
    return {"win32": fine_on_windows, "darwin": fine_on_macos}.get(platform, lambda: lambda: None)


class _PowerThrottling(ctypes.Structure):
    """PROCESS_POWER_THROTTLING_STATE: of the behaviours in `control`, those in `state` are wanted."""

    _fields_ = (("version", ctypes.c_ulong), ("control", ctypes.c_ulong), ("state", ctypes.c_ulong))


def fine_on_windows(libraries: Any = None) -> Release:
    """A period of 1 ms, which holds for a minimised window too.

    Args:
        libraries: has `winmm` and `kernel32`; None: ctypes.windll.
    """
    windll: Any = libraries or getattr(ctypes, "windll", None)
    windll.winmm.timeBeginPeriod(_PERIOD_MS)
    if not _throttle(windll, _EXECUTION_SPEED | _IGNORE_TIMER_RESOLUTION):
        _throttle(windll, _EXECUTION_SPEED)  # Windows 10 refuses what it doesn't know

    def release() -> None:
        _throttle(windll, 0)
        windll.winmm.timeEndPeriod(_PERIOD_MS)

    return release


def _throttle(windll: Any, never: int) -> bool:
    """Has the system never do `never` to this process, and all else as it thinks right; False where it refuses."""
    state = _PowerThrottling(version=1, control=never, state=0)
    process = ctypes.c_void_p(-1)  # GetCurrentProcess
    return bool(
        windll.kernel32.SetProcessInformation(process, _PROCESS_POWER_THROTTLING, ctypes.byref(state), ctypes.sizeof(state))
    )


class ObjectiveC(Protocol):
    """The little of Objective-C that is needed."""

    def get_class(self, name: str) -> int: ...

    def send(self, receiver: int, selector: str, *arguments: Any, types: tuple[Any, ...] = ()) -> int:
        """Sends a message whose arguments have these types, and gives the pointer that it returns."""

    def text(self, words: str) -> int:
        """An NSString."""


class _Runtime:
    def __init__(self) -> None:
        self._objc = ctypes.CDLL(util.find_library("objc") or "libobjc.dylib")
        ctypes.CDLL(_FOUNDATION)
        self._objc.objc_getClass.restype = self._objc.sel_registerName.restype = ctypes.c_void_p
        self._objc.objc_getClass.argtypes = self._objc.sel_registerName.argtypes = (ctypes.c_char_p,)

    def get_class(self, name: str) -> int:
        return int(self._objc.objc_getClass(name.encode()))

    def send(self, receiver: int, selector: str, *arguments: Any, types: tuple[Any, ...] = ()) -> int:
        # Each message has a C signature of its own, which Arm needs to be called by.
        signature = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, *types)
        call = signature(("objc_msgSend", self._objc))
        return int(call(receiver, self._objc.sel_registerName(selector.encode()), *arguments) or 0)

    def text(self, words: str) -> int:
        return self.send(self.get_class("NSString"), "stringWithUTF8String:", words.encode(), types=(ctypes.c_char_p,))


def fine_on_macos(objc: ObjectiveC | None = None) -> Release:
    """An activity of NSProcessInfo that is critical in time: no App Nap. `objc` None: the system's runtime."""
    system = _Runtime() if objc is None else objc
    info = system.send(system.get_class("NSProcessInfo"), "processInfo")
    pool = system.send(system.send(system.get_class("NSAutoreleasePool"), "alloc"), "init")
    activity = system.send(
        info,
        "beginActivityWithOptions:reason:",
        _ACTIVITY,
        system.text("Live video"),
        types=(ctypes.c_uint64, ctypes.c_void_p),
    )
    system.send(activity, "retain")
    system.send(pool, "drain")

    def release() -> None:
        system.send(info, "endActivity:", activity, types=(ctypes.c_void_p,))
        system.send(activity, "release")

    return release
