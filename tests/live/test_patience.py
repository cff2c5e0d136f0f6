"""Which frames may wait, and which make way: on a clock that the tests set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.live.patience import Patience


def patience(budget_ms: float = 100.0, work_s: float = 0.02) -> Patience:
    """At 30 frames a second, at time 10, with an engine that takes `work_s`."""
    found = Patience(lambda: budget_ms, lambda: 30.0, lambda: 10.0)
    for _ in range(60):
        found.worked(work_s)
    return found


def test_a_frame_waits_for_the_engine_while_it_is_in_time() -> None:
    assert not patience().skips(10 - 0.055)  # 20 ms each for this one and the one behind it: 95 ms
    assert patience().skips(10 - 0.065)


def test_a_finished_frame_waits_for_its_own_tick_while_it_is_in_time() -> None:
    assert not patience().replaces(10 - 0.03, waiting=True)  # two ticks of 33 ms: 97 ms
    assert patience().replaces(10 - 0.04, waiting=True)
    assert not patience().replaces(10 - 0.04, waiting=False)


@given(st.floats(-1, 10))
def test_without_a_budget_the_newest_is_always_the_next_one(captured_at: float) -> None:
    assert patience(0.0).skips(captured_at)
    assert patience(0.0).replaces(captured_at, waiting=True)


def test_what_always_waits_waits_in_vain() -> None:
    """A queue that never runs empty guards against nothing, and only makes all frames later."""
    one = patience()
    replaced = [one.replaces(10.0, waiting=True) for _ in range(90)]
    assert 1 <= sum(replaced) <= 3
    calm = patience()
    assert not any(calm.replaces(10.0, waiting=i % 10 != 0) for i in range(200))


@pytest.mark.parametrize("work_s", [0.0, 0.5])
def test_how_long_a_frame_takes_is_learnt(work_s: float) -> None:
    assert patience(work_s=work_s).skips(10 - 0.09) == (work_s > 0)
