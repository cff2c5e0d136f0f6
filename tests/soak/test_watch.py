"""What is counted at source and sink."""

from __future__ import annotations

import numpy as np
import pytest

from gpen_live.frame import Array, Image
from gpen_live.soak import watch as room
from gpen_live.soak.watch import Span, Watch


class Clock:
    at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(room, "now", clock)
    return clock


def grey() -> Image:
    return np.full((180, 320, 3), 90, np.uint8)


def frames(watch: Watch, clock: Clock, count: int) -> list[Array]:
    """Captured one after the other, 33 ms apart."""
    made = []
    for _ in range(count):
        image = grey()
        watch.captured(image, clock.at)
        made.append(image[:, :, 1])
        clock.at += 1 / 30
    return made


def test_frames_in_order_are_fresh_and_timed(clock: Clock) -> None:
    watch = Watch()
    for i, one in enumerate(frames(watch, clock, 30)):
        watch.sent(one, 100 + i / 30 + 0.02)
    seen = watch.look()
    assert (seen.captured, seen.sent, seen.fresh) == (30, 30, 30)
    assert (watch.backwards, watch.unreadable, watch.black) == (0, 0, 0)
    count, times = watch.latencies()
    assert count == 30
    assert times.p50 == pytest.approx(20, abs=0.1)
    assert watch.latencies()[0] == 0, "each counts once"
    assert seen.output.slip_ms(30) == pytest.approx(0, abs=1e-6)


def test_repeated_and_older_frames_are_told_apart(clock: Clock) -> None:
    watch = Watch()
    first, second = frames(watch, clock, 2)
    for one in (first, second, second, first):
        watch.sent(one, clock.at)
    seen = watch.look()
    assert (seen.sent, seen.fresh, watch.backwards) == (4, 2, 1)


def test_black_and_damaged_frames_are_counted(clock: Clock) -> None:
    watch = Watch()
    watch.sent(grey()[:, :, 1], clock.at)
    watch.sent(np.zeros((180, 320), np.uint8), clock.at)
    assert (watch.unreadable, watch.black) == (2, 1)


def test_a_pause_is_seen_while_it_goes_on_and_an_excused_one_is_not(clock: Clock) -> None:
    watch = Watch()
    one, two, three = frames(watch, clock, 3)
    watch.sent(one, clock.at)
    clock.at += 2
    assert watch.look().pause_s == pytest.approx(2)
    watch.sent(two, clock.at)
    watch.look()
    watch.excuse(disturbed=True, pause=True, still=True)
    clock.at += 5
    watch.sent(three, clock.at)
    watch.excuse(disturbed=False)
    assert watch.look().pause_s == pytest.approx(0)
    assert watch.latencies()[0] == 2, "the excused frame's latency does not count"


def test_the_same_frame_again_and_again_is_a_standstill_but_no_pause(clock: Clock) -> None:
    watch = Watch()
    (one,) = frames(watch, clock, 1)
    for _ in range(60):
        clock.at += 1 / 30
        watch.sent(one, clock.at)
    seen = watch.look()
    assert seen.still_s == pytest.approx(59 / 30)
    assert seen.pause_s == pytest.approx(1 / 30)


def test_a_span_tells_a_clock_that_runs_slow_from_frames_left_out() -> None:
    left_out, slow = Span(), Span()
    for i in range(150):
        if i % 7:
            left_out.add(i / 30)
        slow.add(i / 30 * 1.001)
    assert left_out.slip_ms(30) == pytest.approx(0, abs=1e-6)
    assert slow.slip_ms(30) == pytest.approx(149 / 30 * 1.0, abs=0.01)
    assert Span().slip_ms(30) == 0
