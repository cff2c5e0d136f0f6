from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.live.pacing import clock
from gpen_live.live.pacing.clock import PhaseLock, Ticker


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


def run_lock(
    source_fps: float,
    output_fps: float,
    jitter: float,
    seconds: float = 40.0,
    late: tuple[int, float] = (1, 0.0),
    grace: float = 0.0,
) -> tuple[list[float], list[float], int]:
    """Simulates a source whose frames are ready with `jitter` s of noise: waits of new frames, intervals of ticks, repeats.

    `late`: every so many frames one is later by so many seconds. `grace`: seconds for which a tick waits for a frame.
    """
    every, later = late
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: 0.0)
        ticker = Ticker(output_fps)
    lock = PhaseLock(ticker.period, grace=grace)
    ready = [
        0.013 + i / source_fps + abs(rng.normal(scale=jitter)) + (later if i % every == 0 else 0.0)
        for i in range(int(seconds * source_fps))
    ]
    at, taken, repeats = 0.0, -1, 0
    waits, ticks = [], []
    while at < seconds - 1:
        at = ticker.next_tick(at + 1e-6)
        ticks.append(at)
        newest = taken
        while newest + 1 < len(ready) and ready[newest + 1] <= at:
            newest += 1
        if newest == taken and newest + 1 < len(ready) and ready[newest + 1] <= at + grace:
            newest += 1
        if newest == taken:
            repeats += 1
            continue
        taken = newest
        waits.append(max(0.0, at - ready[taken]))
        ticker.shift(lock.advice((at - ready[taken]) % ticker.period))
    return waits, list(np.diff(ticks)), repeats


@pytest.mark.parametrize("source_fps", [30.0, 29.97, 30.02])
def test_ticks_settle_just_behind_the_frames(source_fps: float) -> None:
    waits, intervals, _ = run_lock(source_fps, 30.0, 0.0005)
    settled = waits[300:]
    assert np.median(settled) < 0.006
    assert max(settled) < 0.012, "no beat: no frame is missed and caught a period later"
    assert min(intervals) > 0.985 / 30
    assert max(intervals) < 1.015 / 30


def test_a_jittery_source_gets_a_wider_margin() -> None:
    calm, _, _ = run_lock(30.0, 30.0, 0.0002)
    waits, _, repeats = run_lock(30.0, 30.0, 0.003)
    assert np.median(waits[300:]) > np.median(calm[300:])
    assert repeats < 0.05 * len(waits)


@pytest.mark.parametrize("source_fps", [12.0, 24.0, 50.0])
def test_rates_that_do_not_match_leave_the_output_at_its_own(source_fps: float) -> None:
    _, intervals, _ = run_lock(source_fps, 30.0, 0.0005)
    assert 1 / np.mean(intervals) == pytest.approx(30.0, rel=0.004)


@pytest.mark.parametrize(("every", "later"), [(4, 0.009), (20, 0.004)])
def test_what_is_late_again_and_again_is_waited_for_and_no_longer(every: int, later: float) -> None:
    """A detector that runs in every fourth frame, a hold-up each second: their frames make their tick."""
    waits, _, repeats = run_lock(30.0, 30.0, 0.0003, late=(every, later))
    _, _, start = run_lock(30.0, 30.0, 0.0003, seconds=10.0, late=(every, later))
    assert repeats == start, "none after it has settled"
    assert np.median(waits[300:]) < 1.25 * later + 0.004


def test_with_a_grace_the_late_ones_are_waited_for_and_the_others_wait_less() -> None:
    """Frames that take 6 ms longer now and then no longer make all the others wait for as long."""
    late, grace = (6, 0.006), 0.2 / 30
    waits, intervals, repeats = run_lock(30.0, 30.0, 0.0005, late=late, grace=grace)
    patient, _, _ = run_lock(30.0, 30.0, 0.0005, late=late)
    _, _, start = run_lock(30.0, 30.0, 0.0005, seconds=10.0, late=late, grace=grace)
    assert repeats == start, "none after it has settled"
    assert np.median(waits[300:]) < 0.004 < 0.006 < np.median(patient[300:])
    assert max(intervals) < 1.015 / 30, "the ticks themselves are as even as ever"


def test_ticks_that_lie_just_before_the_frames_go_the_short_way() -> None:
    """Most frames are half a millisecond late for their tick, and wait for nearly a period: the ticks move on by as little."""
    lock = PhaseLock(1 / 30)
    asked = [lock.advice(1 / 30 - 0.0005 if i % 5 else 0.0002) for i in range(40)]
    assert min(asked) >= 0
    assert max(asked) > 0
