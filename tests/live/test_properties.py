"""Slot, ticks and phase lock against anything that threads and clocks may do to them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.live.pacing import clock
from gpen_live.live.pacing.clock import PhaseLock, Ticker
from gpen_live.live.slot import Slot

STEPS = st.sampled_from(["put", "put_when_free", "take", "close"])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(STEPS, max_size=60))
def test_a_slot_holds_one_item_whoever_puts_it_there_and_whenever_it_is_closed(steps: list[str]) -> None:
    """Against a model of one variable: what comes out is the newest, in order, and what waited for room replaced nothing."""
    slot: Slot[int] = Slot()
    held: int | None = None
    closed = False
    last = -1
    for number, step in enumerate(steps):
        if step == "put":
            assert slot.put(number) == held
            held = number
        elif step == "put_when_free":
            placed = slot.put_when_free(number, 0)
            assert placed == (held is None and not closed)
            held = number if placed else held
        elif step == "take":
            item = slot.take(0)
            assert item == held
            if item is not None:
                assert item > last
                last = item
            held = None
        else:
            slot.close()
            closed = True
        assert slot.empty == (held is None)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(1, 300), st.integers(1, 4))
def test_many_takers_share_the_items_and_none_goes_back(items: int, takers: int) -> None:
    slot: Slot[int] = Slot()
    seen: list[list[int]] = [[] for _ in range(takers)]
    done = threading.Event()

    def take(mine: list[int]) -> None:
        while not (done.is_set() and slot.empty):
            item = slot.take(0.005)
            if item is not None:
                mine.append(item)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    replaced = [back for number in range(items) if (back := slot.put(number)) is not None]
    done.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    taken = [item for mine in seen for item in mine]
    assert all(mine == sorted(mine) for mine in seen)
    assert sorted([*taken, *replaced]) == list(range(items)), "each was seen once or given back once"
    assert items - 1 in taken, "the newest always arrives"


def ticker(fps: float, start: float = 0.0) -> Ticker:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: start)
        return Ticker(fps)


MOVES = st.one_of(st.floats(0, 0.1), st.floats(0, 1e7), st.floats(-1e4, 0))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.floats(1, 240), st.lists(st.tuples(MOVES, st.floats(-1, 1)), min_size=1, max_size=60))
def test_ticks_never_run_backwards_and_come_at_once_after_a_jump(fps: float, moves: list[tuple[float, float]]) -> None:
    """However the time that is told jumps (a machine that slept for months), and however the ticks are shifted meanwhile."""
    ticks = ticker(fps)
    at, last = 0.0, 0.0
    for move, shift in moves:
        at += move
        due = ticks.next_tick(at)
        assert due > last
        if move > 0:
            assert due > at - ticks.period * (1 + 1e-6) - 1e-6, "what was missed is skipped"
        last = due
        before = ticks.missed
        ticks.shift(shift)
        assert ticks.missed == before
    calm = max(at, last)
    first = ticks.next_tick(calm)
    second = ticks.next_tick(first)
    assert second - first == pytest.approx(ticks.period, rel=1e-6, abs=1e-6), "the next tick is on its beat again"
    assert second - calm < 2.1 * ticks.period + 1e-6, "no pause follows"


WAITS = st.one_of(st.floats(0, 0.04), st.floats(-1e6, 1e6))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.floats(1, 240), st.lists(WAITS, max_size=80))
def test_a_lock_moves_ticks_by_a_hundredth_at_most_and_finds_back(fps: float, waits: list[float]) -> None:
    period = 1 / fps
    lock = PhaseLock(period)
    for wait in waits:
        assert abs(lock.advice(wait)) <= 0.01 * period * (1 + 1e-9)
    wait = 0.9 * period
    for _ in range(400):
        wait = (wait + lock.advice(wait)) % period
    away = (wait - 0.002 + period / 2) % period - period / 2
    assert abs(away) < 0.05 * period + 1e-4, "whatever was before, frames soon wait for as long as is safe"
