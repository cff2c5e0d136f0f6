from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.live import clock
from gpen_live.live.clock import Ticker


@given(st.floats(1, 240), st.lists(st.floats(0, 5), min_size=1, max_size=80))
def test_ticks_stay_on_the_grid_and_never_come_in_a_burst(fps: float, waits: list[float]) -> None:
    """However late the caller comes: ticks lie on multiples of the period, grow, and at most one of them is overdue."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: 100.0)
        ticker = Ticker(fps)
    at, last, ticks = 100.0, 100.0, 0
    for wait in waits:
        at += wait
        due = ticker.next_tick(at)
        ticks += 1
        steps = (due - 100.0) / ticker.period
        assert abs(steps - round(steps)) < 1e-6 * max(1.0, steps)
        assert due > last
        assert due > at - ticker.period - 1e-9
        last = due
        at = max(at, due)
    assert round((last - 100.0) / ticker.period) == ticks + ticker.missed


def test_on_time_no_tick_is_missed_and_there_is_no_drift() -> None:
    ticker = Ticker(30)
    start = ticker.next_tick(0.0) - ticker.period
    at = start
    for i in range(1, 100_000):
        at = ticker.next_tick(at + 0.001)
        assert abs(at - start - (i + 1) / 30) < 1e-6
    assert ticker.missed == 0


def test_waiting_ends_at_once_when_stopped() -> None:
    stop = threading.Event()
    stop.set()
    assert not Ticker(0.01).wait(stop)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match="not positive"):
        Ticker(fps)
