"""Leaving room: how long the engine is held back, on a clock of the test's own."""

from __future__ import annotations

import pytest

from gpen_live.live.pacing.duty_cycle import DutyCycle


class Time:
    def __init__(self) -> None:
        self.at = 100.0
        self.stopped = False

    def __call__(self) -> float:
        return self.at

    def pause(self, seconds: float) -> bool:
        assert seconds > 0
        if not self.stopped:
            self.at += seconds
        return self.stopped


@pytest.mark.parametrize(("share", "period_ms"), [(0.0, 20), (0.25, 80 / 3), (0.5, 40), (0.75, 80), (1.0, 200)])
def test_the_device_is_busy_for_its_share_at_most(share: float, period_ms: float) -> None:
    time = Time()
    room = DutyCycle(lambda: share, time.pause, time)
    for _ in range(10):
        begun = time.at
        time.at += 0.020
        room.leave(begun, 20.0)
        assert (time.at - begun) * 1e3 == pytest.approx(period_ms)


def test_time_that_passes_by_itself_counts() -> None:
    """A GPU that works for a part of the frame's time, or a camera that comes later anyway."""
    time = Time()
    room = DutyCycle(lambda: 0.5, time.pause, time)
    begun = time.at
    time.at += 0.010
    room.leave(begun, 2.0)
    assert time.at == begun + 0.010
    begun = time.at
    time.at += 0.003
    room.leave(begun, 2.0)
    assert time.at - begun == pytest.approx(0.004)


def test_nobody_is_held_back_once_it_stops_or_the_wish_changes() -> None:
    time = Time()
    share = [0.75]
    room = DutyCycle(lambda: share[0], time.pause, time)
    time.stopped = True
    room.leave(time.at, 1e6)
    assert time.at == 100.0
    time.stopped = False

    def pause(seconds: float) -> bool:
        share[0] = 0.0
        return time.pause(seconds)

    DutyCycle(lambda: share[0], pause, time).leave(time.at, 1e6)
    assert time.at < 100.2


def test_no_frame_is_waited_for_longer_than_half_a_second() -> None:
    """However long the one before took: viewers would see a picture that stands."""
    time = Time()
    room = DutyCycle(lambda: 0.9, time.pause, time)
    begun = time.at
    time.at += 8.0
    room.leave(begun, 8000.0)
    assert time.at - begun == pytest.approx(8.5)
