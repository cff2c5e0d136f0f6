"""Fine timers while an output is open, by stand-ins for Windows and macOS; and what the output is like without them."""

from __future__ import annotations

import ctypes
import math
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gpen_live.live.config import LiveConfig
from gpen_live.live.pacing import clock
from gpen_live.live.pacing.clock import Ticker
from gpen_live.live.pipeline import LivePipeline
from gpen_live.system.timers import FineTimers, fine_on_macos, fine_on_windows
from tests.live.fakes import World, wait_for

WINDOWS_S = 1 / 64
"""How often Windows wakes threads unless it is asked for more: every 15.6 ms."""


class Windows:
    """winmm and kernel32; Windows 10 knows no timer resolution to be ignored."""

    def __init__(self, version: int) -> None:
        self.period_ms = 16
        self.throttling: tuple[int, int] | None = None
        self.winmm = SimpleNamespace(timeBeginPeriod=self._begin, timeEndPeriod=self._end)
        self.kernel32 = SimpleNamespace(SetProcessInformation=self._set)
        self._known = 0x5 if version >= 11 else 0x1

    def _begin(self, period_ms: int) -> int:
        self.period_ms = period_ms
        return 0

    def _end(self, period_ms: int) -> int:
        assert period_ms == self.period_ms
        self.period_ms = 16
        return 0

    def _set(self, process: Any, kind: int, state: Any, size: int) -> int:
        version, control, wanted = (getattr(state._obj, name) for name in ("version", "control", "state"))
        assert (process.value, kind, version, size) == (ctypes.c_void_p(-1).value, 4, 1, 3 * ctypes.sizeof(ctypes.c_ulong))
        if control & ~self._known:
            return 0
        self.throttling = (control, wanted)
        return 1


@pytest.mark.parametrize(("version", "never"), [(10, 0x1), (11, 0x5)])
def test_windows_is_asked_for_a_millisecond_that_holds_for_a_minimised_window(version: int, never: int) -> None:
    windows = Windows(version)
    release = fine_on_windows(windows)
    assert windows.period_ms == 1
    assert windows.throttling == (never, 0)
    release()
    assert windows.period_ms == 16
    assert windows.throttling == (0, 0), "as the system thinks right"


class Mac:
    """Objective-C: objects are numbers; `sent` are the messages."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, tuple[Any, ...]]] = []
        self.objects: list[str] = [""]

    def _new(self, name: str) -> int:
        self.objects.append(name)
        return len(self.objects) - 1

    def get_class(self, name: str) -> int:
        return self._new(name)

    def text(self, words: str) -> int:
        return self._new(words)

    def send(self, receiver: int, selector: str, *arguments: Any, types: tuple[Any, ...] = ()) -> int:
        assert 0 < receiver < len(self.objects)
        assert len(arguments) == len(types) == selector.count(":")
        self.sent.append((selector, arguments))
        return self._new(selector)


def test_macos_is_told_of_an_activity_that_ends() -> None:
    mac = Mac()
    release = fine_on_macos(mac)
    options, reason = next(arguments for selector, arguments in mac.sent if selector.startswith("beginActivity"))
    assert options & 0xFF00000000 == 0xFF00000000, "critical in time"
    assert not options & 1 << 20, "the machine may sleep"
    assert mac.objects[reason]
    begun = mac.objects.index("beginActivityWithOptions:reason:")
    mac.sent.clear()
    release()
    assert mac.sent == [("endActivity:", (begun,)), ("release", ())]


@pytest.mark.skipif(sys.platform != "win32", reason="the real thing")
def test_windows_takes_it() -> None:
    fine_on_windows()()


@pytest.mark.skipif(sys.platform != "darwin", reason="the real thing")
def test_macos_takes_it() -> None:
    fine_on_macos()()


class Asked:
    """A system that notes what it is asked."""

    def __init__(self) -> None:
        self.held = self.times = 0

    def __call__(self) -> Callable[[], None]:
        self.held, self.times = self.held + 1, self.times + 1
        return self._release

    def _release(self) -> None:
        self.held -= 1


def test_the_first_asks_and_the_last_gives_back() -> None:
    asked = Asked()
    timers = FineTimers(asked)
    for _ in range(2):
        timers.hold()
        timers.hold()
        assert asked.held == 1
        timers.give_back()
        assert asked.held == 1
        timers.give_back()
        assert asked.held == 0
    assert asked.times == 2


def test_a_system_that_refuses_is_no_failure() -> None:
    def refuse() -> Callable[[], None]:
        raise OSError("no such function")

    timers = FineTimers(refuse)
    timers.hold()
    timers.give_back()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_they_are_fine_while_an_output_is_open(world: World) -> None:
    from tests.live.fakes import FakeSink

    asked = Asked()
    world.sinks["vcam"] = FakeSink()
    pipeline = LivePipeline(LiveConfig(fps=100.0))
    pipeline._session.timers = FineTimers(asked)
    pipeline.start()
    try:
        wait_for(lambda: pipeline.meters.counts().sent > 5)
        assert asked.held == 0, "without an output, ticks may be late"
        pipeline.change(sinks=("vcam",))
        wait_for(lambda: asked.held == 1)
        pipeline.change(sinks=())
        wait_for(lambda: asked.held == 0)
        pipeline.change(sinks=("vcam",))
        wait_for(lambda: asked.held == 1)
    finally:
        pipeline.stop()
    assert asked.held == 0


# What rounding does to the output


class Rounding(threading.Event):
    """An event whose waits end at a multiple of `step` seconds, on a clock that only waits move on."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step, self.at = step, 100.0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        due = self.at + timeout
        self.at = max(math.ceil(due / self.step - 1e-9) * self.step, self.at)
        return False


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], tuple[float, float]]:
    """Ticks a second, and how many milliseconds they lie beside an even rhythm (p95), at a rate and a step of the waits."""

    def measured(fps: float, step: float) -> tuple[float, float]:
        stop = Rounding(step)
        monkeypatch.setattr(clock, "now", lambda: stop.at)
        ticker = Ticker(fps)
        times = []
        for _ in range(600):
            ticker.wait(stop)
            times.append(stop.at)
            stop.at += 0.0005  # what a tick's own work takes
        gaps_ms = np.diff(times) * 1e3
        return 599 / (times[-1] - times[0]), float(np.percentile(np.abs(gaps_ms - 1e3 / fps), 95))

    return measured


@pytest.mark.parametrize(
    ("fps", "rate", "jitter_ms"),
    [(30.0, 30.0, 13.5), (60.0, 60.0, 14.6), (120.0, 64.0, 7.3)],
)
def test_what_waits_of_16_ms_do_to_the_rhythm_and_waits_of_1_ms_do_not(
    ticks: Callable[[float, float], tuple[float, float]], fps: float, rate: float, jitter_ms: float
) -> None:
    coarse, fine = ticks(fps, WINDOWS_S), ticks(fps, 0.001)
    assert coarse[0] == pytest.approx(rate, rel=0.02)
    assert coarse[1] == pytest.approx(jitter_ms, rel=0.05)
    assert fine[0] == pytest.approx(fps, rel=0.02)
    assert fine[1] < 1.01
