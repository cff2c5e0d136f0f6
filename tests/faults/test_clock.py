"""The system sleeps and wakes, the wall clock is set: no burst, nothing stale, and on it goes."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from gpen_live.inference.autotune_cpu import Pictures
from gpen_live.live import bypass, capture
from gpen_live.live.pacing import clock
from gpen_live.live.pacing.clock import Sleep, Ticker
from gpen_live.look import Look
from gpen_live.sources.camera import CameraSource
from tests.faults.conftest import Measured, Start
from tests.faults.fakes import RAW, SIZE, Gated, World, goes_on, ordered, seconds_until
from tests.live.fakes import FakeSource, number_of, wait_for

HOURS = 3 * 3600.0


class Clocks:
    """The system's: `slept` is what the one that goes on while it sleeps is ahead by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept = 0.0
        plain = clock.now
        # Every room took its own name for it.
        for name, room in [(name, room) for name, room in sys.modules.items() if name.startswith("gpen_live.live.")]:
            if getattr(room, "now", None) is plain:
                monkeypatch.setattr(sys.modules[name], "now", lambda: plain() + self.slept)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_the_two_clocks_run_alike_while_the_system_is_awake() -> None:
    one, other = clock.now(), clock.awake()
    time.sleep(0.2)
    assert abs((clock.now() - one) - (clock.awake() - other)) < 0.1
    assert Sleep().ended_at() == float("-inf")


def test_a_sleep_is_noticed_once_by_whoever_looks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    at = {"now": 100.0, "awake": 50.0}
    monkeypatch.setattr(clock, "now", lambda: at["now"])
    monkeypatch.setattr(clock, "awake", lambda: at["awake"])
    sleep = Sleep()
    at["now"], at["awake"] = 200.0, 150.0
    assert sleep.ended_at() == float("-inf"), "a long time awake is no sleep"
    at["now"] += HOURS
    assert sleep.ended_at() == at["now"]
    ended = at["now"]
    at["now"], at["awake"] = at["now"] + 5, at["awake"] + 5
    assert sleep.ended_at() == ended


def test_after_a_sleep_the_ticks_go_on_without_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr(clock, "now", lambda: at[0])
    ticker = Ticker(30)
    for _ in range(5):
        at[0] = ticker.next_tick(at[0])
    at[0] += HOURS
    due = [ticker.next_tick(at[0]) for _ in range(3)]
    assert due[0] > at[0] - 1.5 * ticker.period
    assert due[2] - due[0] == pytest.approx(2 * ticker.period)
    assert ticker.missed == pytest.approx(HOURS * 30, abs=2)


def test_after_a_sleep_nothing_that_was_captured_before_goes_out(
    clocks: Clocks, start: Start, figure: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bypass, "_GRACE_S", 60.0)  # that is another fault
    world = World()
    world.source = source = Gated()
    comes_back = threading.Event()

    def busy(pictures: Pictures) -> Pictures:
        comes_back.wait(20)
        return pictures + np.float32(0.2)

    pipeline = start(world.outside)
    wait_for(lambda: pipeline.snapshot().counts.enhanced > 20)
    world.network.fault = busy
    calls = world.network.calls
    wait_for(lambda: world.network.calls > calls)
    captured = pipeline.snapshot().counts.captured
    wait_for(lambda: pipeline.snapshot().counts.captured > captured)
    source.gate.clear()
    wait_for(lambda: source.waits)
    goes_on(world.sink)
    sent, held = world.numbers(), pipeline.snapshot().counts
    assert held.captured > sent[-1] + 2, "one frame is in the network, and one waits for it"
    clocks.slept += HOURS
    comes_back.set()
    wait_for(lambda: pipeline.snapshot().counts.dropped >= held.dropped + 2)
    goes_on(world.sink, 20)
    assert set(world.numbers()[len(sent) :]) == {sent[-1]}, "the last frame stays until there is a new one"
    newest = source.number
    source.gate.set()
    figure("system woken: fresh frames go out", seconds_until(lambda: world.numbers()[-1] > newest))
    wait_for(world.is_enhanced)
    assert len(world.sink.sent) - len(sent) < 600, "no burst: three hours have 600 000 frames"
    assert ordered(world.numbers())


def test_what_a_cameras_driver_still_held_is_left_out(clocks: Clocks, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It delivers that at once when the system wakes, and only then what it sees."""

    class Held(FakeSource, CameraSource):  # type: ignore[misc]  # a picture or none, against always a picture
        """A camera; its first frames after `wake` are old ones."""

        index, namesakes = 0, frozenset[int]()

    world = World()
    world.source = camera = Held(fps=60.0, size=SIZE)
    monkeypatch.setattr(capture, "_DRAINED_S", 0.5)
    pipeline = start(world.outside, source="camera:0", look=Look(enhance=False))
    wait_for(lambda: len(world.sink.sent) > 5)
    assert world.level() == RAW
    clocks.slept += HOURS
    newest = camera.number
    wait_for(lambda: number_of(world.sink.sent[-1]) > newest + 10)
    stale = [number for number in world.numbers() if newest + 2 < number < newest + 15]
    assert stale == []
    assert pipeline.error() is None


@pytest.mark.parametrize("jump", [-HOURS, HOURS])
def test_the_wall_clock_may_be_set(jump: float, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    pipeline = start(world.outside)
    wait_for(world.is_enhanced)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + jump)
    dropped = pipeline.snapshot().counts.dropped
    goes_on(world.sink, 60)
    counts = pipeline.snapshot().counts
    wait_for(world.is_enhanced)
    assert counts.out_of_order == 0
    assert counts.dropped - dropped < 30
    assert 0 <= pipeline.snapshot().stages["end_to_end"].max < 2000
