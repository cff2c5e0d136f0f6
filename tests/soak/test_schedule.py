"""Which fault, and when."""

from __future__ import annotations

import pytest

from gpen_live.soak.faults import FAULTS, FaultKind
from gpen_live.soak.schedule import Schedule


def drawn(seed: int, count: int, haste: float = 1.0) -> list[tuple[float, FaultKind]]:
    schedule = Schedule(seed, 60, haste)
    return [(gap_s, fault.kind) for gap_s, fault in (schedule.next() for _ in range(count))]


def test_each_happens_once_before_any_happens_again() -> None:
    kinds = [kind for _, kind in drawn(3, 3 * len(FAULTS))]
    for start in range(0, len(kinds), len(FAULTS)):
        assert set(kinds[start : start + len(FAULTS)]) == set(FaultKind)


def test_the_model_changes_next_after_the_mode_wherever_that_is() -> None:
    places = set()
    for seed in range(20):
        kinds = [kind for _, kind in drawn(seed, len(FAULTS))]
        place = kinds.index(FaultKind.OTHER_MODE)
        assert kinds[place + 1] is FaultKind.OTHER_MODEL
        places.add(place)
    assert len(places) > 5


def test_a_seed_gives_the_same_again_and_another_one_does_not() -> None:
    assert drawn(1, 30) == drawn(1, 30)
    assert drawn(1, 30) != drawn(2, 30)


def test_the_first_deal_comes_quickly_and_then_the_rate_is_kept() -> None:
    gaps = [gap_s for gap_s, _ in drawn(0, 400)]
    first, later = gaps[: len(FAULTS)], gaps[len(FAULTS) :]
    assert max(first) < 10
    assert 30 <= min(later) < max(later) <= 90
    assert 55 < sum(later) / len(later) < 65


def test_haste_brings_all_of_it_sooner() -> None:
    usual, hasty = ([gap_s for gap_s, _ in drawn(5, 30, haste=haste)] for haste in (1, 10))
    assert hasty == pytest.approx([gap_s / 10 for gap_s in usual])
