"""From moments to time stamps."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.media.time_stamps import TIME_BASE, TimeStamps


def stamps(moments: list[float], fps: float = 30) -> list[int]:
    counted = TimeStamps(fps)
    return [counted.stamp(at) for at in moments]


@pytest.mark.parametrize("fps", [24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60.0])
def test_frames_of_usual_rates_last_a_whole_number_of_units(fps: float) -> None:
    period = Fraction(1 / fps).limit_denominator(100_000) / TIME_BASE
    assert period.denominator == 1
    assert stamps([100 + n / fps for n in range(5000)], fps) == [n * int(period) for n in range(5000)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_each_is_later_than_the_one_before_whatever_the_moments(moments: list[float]) -> None:
    counted = stamps(moments)
    assert counted[0] == 0
    assert all(one < other for one, other in zip(counted, counted[1:], strict=False))


def test_a_gap_stays_one() -> None:
    assert stamps([5.0, 5.5, 15.5]) == [0, 30_000, 630_000]


def test_another_scenes_clock_goes_on_where_the_last_one_ended() -> None:
    assert stamps([1000.0, 1000.1, 0.0, 0.1, 0.1]) == [0, 6000, 8000, 14_000, 16_000]
