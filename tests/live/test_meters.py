from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.frame import STAGES
from gpen_live.live.status.meters import Meters, Series, quantiles, rate
from gpen_live.live.status.snapshot import grade


@given(st.integers(1, 20), st.lists(st.floats(0, 1e6), max_size=60), st.floats(-1, 61))
def test_a_ring_keeps_the_latest(kept: int, values: list[float], since: float) -> None:
    series = Series(kept)
    for at, value in enumerate(values):
        series.add(float(at), value)
    expected = [(float(at), value) for at, value in enumerate(values)][-kept:]
    expected = [pair for pair in expected if pair[0] > since]
    assert series.times(since).tolist() == [at for at, _ in expected]
    assert series.values(since).tolist() == [value for _, value in expected]


def test_quantiles_and_rates() -> None:
    values = np.arange(1.0, 101.0)
    q = quantiles(values)
    assert (q.p50, q.max) == (50.5, 100.0)
    assert 94 < q.p95 < 97
    assert quantiles(np.zeros(0)).max == 0
    assert rate(np.arange(0, 2, 1 / 30)) == pytest.approx(30)
    assert rate(np.array([1.0])) == 0


def test_each_captured_frame_ends_in_one_place() -> None:
    meters = Meters()
    for number in range(10):
        meters.captured(number / 30)
    meters.dropped(3)
    for number in range(3, 10):
        meters.sent(number / 30, number, {"end_to_end": 20.0, "detect": 3.0}, enhanced=number % 2 == 0)
    meters.repeated(1.0)
    counts = meters.counts()
    assert counts.captured == counts.enhanced + counts.raw + counts.dropped
    assert counts.sent == counts.enhanced + counts.raw + counts.repeated
    assert counts.out_of_order == 0
    assert set(meters.stages()) == set(STAGES)
    assert meters.stages()["detect"].p50 == 3.0
    assert meters.stages()["warp"].max == 0.0


def test_the_share_of_time_for_which_the_device_works() -> None:
    meters = Meters()
    assert meters.busy_share() == 0.0
    for number in range(11):
        meters.busy(number * 0.1, 20.0 if number < 6 else 40.0)
    assert meters.busy_share() == pytest.approx(0.3)
    assert meters.busy_share(0.55) == pytest.approx(0.4)


def test_going_back_is_counted() -> None:
    meters = Meters()
    for number in (1, 3, 2):
        meters.sent(float(number), number, {}, enhanced=True)
    assert meters.counts().out_of_order == 1


@pytest.mark.parametrize(
    ("ms", "word"),
    [(0, "fluent"), (99.9, "fluent"), (100, "acceptable"), (200, "acceptable"), (201, "stuttering"), (301, "unusable")],
)
def test_grades(ms: float, word: str) -> None:
    assert grade(ms) == word
