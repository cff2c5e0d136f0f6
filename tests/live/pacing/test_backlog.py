"""Which frames may wait, and which make way: on a clock that the tests set."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.live.pacing.backlog import BacklogPolicy


class Clock:
    """Stands at 10 seconds, until told otherwise."""

    def __init__(self) -> None:
        self.at = 10.0

    def __call__(self) -> float:
        return self.at


def backlog(budget_ms: float = 100.0, work_s: float = 0.02, clock: Callable[[], float] | None = None) -> BacklogPolicy:
    """At 30 frames a second, with an engine that takes `work_s`."""
    found = BacklogPolicy(lambda: budget_ms, lambda: 30.0, clock or Clock())
    for _ in range(60):
        found.worked(work_s)
    return found


def test_a_frame_waits_for_the_engine_while_it_is_in_time() -> None:
    assert not backlog().skips(10 - 0.055, waiting=True)  # 20 ms each for this one and the one behind it: 95 ms
    assert backlog().skips(10 - 0.065, waiting=True)
    assert not backlog().skips(10 - 0.065, waiting=False)


def test_a_finished_frame_waits_for_its_own_tick_while_it_is_in_time() -> None:
    assert not backlog().replaces(10 - 0.03, waiting=True)  # two ticks of 33 ms: 97 ms
    assert backlog().replaces(10 - 0.04, waiting=True)
    assert not backlog().replaces(10 - 0.04, waiting=False)


@given(st.floats(-1, 10))
def test_without_a_budget_the_newest_is_always_the_next_one(captured_at: float) -> None:
    assert backlog(0.0).skips(captured_at, waiting=True)
    assert backlog(0.0).replaces(captured_at, waiting=True)


@pytest.mark.parametrize("line", ["skips", "replaces"])
def test_a_single_hold_up_makes_no_frame_late_for_long(line: str) -> None:
    """A line that never runs empty guards against nothing, and only makes all frames later."""
    clock = Clock()
    ask = getattr(backlog(clock=clock), line)
    for _ in range(3):
        assert [ask(clock.at, waiting=True) for _ in range(2)] == [False, True]
        for _ in range(70):
            clock.at += 1 / 30
            assert not ask(clock.at, waiting=False)


@pytest.mark.parametrize("line", ["skips", "replaces"])
def test_where_hold_ups_follow_on_each_other_the_line_is_kept(line: str) -> None:
    """Each tenth frame is held up by a period: the one that waits takes its tick, and it waits in its turn."""
    clock = Clock()
    ask = getattr(backlog(clock=clock), line)
    in_line, missed, left_out = 0, [], []
    for number in range(900):
        clock.at += 1 / 30
        finished = 0 if number % 10 == 0 else 2 if number % 10 == 1 else 1
        if number > 601:
            finished = 1  # all is calm again
        for _ in range(finished):
            if ask(clock.at, waiting=in_line > 0):
                left_out.append(number)
                in_line -= 1
            in_line += 1
        if in_line == 0:
            missed.append(number)
        in_line = max(0, in_line - 1)
    assert [number for number in missed if 60 < number < 600] == []
    assert [number for number in left_out if 60 < number < 600] == []
    assert len([number for number in left_out if 600 < number < 660]) == 1, "it is not kept for longer than it serves"


@given(st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=300))
def test_no_line_is_kept_for_ever(frames: list[tuple[float, bool]]) -> None:
    clock = Clock()
    one = backlog(clock=clock)
    for pause, waiting in frames:
        clock.at += pause
        one.replaces(clock.at, waiting=waiting)
    assert any(one.replaces(clock.at, waiting=True) for _ in range(48))


@pytest.mark.parametrize("work_s", [0.0, 0.5])
def test_how_long_a_frame_takes_is_learnt(work_s: float) -> None:
    assert backlog(work_s=work_s).skips(10 - 0.09, waiting=True) == (work_s > 0)
