"""Each promise, held by a made-up hour and broken by one that is spoilt in one way."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gpen_live.soak.results import Latency, Soak
from gpen_live.soak.verdicts import Verdict, growth, judge
from tests.soak.figures import sample, soak


def verdict(one: Soak, word: str) -> Verdict:
    (found,) = (found for found in judge(one) if word in found.promise)
    return found


def after(share: float, **values: Any) -> Any:
    """The values from that share of the hour on."""
    return lambda at: values if at >= share else {}


def test_a_good_hour_holds_them_all() -> None:
    assert [one for one in judge(soak()) if one.held is not True] == []
    assert len(judge(soak())) == 10
    assert len(judge(soak(lambda _: {"gpu_mb": 900.0}))) == 11


@pytest.mark.parametrize(
    ("spoilt", "word", "figure"),
    [
        (soak(trouble="The demo camera failed."), "runs to the end", "The demo camera failed."),
        (soak(after(0.9, pause_s=1.2)), "stands still", "1.20 s without a frame"),
        (soak(after(0.9, still_s=1.2)), "stands still", "1.20 s without a new one"),
        (soak(black=1), "black", "1 black"),
        (soak(unreadable=2), "damaged", "2 without their number"),
        (soak(backwards=1), "newer one", "1 did"),
        (soak(lambda at: {"memory_mb": 800 + 25 * at}), "Memory grows", "+23."),
        (
            soak(after(0.7, memory_mb=830.0)),
            "Memory grows",
            "+45.0 MB in 57 min: at least 800 held in its first third, 830 in its last",
        ),
        (soak(lambda at: {"gpu_mb": 800 + 25 * at}), "GPU memory grows", "held in its first third"),
        (soak(lambda at: {"handles": 8 + int(5 * at)}), "left behind", "handles 8 to 11"),
        (soak(after(0.6, threads=20)), "left behind", "threads 17 to 20"),
        (soak(after(0.6, children=1)), "left behind", "processes 0 to 1"),
        (soak(lambda _: {"output_slip_ms": 6.0}), "drift", "output +4320"),
        (soak(lambda _: {"capture_slip_ms": -6.0}), "drift", "capture -4320"),
        (soak(lambda _: {"sent": 147}), "keeps its 30", "98.00% of its ticks"),
        (soak(p99=lambda at: 30 + 20 * at), "Latency", "then 4"),
    ],
)
def test_a_spoilt_hour_breaks_that_promise_and_no_other(spoilt: Soak, word: str, figure: str) -> None:
    found = verdict(spoilt, word)
    assert found.held is False
    assert figure in found.figure
    assert [one.promise for one in judge(spoilt) if one.held is not True] == [found.promise]


def test_a_fault_that_was_not_got_over_in_time_or_not_alone_is_named() -> None:
    for change in ({"back_s": None}, {"helped": True}, {"back_s": 2.5}):
        one = soak()
        one.events[12] = dataclasses.replace(one.events[12], **change)
        found = verdict(one, "well again")
        assert found.held is False
        assert "1 of 48" in found.figure
        assert "camera gone and back" in found.figure


def test_growth_before_the_warm_up_and_during_faults_does_not_count() -> None:
    def early_or_disturbed(at: float) -> dict[str, object]:
        if at < 0.05:
            return {"memory_mb": 500.0, "threads": 9}
        return {"memory_mb": 1100.0, "quiet": False, "threads": 40} if at > 0.95 else {}

    assert all(one.held for one in judge(soak(early_or_disturbed)))


def test_memory_that_comes_and_goes_with_models_is_no_growth() -> None:
    def states(at: float) -> dict[str, object]:
        return {"memory_mb": 800.0 + (50 if int(at * 12) % 2 else 0) + (40 if at > 0.9 else 0)}

    assert verdict(soak(states), "Memory grows").held is True


def test_single_peaks_do_not_bend_the_trend() -> None:
    samples = [sample(5.0 * i, memory_mb=3000.0 if i % 10 == 0 else 800.0) for i in range(1, 200)]
    found = growth(samples, lambda one: one.memory_mb)
    assert found is not None
    assert found.slope == 0
    assert found.grown == 0


def test_what_a_short_run_cannot_tell_is_not_claimed() -> None:
    one = soak()
    short = dataclasses.replace(one, warm_s=None, samples=one.samples[:5], latencies=one.latencies[:1], events=[], seconds=25)
    found = {verdict.promise.split()[0]: verdict.held for verdict in judge(short)}
    assert found["Memory"] is found["Latency"] is found["No"] is None
    assert found["The"] is None
    assert found["It"] is True


def test_other_programs_are_not_blamed_on_us_and_never_excuse_a_quiet_machine() -> None:
    busy = soak(lambda _: {"sent": 147, "load": 1.0})
    assert verdict(busy, "keeps its 30").held is None
    assert "others took 60%" in verdict(busy, "keeps its 30").figure
    later = soak(after(0.8, load=1.0), p99=lambda at: 30.0 if at < 0.8 else 90.0)
    assert verdict(later, "Latency").held is None
    always = soak(lambda _: {"load": 1.0}, p99=lambda at: 30.0 if at < 0.8 else 90.0)
    assert verdict(always, "Latency").held is False, "as busy at the start"


def test_noise_of_a_machine_passes() -> None:
    one = soak(p99=lambda at: 30 + 3 * at)
    one.latencies[30] = Latency(1860.0, 1500, 20.0, 80.0, 400.0)
    assert verdict(one, "Latency").held is True
