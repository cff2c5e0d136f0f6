"""A soak of some seconds: the demo camera, the shipped network, each fault once, ten times as hasty and twice as fast."""

from __future__ import annotations

import threading

import pytest

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Size
from gpen_live.soak import run
from gpen_live.soak.faults import FAULTS, FaultKind
from gpen_live.soak.results import Soak
from gpen_live.soak.run import Options, Soaking

SMALL = Size(320, 180)


@pytest.fixture(scope="module")
def soaked() -> Soak:
    soaking = Soaking(Options(seconds=120, size=SMALL, device="cpu", speed=2, faults_per_hour=30, seed=4, haste=10, warm_ups=1))

    def going(soak: Soak, passed: float, what: str) -> bool:
        return len(soak.events) < len(FAULTS) or not soak.settled or not soak.latencies

    soaking.run(going)
    return soaking.soak


def test_each_fault_happened_once_and_was_got_over(soaked: Soak) -> None:
    assert sorted(one.kind for one in soaked.events[: len(FaultKind)]) == sorted(kind.value for kind in FaultKind)
    assert all(one.back_s is not None for one in soaked.events)
    assert soaked.trouble == ""


def test_every_frame_was_known_by_its_number_and_none_went_back(soaked: Soak) -> None:
    assert soaked.frames > 200
    assert (soaked.backwards, soaked.unreadable, soaked.black) == (0, 0, 0)


def test_what_each_fault_said_was_noted(soaked: Soak) -> None:
    notes = " ".join(soaked.notes)
    for part in (
        "The network lite-256 failed (a fault of the soak)",
        "values that are not numbers",
        "stopped delivering pictures",
    ):
        assert part in notes


def test_it_measured_this_process_all_the_time(soaked: Soak) -> None:
    assert soaked.warm_s is not None
    assert len(soaked.samples) >= 5
    assert sum(one.seconds for one in soaked.samples) == pytest.approx(soaked.seconds, rel=0.05)
    assert all(one.memory_mb > 50 and one.handles > 0 and one.threads > 4 for one in soaked.samples)
    assert sum(one.enhanced for one in soaked.samples) > 50
    assert soaked.latencies
    assert soaked.latencies[0].p50_ms > 0


def test_no_thread_of_it_is_left(soaked: Soak) -> None:
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("gpen-live-")] == []


def test_without_faults_nothing_happens_and_the_user_can_end_it() -> None:
    soaking = Soaking(Options(seconds=60, size=SMALL, device="cpu", faults_per_hour=0))
    soaking.run(lambda soak, passed, what: passed < 1)
    assert soaking.soak.events == []
    assert 1 <= soaking.soak.seconds < 30
    assert soaking.soak.frames > 5


def test_what_cannot_start_is_an_error() -> None:
    soaking = Soaking(Options(seconds=60, size=SMALL, device="cuda:97"))
    with pytest.raises(GpenLiveError, match="cuda"):
        soaking.run(lambda soak, passed, what: True)


def test_an_hour_or_a_month_is_measured_at_a_bounded_number_of_points() -> None:
    def points(seconds: float) -> float:
        return seconds / run._between(seconds, run._SAMPLE_S, run._FEWEST_SAMPLES, run._MOST_SAMPLES)

    assert points(60) == 100
    assert points(3600) == 720
    assert points(30 * 86400) == 1000
